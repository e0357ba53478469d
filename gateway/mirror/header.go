package mirror

import (
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// headers notes where the chosen headers of new differ from those of old.
func (c *comparer) compareHeaders(old, new http.Header, out *differences) {
	for _, name := range c.headers {
		a, b := headerValue(old, name), headerValue(new, name)
		switch {
		case a == b:
		case name == "Location":
			compareLocations(a, b, out)
		default:
			out.text(kindHeader, name, a, b)
		}
	}
}

// compareLocations notes host, path and query each for itself: a state parameter that differs from answer to
// answer must not hide that a redirect leads to another host.
func compareLocations(a, b string, out *differences) {
	oldHost, oldPath, oldQuery := cutLocation(a)
	newHost, newPath, newQuery := cutLocation(b)
	if oldHost != newHost {
		out.text(kindHeader, "Location.host", oldHost, newHost)
	}
	if oldPath != newPath {
		out.text(kindHeader, "Location", oldPath, newPath)
	}
	if oldQuery != newQuery {
		out.text(kindHeader, "Location.query", oldPath+oldQuery, newPath+newQuery)
	}
}

// cutLocation is a URL in three: scheme and host, empty when it is relative; the path; the rest.
func cutLocation(location string) (host, path, rest string) {
	path = location
	if at := strings.IndexAny(path, "?#"); at >= 0 {
		path, rest = path[:at], path[at:]
	}
	if slashes := strings.Index(path, "//"); slashes == 0 || slashes > 0 && path[slashes-1] == ':' {
		end := len(path)
		if at := strings.IndexByte(path[slashes+2:], '/'); at >= 0 {
			end = slashes + 2 + at
		}
		host, path = strings.ToLower(path[:end]), path[end:]
	}
	return host, path, rest
}

// nonces are made anew for each answer.
var nonces = regexp.MustCompile(`'nonce-[^']*'`)

// headerValue is the value of a header as it is compared.
func headerValue(h http.Header, name string) string {
	values := h.Values(name)
	switch name {
	case "Content-Type":
		if len(values) == 1 {
			return mediaType(values[0])
		}
	case "Set-Cookie":
		return cookies(values)
	case "Content-Security-Policy":
		return nonces.ReplaceAllString(strings.Join(values, ", "), "'nonce-'")
	}
	return strings.Join(values, ", ")
}

func mediaType(value string) string {
	kind, parameters, err := mime.ParseMediaType(value)
	if err != nil {
		return value
	}
	if charset, ok := parameters["charset"]; ok {
		parameters["charset"] = strings.ToLower(charset)
	}
	return mime.FormatMediaType(kind, parameters)
}

// cookies are names and attributes, in any order: values are secrets and no two are alike.
func cookies(values []string) string {
	var list []string
	for _, v := range values {
		name, rest, _ := strings.Cut(v, "=")
		_, attributes, _ := strings.Cut(rest, ";")
		list = append(list, strings.TrimSpace(name)+"="+redacted+"; "+cookieAttributes(attributes))
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

// cookieAttributes are a cookie's attributes with the values that say where it holds. Of its times only
// counts whether there is one, and whether it takes the cookie away.
func cookieAttributes(attributes string) string {
	var list []string
	for part := range strings.SplitSeq(attributes, ";") {
		name, value, _ := strings.Cut(part, "=")
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
		switch name {
		case "":
			continue
		case "domain":
			name += "=" + strings.ToLower(strings.TrimPrefix(value, "."))
		case "path":
			name += "=" + value
		case "samesite":
			name += "=" + strings.ToLower(value)
		case "expires", "max-age":
			if over(name, value) {
				name += " is over"
			}
		}
		list = append(list, name)
	}
	slices.Sort(list)
	return strings.Join(list, "; ")
}

// over reports whether a cookie's time is over already: the answer takes it away.
func over(name, value string) bool {
	if name == "max-age" {
		seconds, err := strconv.Atoi(value)
		return err == nil && seconds <= 0
	}
	at, err := http.ParseTime(strings.ReplaceAll(value, "-", " ")) // Netscape's form has 01-Jan-1970
	return err == nil && time.Until(at) < 0
}
