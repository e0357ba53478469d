package gateway

import (
	"math/rand/v2"
	"net/http"
	"time"

	"yadokari/gateway/balance"
	"yadokari/gateway/keys"
)

// affinity keeps each user on one server of a backend.
type affinity struct {
	own      bool   // by a cookie of the gateway's own; else by one of the app's
	cookie   string // its name
	lifetime time.Duration
	ring     string // the ID of what its marks are made with
}

// seat is where a user is in one backend with affinity.
type seat struct {
	backend string // "": of none
	user    balance.User
	kept    bool // the request named a server of his own, or a key that ranks them
	own     bool
	old     bool // the cookie is to be given anew
}

// seat reads where the user is, from the request's cookies. The backend has affinity.
func (b *backend) seat(r *http.Request, u *user, now time.Time) seat {
	a := b.affinity
	s := seat{backend: b.name, own: a.own}
	text := keys.Value(r.Header["Cookie"], a.cookie)
	if !a.own {
		if s.kept = text != ""; s.kept {
			s.user = balance.User{Known: true, Rank: point(text)}
		}
		return s
	}
	was, ok := keys.ParseSeat(text)
	switch {
	case ok:
		s.kept = true
		s.user = balance.User{Known: true, Rank: was.User, Server: was.Server}
		s.old = now.Sub(was.Issued) > a.lifetime/2 || was.Issued.After(now)
	case u.rank != 0:
		s.user = balance.User{Known: true, Rank: u.rank}
	default:
		s.user = balance.User{Rank: rand.Uint64()}
	}
	return s
}

// moved is a mark of the server that the user is on from now on, if he is to be told; else 0. One
// whose own server could only not be reached this once is still on it.
func (s seat) moved(by *server) uint64 {
	switch {
	case !s.own:
		return 0
	case by.Mark() == s.user.Server && !s.old:
		return 0
	case !by.Marked(s.user.Server) && s.user.Server != 0 && by.Beside(s.user.Server):
		return 0
	}
	return by.Mark()
}

// holds reports whether the server is the user's, so that no other may answer him because it is busy.
func (s seat) holds(picked *server) bool {
	return s.kept && (s.user.Server == 0 || picked.Marked(s.user.Server))
}

// seats are where a user is in the two backends of a route.
type seats [2]seat

// at is where the user is in the named backend. Without affinity he is on no server.
func (s *seats) at(backend string) seat {
	for _, one := range s {
		if one.backend == backend {
			return one
		}
	}
	return seat{}
}
