package mirror

import (
	"bytes"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// redacted stands where a secret stood.
const redacted = "[redacted]"

// minSecret is the length from which a cookie's value is looked for inside of words, too. A shorter one (a
// theme, a flag) is found as a part of many, and is looked for as a word of its own.
const minSecret = 6

// lookBack is how far before what is shown of a body the name of a secret is looked for: further than
// the longest token in use reaches.
const lookBack = 8 << 10

// secretWords are the parts of a name that make its value a secret.
var secretWords = []string{"token", "passw", "passphrase", "pwd", "secret", "key", "auth", "session", "signature",
	"credential", "jwt", "csrf", "xsrf", "cookie"}

// secretNames are whole names whose values are secrets: too short to be looked for within others.
var secretNames = []string{"sig", "sid", "code", "otp", "pin", "nonce", "pass"}

// secretName tells whether the value that goes by name is to be kept out of examples.
func secretName(name string) bool {
	name = strings.ToLower(name)
	for _, whole := range secretNames {
		if name == whole {
			return true
		}
	}
	for _, word := range secretWords {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}

// redactTarget is a request target, or any URL, with the values of its secret parameters replaced.
// The path and the names stay.
func redactTarget(target string) string {
	path, query, found := strings.Cut(target, "?")
	if scheme, rest, ok := strings.Cut(path, "://"); ok {
		if at := strings.LastIndexByte(strings.SplitN(rest, "/", 2)[0], '@'); at >= 0 {
			path = scheme + "://" + redacted + rest[at:]
		}
	}
	if !found {
		return path
	}
	query, fragment, _ := strings.Cut(query, "#")
	parts := strings.FieldsFunc(query, func(r rune) bool { return r == '&' || r == ';' })
	for i, part := range parts {
		name, _, valued := strings.Cut(part, "=")
		plain, err := url.QueryUnescape(name)
		if valued && (err != nil || secretName(plain)) {
			parts[i] = name + "=" + redacted
		}
	}
	path += "?" + strings.Join(parts, "&")
	if fragment != "" {
		path += "#" + redacted // where OAuth's implicit flow puts tokens
	}
	return path
}

// secrets are the values of credentials that went with one exchange: what Cookie, Set-Cookie,
// Authorization and Proxy-Authorization held. Apps write them into pages; examples must not hold them.
func secrets(request http.Header, responses ...*Response) [][]byte {
	var found [][]byte
	add := func(value string) {
		value = strings.Trim(strings.TrimSpace(value), `"`)
		for _, form := range []string{value, unescaped(value), url.QueryEscape(value), html.EscapeString(value)} {
			if form != "" {
				found = append(found, []byte(form))
			}
		}
	}
	for _, line := range request.Values("Cookie") {
		for pair := range strings.SplitSeq(line, ";") {
			_, value, _ := strings.Cut(pair, "=")
			add(value)
		}
	}
	for _, name := range []string{"Authorization", "Proxy-Authorization"} {
		for _, line := range request.Values(name) {
			_, credentials, _ := strings.Cut(line, " ")
			add(line)
			add(credentials)
		}
	}
	for _, r := range responses {
		if r == nil {
			continue
		}
		for _, line := range r.Header.Values("Set-Cookie") {
			pair, _, _ := strings.Cut(line, ";")
			_, value, _ := strings.Cut(pair, "=")
			add(value)
		}
	}
	return found
}

func unescaped(s string) string {
	if plain, err := url.QueryUnescape(s); err == nil {
		return plain
	}
	return s
}

// named finds values that stand beside a secret name in JSON, HTML, queries and plain text:
// "token": "…", name="csrf_token" value="…", api_key=….
var named = regexp.MustCompile(`(?i)(?:token|passw|passphrase|pwd|secret|key|auth|session|signature|credential|jwt|csrf|xsrf|cookie)[\w-]*` +
	`\\?["']?\s*(?:(?:value|content)\s*)?[:=]\s*` +
	`("(?:[^"\\]|\\.)*"?|'[^']*'?|\\?["']?[^\s"'<>&,;\\]+)`)

// masked is text with every secret overwritten, in its place and length, so that offsets stay true.
func masked(text []byte, secrets [][]byte) []byte {
	text = bytes.Clone(text)
	for _, secret := range secrets {
		for at := 0; ; at += len(secret) {
			found := bytes.Index(text[at:], secret)
			if found < 0 {
				break
			}
			at += found
			if len(secret) >= minSecret || standsAlone(text, at, at+len(secret)) {
				overwrite(text[at : at+len(secret)])
			}
		}
	}
	return text
}

// standsAlone tells whether text[from:to] is no part of a longer word or number.
func standsAlone(text []byte, from, to int) bool {
	return (from == 0 || !isWord(text[from-1])) && (to == len(text) || !isWord(text[to]))
}

// maskedPart is text[from:to] with what stands beside a secret name overwritten too. Names are looked
// for up to lookBack bytes before the part.
func maskedPart(text []byte, from, to int) []byte {
	start := max(0, from-lookBack)
	part := bytes.Clone(text[start:to])
	for _, match := range named.FindAllSubmatchIndex(part, -1) {
		overwrite(part[match[2]:match[3]])
	}
	return part[from-start:]
}

// overwrite leaves nothing but quotes.
func overwrite(text []byte) {
	for i, c := range text {
		if c != '"' && c != '\'' {
			text[i] = '*'
		}
	}
}
