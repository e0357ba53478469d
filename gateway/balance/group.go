package balance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Resolver looks names up. *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

var _ Resolver = (*net.Resolver)(nil)

// Checker is what a group's T must be when Config.Health is set.
type Checker interface {
	// Check asks the server for path, with host as Host header unless it is empty, over a connection
	// as requests have it. It returns nil for a status from 200 to 399.
	Check(ctx context.Context, path, host string) error
}

// Options are what a group needs beside its Config.
type Options struct {
	// Name is the backend's, for errors and logs.
	Name string
	// Resolver looks names up; nil: net.DefaultResolver.
	Resolver Resolver
	// Logger hears of servers that come, go, fail and are back; nil: nobody does.
	Logger *slog.Logger
	// Drained are the IDs drained before the process started; they may belong to servers that are not
	// there at present.
	Drained []string
	// Former are the names of the group that this one takes the place of. What they led to stays in use
	// while a name cannot be looked up.
	Former []NameStatus
	// Unhealthy are the IDs that the checks of the former group have found unhealthy. They are out until the
	// first check of this one.
	Unhealthy []string
	// Marks name a server, given its ID, in the cookies of users who stay on it: the first is for new
	// cookies. None is 0.
	Marks func(id string) []uint64
}

// Group is the servers of one backend. Its methods are safe for concurrent use.
type Group[T io.Closer] struct {
	config   Config
	name     string
	log      *slog.Logger
	resolver Resolver
	open     func(Address) T
	marks    func(id string) []uint64
	view     atomic.Pointer[view[T]]
	early    atomic.Bool // Connected is being called
	allTried error

	mu      sync.Mutex
	names   []*name
	servers []*Server[T]          // present, in the order of the configuration
	leaving map[string]*Server[T] // gone from the names, with requests to finish; by key
	drained map[string]bool       // IDs
	slow    *time.Timer           // publishes a view without slow start
	allDown bool
	ended   bool
	running context.Context // Run's, while it runs
	checks  sync.WaitGroup
}

// New makes a group of cfg's servers. Names are looked up before it returns, for at most 5 seconds; one
// that cannot be is no error, it is tried again. open makes what connects to one server; it is called
// with the group locked and must not call the group. When a server has left and its last request is
// done, what open returned is closed.
func New[T io.Closer](cfg Config, o Options, open func(Address) T) (*Group[T], error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("backend %q: %w", o.Name, err)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Resolver == nil {
		o.Resolver = net.DefaultResolver
	}
	if _, ok := any(*new(T)).(Checker); cfg.Health != nil && !ok && any(*new(T)) != nil {
		return nil, fmt.Errorf("backend %q: health: connections of type %T cannot be checked", o.Name, *new(T))
	}
	g := &Group[T]{
		config: cfg, name: o.Name, log: o.Logger, resolver: o.Resolver, open: open, marks: o.Marks,
		allTried: fmt.Errorf("backend %q: %w: every one has been tried", o.Name, ErrNoServer),
		leaving:  map[string]*Server[T]{}, drained: map[string]bool{},
	}
	for _, id := range o.Drained {
		g.drained[id] = true
	}
	g.slow = time.AfterFunc(time.Hour, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.rebuild()
	})
	g.slow.Stop()
	for _, text := range cfg.Servers {
		base, _ := parseServer(text) // Validate did
		n := newName(base)
		n.inherit(o.Former)
		g.names = append(g.names, n)
	}
	ctx, cancel := context.WithTimeout(context.Background(), lookupTimeout)
	defer cancel()
	g.resolve(ctx, true)
	if cfg.Health != nil {
		g.distrust(o.Unhealthy)
	}
	return g, nil
}

// distrust keeps servers out until their first check, which may be another than the one they failed.
func (g *Group[T]) distrust(unhealthy []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, s := range g.servers {
		if slices.Contains(unhealthy, s.ID) {
			s.health = healthUnknown
		}
	}
	g.rebuild()
}

// Run looks names up again every cfg.Resolve and checks the servers' health until ctx ends. It may
// be called once.
func (g *Group[T]) Run(ctx context.Context) {
	g.mu.Lock()
	g.running = ctx
	for _, s := range g.servers {
		g.startCheck(s)
	}
	g.mu.Unlock()
	defer g.checks.Wait()
	if g.config.Resolve == 0 || !g.hasNames() {
		<-ctx.Done()
	} else {
		g.keepResolving(ctx)
	}
	g.mu.Lock()
	g.running = nil
	g.mu.Unlock()
}

