package upstream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"yadokari/mailrelay/wire"
)

// Options are what a Pool needs beside its Config.
type Options struct {
	Hostname    string        // our name in EHLO
	Unreachable time.Duration // the longest time an address that failed is left out
	Logger      *slog.Logger

	// Resolve finds the addresses of a name; nil: the system's resolver.
	Resolve func(ctx context.Context, host string) ([]netip.Addr, error)
	// Dial connects; nil: a net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Pool keeps the connections to a mail server. Its methods may be called from many goroutines.
type Pool struct {
	config     Config
	hostname   string
	host       string
	port       uint16
	most       time.Duration
	log        *slog.Logger
	dial       func(ctx context.Context, network, address string) (net.Conn, error)
	resolve    func(ctx context.Context, host string) ([]netip.Addr, error)
	ctx        context.Context // ends with Close
	cancel     context.CancelFunc
	background sync.WaitGroup

	mu         sync.Mutex
	endpoints  []*endpoint
	open       int
	waiters    []chan struct{}
	resolving  bool
	resolved   time.Time // when the next look-up is due
	unresolved error     // of the last look-up
	closed     bool
}

// Unreachable is the error of Get when no address can be reached.
type Unreachable struct {
	Until time.Time // when one is tried again
	Cause error
}

// Error names the cause.
func (u *Unreachable) Error() string {
	return fmt.Sprintf("no mail server can be reached: %v", u.Cause)
}

// Unwrap is the cause.
func (u *Unreachable) Unwrap() error { return u.Cause }

// ErrClosed is the error of Get after Close.
var ErrClosed = errors.New("upstream: closed")

// New returns a pool without connections. The Config must be valid.
func New(config Config, o Options) (*Pool, error) {
	host, port, err := net.SplitHostPort(config.Address)
	if err != nil {
		return nil, fmt.Errorf("upstream: %w", err)
	}
	number, err := net.LookupPort("tcp", port)
	if err != nil {
		return nil, fmt.Errorf("upstream: port: %w", err)
	}
	p := &Pool{
		config: config, hostname: o.Hostname, host: host, port: uint16(number), most: max(o.Unreachable, time.Second),
		log: o.Logger, dial: o.Dial, resolve: o.Resolve,
	}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	if p.dial == nil {
		p.dial = (&net.Dialer{}).DialContext
	}
	if p.resolve == nil {
		p.resolve = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	return p, nil
}

// Get returns a connection to the address with the least expected wait. It waits while all allowed
// connections are in use; it does not wait for a server that cannot be reached: see Unreachable.
func (p *Pool) Get(ctx context.Context) (*Conn, error) {
	for {
		c, e, waiter, err := p.next(time.Now())
		switch {
		case err != nil:
			return nil, err
		case c != nil:
			return c, nil
		case e != nil:
			if c, err := p.openTo(ctx, e); err == nil || ctx.Err() != nil {
				return c, err
			}
		default:
			select {
			case <-waiter:
			case <-ctx.Done():
				p.forsake(waiter)
				return nil, ctx.Err()
			}
		}
	}
}

// Await is Get, but it also waits for a server that cannot be reached.
func (p *Pool) Await(ctx context.Context) (*Conn, error) {
	for {
		c, err := p.Get(ctx)
		var unreachable *Unreachable
		if !errors.As(err, &unreachable) {
			return c, err
		}
		timer := time.NewTimer(time.Until(unreachable.Until))
		change := p.change()
		select {
		case <-timer.C:
		case <-change:
		case <-ctx.Done():
		}
		timer.Stop()
		if ctx.Err() != nil {
			p.forsake(change)
			return nil, ctx.Err()
		}
		p.unlist(change) // we look ourselves
	}
}

// change is closed when there may be something new; at once if a server may be tried.
func (p *Pool) change() chan struct{} {
	waiter := make(chan struct{})
	if _, down := p.Down(); !down {
		close(waiter)
		return waiter
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiters = append(p.waiters, waiter)
	return waiter
}

// next decides what Get does: use a connection, open one, or wait.
func (p *Pool) next(now time.Time) (*Conn, *endpoint, chan struct{}, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, nil, nil, ErrClosed
	}
	p.lookUp(now)
	p.retire(now)
	e := p.pick(now)
	switch {
	case e != nil && len(e.idle) > 0:
		c := e.idle[len(e.idle)-1]
		e.idle = e.idle[:len(e.idle)-1]
		e.busy++
		return c, nil, nil, nil
	case e != nil:
		e.open++
		e.busy++
		e.trying++
		p.open++
		return nil, e, nil, nil
	}
	if err := p.unreachable(now); err != nil {
		return nil, nil, nil, err
	}
	waiter := make(chan struct{})
	p.waiters = append(p.waiters, waiter)
	return nil, nil, waiter, nil
}

// pick is the address with the least cost of those that have a connection to give or may open one.
func (p *Pool) pick(now time.Time) *endpoint {
	var best *endpoint
	var least float64
	for _, e := range p.endpoints {
		if len(e.idle) == 0 && (p.open >= p.config.Connections || !e.usable(now)) || e.gone {
			continue
		}
		cost := e.cost(now)
		if best == nil || cost < least || cost == least && len(e.idle) > len(best.idle) {
			best, least = e, cost
		}
	}
	return best
}

// unreachable is an error if waiting for a connection would be in vain.
func (p *Pool) unreachable(now time.Time) error {
	trying := slices.ContainsFunc(p.endpoints, func(e *endpoint) bool { return e.trying > 0 })
	if trying || p.open >= p.config.Connections || p.resolving && len(p.endpoints) == 0 {
		return nil // there will be an answer soon, or a connection must be given back first
	}
	u := &Unreachable{Until: p.resolved, Cause: p.unresolved}
	for _, e := range p.endpoints {
		if e.cause != nil && (u.Cause == nil || e.downUntil.Before(u.Until)) {
			u.Until, u.Cause = e.downUntil, e.cause
		}
	}
	if u.Cause == nil {
		return nil
	}
	u.Until = later(u.Until, now.Add(time.Millisecond))
	return u
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Down tells whether no address can be reached, as far as is known, and until when none is tried.
func (p *Pool) Down() (until time.Time, down bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if len(p.endpoints) == 0 {
		return p.resolved, p.unresolved != nil && now.Before(p.resolved)
	}
	for _, e := range p.endpoints {
		if e.failures == 0 || !now.Before(e.downUntil) {
			return time.Time{}, false
		}
		if until.IsZero() || e.downUntil.Before(until) {
			until = e.downUntil
		}
	}
	return until, true
}

// openTo opens a connection to an address that next has chosen.
func (p *Pool) openTo(ctx context.Context, e *endpoint) (*Conn, error) {
	c, err := p.connect(ctx, e)
	p.mu.Lock()
	defer p.mu.Unlock()
	e.trying--
	if err == nil {
		if e.failures > 0 {
			p.wakeAll() // the next may try
		}
		return c, nil
	}
	e.open--
	e.busy--
	p.open--
	if ctx.Err() == nil {
		e.fail(err, time.Now(), p.most)
		p.log.Warn("mail server cannot be reached", "address", e.addr.String(), "error", err.Error(), "failures", e.failures)
	}
	p.wakeAll()
	return nil, err
}

// Deliver sends a mail over a connection from Get, which then belongs to the pool again. It returns an
// answer for each recipient, or an error if the connection failed and nothing is known; see ErrUncertain.
func (p *Pool) Deliver(ctx context.Context, c *Conn, m *Mail) ([]wire.Reply, error) {
	for {
		start := time.Now()
		answers, err := c.send(ctx, m)
		now := time.Now()
		if errors.Is(err, errStale) && ctx.Err() == nil {
			p.put(c, now, 0, nil)
			if c, err = p.Get(ctx); err != nil {
				return nil, err
			}
			continue
		}
		failure := err
		if ctx.Err() != nil {
			failure = nil // our doing, not the server's
		}
		p.put(c, now, now.Sub(start), failure)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.Peer(), err)
		}
		return answers, nil
	}
}

// Put gives back a connection from Get that was not used.
func (p *Pool) Put(c *Conn) { p.put(c, time.Now(), 0, nil) }

// put takes a connection back. took is zero if it says nothing about the server.
func (p *Pool) put(c *Conn, now time.Time, took time.Duration, failure error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := c.from
	e.busy--
	if failure != nil {
		e.fail(failure, now, p.most)
		p.log.Warn("mail server failed", "address", e.addr.String(), "error", failure.Error(), "failures", e.failures)
	} else if took > 0 && !c.broken {
		e.observe(took, now)
	}
	c.idleSince = now
	if p.closed || e.gone || p.worn(c, now) {
		p.drop(c)
	} else {
		e.idle = append(e.idle, c)
	}
	if failure != nil {
		p.wakeAll() // nobody is to wait for a connection to an address that is left out from now on
	} else {
		p.wakeOne()
	}
}
