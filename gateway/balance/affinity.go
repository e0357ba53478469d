package balance

import (
	"io"
	"math"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"
)

// User is for whom a server is picked where one user stays on one server. The zero User is a stranger:
// any server may get his request.
type User struct {
	// Known says that Rank is the user's own.
	Known bool
	// Rank is a number that stays the user's, evenly spread.
	Rank uint64
	// Server is a mark of the server that he is on; 0: of none yet.
	Server uint64
}

// PickFor chooses the server for a request of u: the one he is on while it gets requests, whoever is
// new or less loaded. When it gets none, and for a known user who is on none, servers are ranked by him
// (rendezvous hashing: Thaler and Ravishankar, "Using Name-Based Mappings to Increase Hit Rates",
// IEEE/ACM ToN 1998), each at its weight during slow start: so requests of one user meet on one server, users
// of a server that goes are spread over all others, and nobody else moves. The rest is as with Pick.
func (g *Group[T]) PickFor(u User, tried ...*Server[T]) (*Server[T], error) {
	if !u.Known && u.Server == 0 {
		return g.Pick(tried...)
	}
	for {
		v := g.view.Load()
		s := v.home(u, tried)
		if s == nil {
			s = g.ranked(v, u, tried)
		}
		if s == nil {
			return nil, v.failure()
		}
		if s.take() {
			return s, nil
		}
		// It was shut after the view was read; the next view has been published before that.
	}
}

// Mark names the server in new cookies; 0 when users do not stay on servers of this group.
func (s *Server[T]) Mark() uint64 {
	if len(s.marks) == 0 {
		return 0
	}
	return s.marks[0]
}

// Marked reports whether mark is one of the server's.
func (s *Server[T]) Marked(mark uint64) bool { return slices.Contains(s.marks, mark) }

// Beside reports whether the server of the same group that has the mark gets requests at present.
func (s *Server[T]) Beside(mark uint64) bool { return s.group.view.Load().homes[mark] != nil }

// home is the server that u is on, if it gets requests, or waits for one that tries it.
func (v *view[T]) home(u User, tried []*Server[T]) *Server[T] {
	if u.Server == 0 {
		return nil
	}
	if s := v.homes[u.Server]; s != nil && !slices.Contains(tried, s) {
		return s
	}
	for _, s := range v.trials {
		if s.Marked(u.Server) {
			return s.onTrial(tried)
		}
	}
	return nil
}

// ranked is the first of u's ranking that was not tried. An ejected server that may be tried again is
// one of them, but only whom it would get tries it.
func (g *Group[T]) ranked(v *view[T], u User, tried []*Server[T]) *Server[T] {
	first, score := g.first(v.servers, v.warm, u.Rank, tried)
	for _, s := range v.trials {
		if u.Server == 0 && (first == nil || s.score(u.Rank, 1) < score) {
			if s := s.onTrial(tried); s != nil {
				return s
			}
		}
	}
	if first == nil {
		first, _ = g.first(v.rest, nil, u.Rank, tried)
	}
	return first
}

func (g *Group[T]) first(servers []*Server[T], warm []time.Time, rank uint64, tried []*Server[T]) (best *Server[T], least float64) {
	now := time.Time{}
	if warm != nil {
		now = time.Now()
	}
	for i, s := range servers {
		if slices.Contains(tried, s) {
			continue
		}
		weight := 1.0
		if warm != nil {
			weight = g.weight(warm[i], now)
		}
		if score := s.score(rank, weight); best == nil || score < least {
			best, least = s, score
		}
	}
	return best, least
}

// score is the time at which an exponential clock of the server's and the user's own rings that runs at
// the server's weight: the first to ring is each server with a chance of its part of all weights, and a
// weight that grows takes users from others but gives them none.
func (s *Server[T]) score(rank uint64, weight float64) float64 {
	h := rank ^ s.place
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9 // the finaliser of SplitMix64
	h = (h ^ h>>27) * 0x94d049bb133111eb
	h ^= h >> 31
	return -math.Log((float64(h>>11)+0.5)/(1<<53)) / weight
}

// placeOf is what rankings make of a server's ID: the same in every process.
func placeOf(id string) uint64 { return xxhash.Sum64String(id) }

// homesOf are the servers by their marks; nil when they have none.
func homesOf[T io.Closer](servers []*Server[T]) map[uint64]*Server[T] {
	var homes map[uint64]*Server[T]
	for _, s := range servers {
		for _, mark := range s.marks {
			if homes == nil {
				homes = make(map[uint64]*Server[T], len(servers))
			}
			homes[mark] = s
		}
	}
	return homes
}
