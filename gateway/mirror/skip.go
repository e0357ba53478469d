package mirror

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// defaultSkip are requests that are not harmless although they are GET, in the form of Config.Skip: what
// ends a session or a subscription, what holds for one use only, and work that is begun by asking.
var defaultSkip = []string{
	"*logout*", "*log-out*", "*log_out*", "*logoff*", "*log-off*", "*signout*", "*sign-out*", "*sign_out*", "*signoff*",
	"?action=*logout*", "?title=*logout*", "?do=*logout*", "?page=*logout*", "?mode=*logout*", "?route=*logout*",
	"*unsubscribe*", "*opt-out*", "*optout*", "?action=*unsubscribe*", "?*unsubscribe*",
	"?code&state", "*/oauth/callback*", "*/oauth2/callback*", "*/auth/*/callback*", "*/login/oauth2/code/*", "*/signin-oidc*",
	"?oauth_token", "?oauth_verifier", "?ticket", "?SAMLRequest", "?SAMLResponse", "?SAMLart", "?otp", "?nonce", "?*_nonce", "?_wpnonce",
	"?token", "?confirmation_token", "?activation_token", "?verification_token", "?invitation_token", "?reset_password_token",
	"?unlock_token", "?login_token", "?magic_link", "?activation_key", "?reset_key", "?action=rp", "?confirm&key",
	"*/confirm/*", "*/confirm-email/*", "*/activate/*", "*/verify/*", "*/verify-email/*", "*/reset/*", "*/password/reset/*", "*/reset-password/*",
	"*/cron.php", "*/wp-cron.php", "*/cron", "*/cron/*", "?doing_wp_cron",
}

// DefaultSkip are the requests that are never copied whatever the settings say, in the form of
// Config.Skip.
func DefaultSkip() []string { return slices.Clone(defaultSkip) }

// Skipped are the requests that are not copied by these settings, in the form of Config.Skip: the known ones,
// less those taken away, and the file's own.
func (c *Config) Skipped() []string {
	var own []string
	known := DefaultSkip()
	for _, text := range c.Skip {
		if away, ok := strings.CutPrefix(text, "!"); ok {
			known = slices.DeleteFunc(known, func(k string) bool { return strings.EqualFold(k, away) })
		} else {
			own = append(own, text)
		}
	}
	return append(known, own...)
}

// A skip is one kind of requests that are not copied: by path, or by what is in the query.
type skip struct {
	path  string
	query []parameter // all of them must be there; nil: it is the path that counts
}

// parameter is a query parameter by patterns of its name and value.
type parameter struct{ name, value string }

// parseSkip reads one entry of Config.Skip.
func parseSkip(text string) (skip, error) {
	if away, ok := strings.CutPrefix(text, "!"); ok {
		if !slices.ContainsFunc(defaultSkip, func(k string) bool { return strings.EqualFold(k, away) }) {
			return skip{}, fmt.Errorf("%q takes away what is not among the known ones", text)
		}
		return skip{}, nil
	}
	lower := strings.ToLower(text)
	query, ok := strings.CutPrefix(lower, "?")
	if !ok {
		if lower == "" || lower[0] != '/' && lower[0] != '*' {
			return skip{}, fmt.Errorf("%q is neither a path nor a query parameter", text)
		}
		return skip{path: withoutEnd(lower)}, nil
	}
	var s skip
	for part := range strings.SplitSeq(query, "&") {
		name, value, valued := strings.Cut(part, "=")
		if name == "" {
			return skip{}, fmt.Errorf("%q has a query parameter without a name", text)
		}
		if !valued {
			value = "*"
		}
		s.query = append(s.query, parameter{name, value})
	}
	return s, nil
}

// newSkips reads valid settings.
func newSkips(c *Config) []skip {
	var list []skip
	for _, text := range c.Skipped() {
		if s, err := parseSkip(text); err == nil { // Validate has told
			list = append(list, s)
		}
	}
	return list
}

// Skips reports whether a request with this path, decoded, and query is one of those that are not copied.
func (m *Mirror) Skips(path, query string) bool {
	path = withoutEnd(strings.ToLower(path))
	given := parameters(query)
	if !slices.ContainsFunc(m.skips, func(s skip) bool { return s.covers(path, given) }) {
		return false
	}
	m.counts.spared.Add(1)
	return true
}

func (s *skip) covers(path string, given []parameter) bool {
	if s.query == nil {
		return matches(s.path, path)
	}
	for _, wanted := range s.query {
		if !slices.ContainsFunc(given, func(p parameter) bool { return matches(wanted.name, p.name) && matches(wanted.value, p.value) }) {
			return false
		}
	}
	return true
}

// parameters are those of a query, in lower case.
func parameters(query string) []parameter {
	var list []parameter
	for query != "" {
		var part string
		part, query, _ = strings.Cut(query, "&")
		name, value, _ := strings.Cut(part, "=")
		list = append(list, parameter{plain(name), plain(value)})
	}
	return list
}

// plain is a part of a query, decoded, in lower case.
func plain(s string) string {
	if decoded, err := url.QueryUnescape(s); err == nil {
		s = decoded
	}
	return strings.ToLower(s)
}

// withoutEnd is a path without a slash at its end: most apps do not tell them apart.
func withoutEnd(path string) string {
	if len(path) > 1 {
		return strings.TrimSuffix(path, "/")
	}
	return path
}

// matches reports whether s is as the pattern says, in which * stands for any characters.
func matches(pattern, s string) bool {
	first, rest, starred := strings.Cut(pattern, "*")
	if !starred {
		return pattern == s
	}
	s, ok := strings.CutPrefix(s, first)
	if !ok {
		return false
	}
	for {
		var part string
		if part, rest, starred = strings.Cut(rest, "*"); !starred {
			return strings.HasSuffix(s, part)
		}
		at := strings.Index(s, part)
		if at < 0 {
			return false
		}
		s = s[at+len(part):]
	}
}
