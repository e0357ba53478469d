package balance

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// ErrNoServer is what Pick's errors wrap: no server of the backend may get the request.
var ErrNoServer = errors.New("no server")

// view is what Pick needs to know. It never changes once it is published.
type view[T io.Closer] struct {
	servers []*Server[T]          // get requests
	warm    []time.Time           // nil, or when each of servers began its slow start
	trials  []*Server[T]          // ejected, and one request may try them
	rest    []*Server[T]          // unhealthy or ejected: only for a request that tried all of servers
	none    error                 // why servers is empty
	tried   error                 // for a request that tried everything
	homes   map[uint64]*Server[T] // servers by their marks, where users stay on one; else nil
}

// failure is why no server is left for a request.
func (v *view[T]) failure() error {
	if v.none != nil {
		return v.none
	}
	return v.tried
}

// Pick chooses the server for a request: of two at random the one with fewer requests in flight
// (Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", IEEE TPDS 2001), each at its
// weight during slow start. Servers in tried are left out: those the request could not connect to.
// Unhealthy and ejected servers get requests only when there are no others left, because a check may
// be wrong; drained ones get none. The request counts as in flight until the server's Done. The error
// wraps ErrNoServer.
func (g *Group[T]) Pick(tried ...*Server[T]) (*Server[T], error) {
	for {
		v := g.view.Load()
		s := v.onTrial(tried)
		switch {
		case s != nil:
		case len(tried) > 0:
			if s = g.among(v.servers, v.warm, tried); s == nil {
				s = g.among(v.rest, nil, tried)
			}
		case v.warm != nil:
			s = g.weighted(v)
		default:
			s = lessLoaded(v.servers)
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

// Serves reports whether the group has a server that gets requests.
func (g *Group[T]) Serves() bool { return g.view.Load().none == nil }

// onTrial claims the one trial of an ejected server.
func (v *view[T]) onTrial(tried []*Server[T]) *Server[T] {
	for _, s := range v.trials {
		if s := s.onTrial(tried); s != nil {
			return s
		}
	}
	return nil
}

// onTrial claims the one trial of an ejected server; nil when there is none to be had.
func (s *Server[T]) onTrial(tried []*Server[T]) *Server[T] {
	if !slices.Contains(tried, s) && s.trial.CompareAndSwap(trialReady, trialTaken) {
		return s
	}
	return nil
}

// lessLoaded is the plain choice: two different ones, the less loaded wins, the first one a tie.
func lessLoaded[T io.Closer](servers []*Server[T]) *Server[T] {
	n := uint64(len(servers))
	if n < 2 {
		if n == 0 {
			return nil
		}
		return servers[0]
	}
	r := rand.Uint64()
	i, j := (r>>32)*n>>32, (r&(1<<32-1))*(n-1)>>32
	if j >= i {
		j++
	}
	a, b := servers[i], servers[j]
	if b.inFlight.Load() < a.inFlight.Load() {
		return b
	}
	return a
}

// weighted is the choice while some servers start slowly. The first one is drawn by weight; the second
// comes up against it with a chance of its own weight, and wins if it has fewer requests for its
// weight. So an idle backend is shared out exactly by weight, and a busy one still by load.
func (g *Group[T]) weighted(v *view[T]) *Server[T] {
	now, n := time.Now(), len(v.servers)
	if n == 1 {
		return v.servers[0]
	}
	first, weight := 0, 0.0
	for range 64 { // a draw succeeds with a chance of at least slowFloor: 64 fail once in 850
		first = rand.IntN(n)
		if weight = g.weight(v.warm[first], now); weight == 1 || rand.Float64() < weight {
			break
		}
	}
	a := v.servers[first]
	second := rand.IntN(n - 1)
	if second >= first {
		second++
	}
	b, rival := v.servers[second], g.weight(v.warm[second], now)
	if rival < 1 && rand.Float64() >= rival {
		return a
	}
	return lighter(a, weight, b, rival)
}

func lighter[T io.Closer](a *Server[T], weightA float64, b *Server[T], weightB float64) *Server[T] {
	if float64(b.inFlight.Load())*weightA < float64(a.inFlight.Load())*weightB {
		return b
	}
	return a
}

// among chooses for a request that tried some servers already: two of the others, drawn in one pass
// (reservoir sampling), are compared.
func (g *Group[T]) among(servers []*Server[T], warm []time.Time, tried []*Server[T]) *Server[T] {
	a, b, left := -1, -1, 0
	for i, s := range servers {
		if slices.Contains(tried, s) {
			continue
		}
		left++
		switch r := rand.IntN(left); {
		case left == 1:
			a = i
		case left == 2:
			b = i
		case r == 0:
			a = i
		case r == 1:
			b = i
		}
	}
	switch {
	case a < 0:
		return nil
	case b < 0:
		return servers[a]
	}
	if rand.Uint64()&1 == 0 {
		a, b = b, a
	}
	weightA, weightB := 1.0, 1.0
	if warm != nil {
		now := time.Now()
		weightA, weightB = g.weight(warm[a], now), g.weight(warm[b], now)
	}
	return lighter(servers[a], weightA, servers[b], weightB)
}

// rebuild publishes a new view. The caller holds mu.
func (g *Group[T]) rebuild() {
	v := &view[T]{tried: g.allTried}
	now, slowUntil := time.Now(), time.Duration(0)
	warm := make([]time.Time, 0, len(g.servers))
	for _, s := range g.servers {
		up := s.health != healthBad && s.health != healthUnknown
		switch {
		case s.drained:
		case up && !s.ejected:
			v.servers = append(v.servers, s)
			if left := s.warm.Add(g.config.SlowStart).Sub(now); !s.warm.IsZero() && left > 0 {
				warm = append(warm, s.warm)
				slowUntil = max(slowUntil, left)
			} else {
				warm = append(warm, time.Time{})
			}
		default:
			v.rest = append(v.rest, s)
			if up && s.trial.Load() != trialNone {
				v.trials = append(v.trials, s)
			}
		}
	}
	allDown := len(v.servers) == 0 && len(v.rest) > 0
	if allDown {
		v.servers, v.rest, v.trials, slowUntil = v.rest, nil, nil, 0
	}
	if allDown != g.allDown {
		g.allDown = allDown
		if allDown {
			g.log.Warn("every server that is not drained is unhealthy or ejected: all of them get requests", "backend", g.name)
		} else {
			g.log.Info("no longer is every server unhealthy or ejected", "backend", g.name)
		}
	}
	if slowUntil > 0 {
		v.warm = warm
		g.slow.Reset(slowUntil)
	}
	if len(v.servers) == 0 {
		v.none = g.noServer()
	}
	v.homes = homesOf(v.servers)
	g.view.Store(v)
}

// noServer says why no server may get a request. The caller holds mu.
func (g *Group[T]) noServer() error {
	if g.ended {
		return fmt.Errorf("backend %q: %w: the backend is closed", g.name, ErrNoServer)
	}
	if n := len(g.servers); n > 0 {
		return fmt.Errorf("backend %q: %w: all %d are drained", g.name, ErrNoServer, n)
	}
	var why []string
	for _, n := range g.names {
		if n.failure != "" {
			why = append(why, n.failure)
		}
	}
	return fmt.Errorf("backend %q: %w: no name has an address: %s", g.name, ErrNoServer, strings.Join(why, "; "))
}
