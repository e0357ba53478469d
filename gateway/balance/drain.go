package balance

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"yadokari/setting"
)

// Drain gives the server no new requests until Undrain; those under way go on. It holds for the ID, also
// when the server leaves and comes back. The error of an unknown id names those there are.
func (g *Group[T]) Drain(id string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	servers, err := g.find(id)
	if err != nil {
		return err
	}
	if g.drained[id] {
		return nil
	}
	g.drained[id] = true
	for _, s := range servers {
		s.drained, s.since = true, time.Now()
	}
	g.rebuild() // before shut: a Pick that finds a server shut reads the new view next
	for _, s := range servers {
		s.shut.Store(true)
	}
	g.log.Info("server drained", "backend", g.name, "server", id)
	return nil
}

// Undrain gives the server requests again, slowly at first.
func (g *Group[T]) Undrain(id string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	servers, err := g.find(id)
	if err != nil {
		return err
	}
	if !g.drained[id] {
		return nil
	}
	delete(g.drained, id)
	for _, s := range servers {
		s.drained = false
		s.shut.Store(s.leaving)
		if !s.leaving {
			g.back(s, "undrained")
		}
	}
	return nil
}

// Drained are the IDs that are drained, sorted, also of servers that are not there at present: what to
// keep for Options.Drained.
func (g *Group[T]) Drained() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Sorted(maps.Keys(g.drained))
}

// Wait returns when the server has no request in flight, upgraded connections included, or with ctx's
// error. It does not stop new ones: Drain does.
func (g *Group[T]) Wait(ctx context.Context, id string) error {
	for first := true; ; first = false {
		g.mu.Lock()
		servers, err := g.find(id)
		if err != nil && first {
			g.mu.Unlock()
			return err
		} // later: it has left, and its last request is done
		var idle chan struct{}
		left := 0
		for _, s := range servers {
			s.watched.Store(true) // before the count is read, see release
			n := s.InFlight()
			left += n
			if n > 0 && idle == nil {
				idle = make(chan struct{})
				s.idle = append(s.idle, idle)
			}
		}
		g.mu.Unlock()
		if idle == nil {
			return nil
		}
		select {
		case <-idle:
		case <-ctx.Done():
			g.forget(servers, idle)
			return fmt.Errorf("backend %q: server %s: %d requests in flight: %w", g.name, id, left, context.Cause(ctx))
		}
	}
}

// forget takes a waiter back that waits no longer.
func (g *Group[T]) forget(servers []*Server[T], idle chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, s := range servers {
		s.idle = slices.DeleteFunc(s.idle, func(c chan struct{}) bool { return c == idle })
	}
}

// find returns the servers with an ID: none for one that is drained and not there. The caller holds mu.
func (g *Group[T]) find(id string) (servers []*Server[T], err error) {
	known := map[string]bool{}
	for _, s := range g.everyServer() {
		known[s.ID] = true
		if s.ID == id {
			servers = append(servers, s)
		}
	}
	if len(servers) > 0 || g.drained[id] {
		return servers, nil
	}
	const most = 10
	ids := slices.Sorted(maps.Keys(known))
	hint := "there is none"
	if len(ids) > 0 {
		hint = "there are " + strings.Join(ids[:min(most, len(ids))], ", ")
		if len(ids) > most {
			hint += fmt.Sprintf(" and %d more", len(ids)-most)
		}
	}
	if nearest := setting.Nearest(id, ids); nearest != "" {
		hint = "did you mean " + nearest + "? " + hint
	}
	return nil, fmt.Errorf("backend %q has no server %q (%s)", g.name, id, hint)
}

// everyServer is those present, then those leaving. The caller holds mu.
func (g *Group[T]) everyServer() []*Server[T] {
	leaving := slices.SortedFunc(maps.Values(g.leaving), func(a, b *Server[T]) int {
		return strings.Compare(a.key(), b.key())
	})
	return slices.Concat(g.servers, leaving)
}