func (g *Group[T]) keepResolving(ctx context.Context) {
	ticker := time.NewTicker(g.config.Resolve)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			lookup, cancel := context.WithTimeout(ctx, lookupTimeout)
			g.resolve(lookup, false)
			cancel()
		}
	}
}

// Close lets every server leave: Pick fails from now on, and each server's connections are closed
// when its last request is done. The errors are those of connections that were idle.
func (g *Group[T]) Close() error {
	g.mu.Lock()
	g.ended = true
	g.slow.Stop()
	idle := g.apply(nil, false)
	g.mu.Unlock()
	return g.closeAll(idle)
}

// Ended reports whether the group is closed and its last request done.
func (g *Group[T]) Ended() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.ended && len(g.leaving) == 0
}

// apply makes wanted the servers that are present, and returns those that left without a request.
// The caller holds mu and closes them after it has let go.
func (g *Group[T]) apply(wanted []Address, start bool) (idle []*Server[T]) {
	present := map[string]*Server[T]{}
	for _, s := range g.servers {
		present[s.key()] = s
	}
	g.servers = make([]*Server[T], 0, len(wanted))
	for _, address := range wanted {
		key := address.key()
		s := present[key]
		switch {
		case s != nil:
			delete(present, key)
		case g.leaving[key] != nil:
			s = g.leaving[key]
			g.revive(s)
		default:
			s = g.add(address, start)
		}
		g.servers = append(g.servers, s)
	}
	for key, s := range present {
		s.leaving, s.since = true, time.Now()
		g.leaving[key] = s
		if s.stopCheck != nil {
			s.stopCheck()
		}
		g.log.Info("server left", "backend", g.name, "server", s.ID, "url", s.URL.String(), "inFlight", s.InFlight())
	}
	g.rebuild()
	for _, s := range present {
		s.watched.Store(true)
		s.shut.Store(true)
		if g.finish(s) {
			idle = append(idle, s)
		}
	}
	return idle
}

// add opens a server. Those of the start have their full weight and are healthy until checks say no.
func (g *Group[T]) add(address Address, start bool) *Server[T] {
	s := &Server[T]{Address: address, Conns: g.open(address), group: g, place: placeOf(address.ID), since: time.Now()}
	if g.marks != nil {
		s.marks = g.marks(s.ID)
	}
	s.drained = g.drained[s.ID]
	s.shut.Store(s.drained)
	if !start && g.config.SlowStart > 0 {
		s.warm = s.since
	}
	switch {
	case g.config.Health == nil:
		s.health = healthUnchecked
	case start:
		s.health = healthAssumed
	default:
		s.health = healthUnknown
	}
	g.log.Info("server found", "backend", g.name, "server", s.ID, "url", s.URL.String(), "drained", s.drained)
	g.startCheck(s)
	return s
}

// revive takes a server back that was leaving.
func (g *Group[T]) revive(s *Server[T]) {
	delete(g.leaving, s.key())
	s.leaving, s.since = false, time.Now()
	if g.config.SlowStart > 0 {
		s.warm = s.since
	}
	if g.config.Health != nil {
		s.health, s.good, s.bad = healthUnknown, 0, 0
	}
	s.drained = g.drained[s.ID]
	s.shut.Store(s.drained)
	s.watched.Store(len(s.idle) > 0)
	g.log.Info("server returned", "backend", g.name, "server", s.ID, "inFlight", s.InFlight())
	g.startCheck(s)
}

// finish reports whether s has left and is to be closed now. The caller holds mu.
func (g *Group[T]) finish(s *Server[T]) bool {
	if !s.leaving || s.closed || s.inFlight.Load() != 0 {
		return false
	}
	s.closed = true
	delete(g.leaving, s.key())
	if s.ejection != nil {
		s.ejection.Stop()
	}
	return true
}

// becameIdle tells who waits for s, and closes it if it has left.
func (g *Group[T]) becameIdle(s *Server[T]) {
	g.mu.Lock()
	last := g.finish(s)
	if s.inFlight.Load() == 0 {
		for _, c := range s.idle {
			close(c)
		}
		s.idle = nil
		s.watched.Store(s.leaving)
	}
	g.mu.Unlock()
	if last {
		_ = g.closeAll([]*Server[T]{s}) // it has logged what failed
	}
}

func (g *Group[T]) closeAll(idle []*Server[T]) error {
	var failures []error
	for _, s := range idle {
		if err := s.Conns.Close(); err != nil {
			g.log.Warn("closing a server's connections failed", "backend", g.name, "server", s.ID, "error", err)
			failures = append(failures, fmt.Errorf("backend %q: server %s: %w", g.name, s.ID, err))
		}
	}
	return errors.Join(failures...)
}
