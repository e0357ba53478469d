package gateway

import (
	"net/http"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// sticky finds what identifies a user in a request and where on the line from 0 to 1 that user is.
type sticky struct {
	cookie, header string
	host           bool
	ahead          map[string]struct{}
}

func newSticky(c Sticky) *sticky {
	s := &sticky{cookie: c.Cookie, header: http.CanonicalHeaderKey(c.Header), host: c.Host}
	if len(c.Ahead) > 0 {
		s.ahead = make(map[string]struct{}, len(c.Ahead))
		for _, key := range c.Ahead {
			s.ahead[key] = struct{}{}
		}
	}
	return s
}

// key is what identifies the user; client is used when the request carries no key.
func (s *sticky) key(r *http.Request, client string) string {
	key := ""
	switch {
	case s.cookie != "":
		key = cookieValue(r.Header["Cookie"], s.cookie)
	case s.header != "":
		if values := r.Header[s.header]; len(values) > 0 {
			key = values[0]
		}
	case s.host:
		key = strings.ToLower(r.Host)
	}
	if key == "" {
		return client
	}
	return key
}

// goesAhead reports whether the key is one of those that go before any share does.
func (s *sticky) goesAhead(key string) bool {
	_, listed := s.ahead[key]
	return listed
}

// point is the place of a key on the line from 0 to 2^64: the same for every route, gateway and
// release, so that a user who has moved stays moved. XXH64 spreads even neighbouring keys evenly.
func point(key string) uint64 { return xxhash.Sum64String(key) }

// cookieValue is the value of the first cookie of that name (RFC 6265, section 4.2.1), without the
// copies that http.Request.Cookies makes.
func cookieValue(lines []string, name string) string {
	for _, line := range lines {
		for line != "" {
			var pair string
			pair, line, _ = strings.Cut(line, ";")
			if n, value, ok := strings.Cut(strings.TrimLeft(pair, " "), "="); ok && n == name {
				return strings.Trim(value, `"`)
			}
		}
	}
	return ""
}
