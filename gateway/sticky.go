package gateway

import (
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/cespare/xxhash/v2"

	"yadokari/gateway/keys"
)

// sticky finds what identifies a user in a request and where on the line from 0 to 1 that user is.
type sticky struct {
	cookie, header string
	host           bool
	ahead          map[string]struct{}
	own            *ownCookie // nil: there is none
}

func newSticky(c Sticky) *sticky {
	s := &sticky{cookie: c.Cookie, header: http.CanonicalHeaderKey(c.Header), host: c.Host}
	if len(c.Ahead) > 0 {
		s.ahead = make(map[string]struct{}, len(c.Ahead))
		for _, key := range c.Ahead {
			if c.Host {
				key = keys.Host(key)
			}
			s.ahead[key] = struct{}{}
		}
	}
	return s
}

// key is what the request says of its user; "" when it says nothing.
func (s *sticky) key(r *http.Request) string {
	switch {
	case s.cookie != "":
		return keys.Value(r.Header["Cookie"], s.cookie)
	case s.header != "":
		if values := r.Header[s.header]; len(values) > 0 {
			return values[0]
		}
	case s.host:
		return keys.Host(r.Host)
	}
	return ""
}

// goesAhead reports whether the key is one of those that go before any share does.
func (s *sticky) goesAhead(key string) bool {
	_, listed := s.ahead[key]
	return listed
}

// point is the place of a key on the line from 0 to 2^64: the same for every route, gateway and
// release, so that a user who has moved stays moved. XXH64 spreads even neighbouring keys evenly.
func point(key string) uint64 { return xxhash.Sum64String(key) }

// user is who sent a request, as far as it tells.
type user struct {
	point  uint64 // on the line from 0 to 2^64
	listed bool   // among those that go before any share does
	key    uint64 // the point of the key that the app gave; 0: it brought none
	rank   uint64 // a number of the user's own; 0: none is known
	token  string // the value of the gateway's own cookie that the answer is to bring; "": none
}

// user identifies who sent a request. It reads the request's cookies, which are taken out afterwards.
func (s *sticky) user(r *http.Request, client string, now time.Time) (u user) {
	key := s.key(r)
	if s.cookie != "" && key != "" {
		u.key = point(key)
	}
	named := key != ""
	if !named {
		key = client
	}
	u.point, u.listed = point(key), s.goesAhead(key)
	if s.own != nil {
		s.own.settle(&u, r, client, named, now)
	}
	return u
}

// ownCookie is the gateway's own cookie, by which users are known who keep it.
type ownCookie struct {
	name      string
	lifetime  time.Duration
	ring      *keys.Ring
	returning *keys.Returning
}

// settle places the user by the cookie. One who brings none is placed as he is without the feature, by
// what names him or else by his address, and gets a cookie that says so: he stays there. But where
// clients of his kind bring theirs back, one without is another person behind the same address, and
// gets a place of his own. It decides at the first request, so that nobody changes sides at the second.
func (c *ownCookie) settle(u *user, r *http.Request, client string, named bool, now time.Time) {
	program := ""
	if agent := r.Header["User-Agent"]; len(agent) > 0 {
		program = agent[0]
	}
	token, good := c.ring.Open(keys.Value(r.Header["Cookie"], c.name), now, c.lifetime)
	switch {
	case good:
		c.returning.Back(client, program)
		u.point = token.Point
	case !named && c.returning.Keeps(client, program):
		token = keys.NewToken(rand.Uint64(), now)
		u.point = token.Point
	default:
		token = keys.NewToken(u.point, now)
	}
	u.rank = token.Rank()
	if !good || now.Sub(token.Issued) > c.lifetime/2 {
		token.Issued = now
		u.token = c.ring.Seal(token)
	}
}
