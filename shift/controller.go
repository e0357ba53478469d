package shift

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"yadokari/judge"
)

const (
	usualTick  = 50 * time.Millisecond
	idleEvery  = time.Second
	retryApply = 100 * time.Millisecond
	loadWait   = 10 * time.Second
	stopWait   = 2 * time.Second
)

// ErrStopped is returned by actions when Run has ended.
var ErrStopped = errors.New("the control loop has stopped")

var errOvertaken = errors.New("overtaken meanwhile by a rollback, or by a reload of the configuration")

// RouteConfig is one route as the controller needs it.
type RouteConfig struct {
	// Name is the route's name, the same as the data plane's.
	Name string
	// From and To are the names of the old and the new backend.
	From, To string
	// Config is the journey; nil: the route stays on From.
	Config *Config
}

// Options is what a Controller works with. All fields but Cluster, Logger, Observer, Counter and Tick are needed.
type Options struct {
	Routes []RouteConfig
	Plane  DataPlane
	Store  Store
	Ledger Ledger
	// Cluster is the service cluster's name, for the ledger.
	Cluster string
	// Logger gets one event for every change and problem; nil: slog.Default().
	Logger *slog.Logger
	// Observer is told of every window in which something ended, as it is collected and judged. It is
	// called by several goroutines, must be quick, and must not call the controller.
	Observer func(Observation)
	// Counter answers the queries of signals; nil: none are asked, and routes that have some wait.
	Counter Counter
	// Tick is how often routes in a stage are looked at; 0: 50 ms. It bounds the time from a bad
	// window to a rollback.
	Tick time.Duration
}

// Controller is the control loop of all routes. Its methods are safe for concurrent use.
//
// What is promised:
//   - A share grows only after the new share is on disk. A share falls before anything else is done.
//   - A route whose new side is condemned has share 0 within one tick of the window that showed it,
//     whatever the disk, the ledger, a subscriber or another route is doing.
//   - After a crash at any instant the state is that of the last saved change, and the ledger gets
//     every entry of it exactly once. What was learnt of the stage under way starts anew (its share
//     and its beginning are kept), except for the old side's reference of the 100% stage.
//   - A state that cannot be loaded at the start leaves every user on the old side and every action
//     refused, until it can be loaded; it is looked at again on a change and every few seconds.
//     A state that is damaged while the controller runs leaves users where they are: what is known
//     in memory is right, but nothing moves forward.
type Controller struct {
	plane   DataPlane
	store   Store
	ledger  Ledger
	cluster string
	logger  *slog.Logger
	tick    time.Duration
	judge   newTrial
	began   time.Time

	observer func(Observation)
	counter  Counter
	asked    chan struct{} // a place for each route whose signals are being asked for

	reloading sync.Mutex // held by Reload and by loading the store
	routes    atomic.Pointer[[]*route]
	byName    sync.Map // string to *route
	work      chan struct{}
	rollbacks sync.WaitGroup
	ticker    ticker
	hub       hub

	mu        sync.Mutex // a leaf: nothing else is locked while it is held
	stopped   bool
	queue     []*change
	committed map[string]Record // what the store holds; never changed in place
	revision  uint64            // of committed
	written   uint64            // the last revision this process wrote
	seq       uint64
	outbox    []Entry
	broken    error // the state could not be loaded at the start
	loadErr   error // it could not be loaded later
	saveErr   error
	saveSaid  string // the error of saving that was logged last
	ledgerErr error
}

// route is one route's live state.
type route struct {
	name    string
	active  atomic.Bool  // in a state that is looked at every tick
	unsaved atomic.Int32 // changes in force that are not on disk yet

	mu           sync.Mutex // taken before Controller.mu
	gone         bool       // no longer configured
	config       RouteConfig
	stages       []Stage
	record       Record    // in force
	inForce      Placement // what the data plane last took
	refused      error     // what the data plane said against record's placement
	retryAt      time.Time // when to ask it again
	pending      *change   // being saved
	promoteAfter time.Time // not before, after a promotion that failed

	trial     trial     // nil unless shifting or paused
	begun     time.Time // when what ends began to be counted for it
	found     finding
	stage     sums       // of the stage; what is older is in journey
	run       *judge.Run // the breaker of a route that is done
	counting  counting
	worded    time.Time // when the verdict was last put in words
	collected time.Time // when the data plane was last asked what it did
	journey   sums      // the old side in the stages of this journey that ended
	minute    minute
	pace      pace

	published time.Time // when subscribers last heard of it
	news      bool      // something was counted since
}

// New makes a controller and, before it returns, gives every route the placement its stored state
// asks for. The data plane must know the routes already. A mistake in the options is an error; a
// state that cannot be loaded is not: see Health.
func New(o Options) (*Controller, error) {
	if o.Plane == nil || o.Store == nil || o.Ledger == nil {
		return nil, errors.New("shift: a controller needs a data plane, a store and a ledger")
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Tick <= 0 {
		o.Tick = usualTick
	}
	c := &Controller{plane: o.Plane, store: o.Store, ledger: o.Ledger, cluster: o.Cluster, logger: o.Logger,
		tick: o.Tick, observer: o.Observer, counter: o.Counter, asked: make(chan struct{}, mostAsked), judge: judgeStage, began: time.Now(), work: make(chan struct{}, 1)}
	return c, c.begin(o.Routes)
}

func (c *Controller) begin(routes []RouteConfig) error {
	c.ticker.every = max(1, int(idleEvery/c.tick))
	c.broken = errors.New("the state is not loaded yet")
	ctx, cancel := context.WithTimeout(context.Background(), loadWait)
	defer cancel()
	_ = c.reload(ctx) // the error is kept, and shown by Health and in every Status
	return c.replace(routes)
}

// Run works until ctx ends, then saves what is not saved yet, for at most two seconds. Actions need
// a running controller. Run is called once. The data plane keeps the last placements.
func (c *Controller) Run(ctx context.Context) error {
	done := make(chan struct{})
	clerk, stop := context.WithCancel(context.Background())
	defer stop()
	go func() {
		defer close(done)
		c.clerk(clerk)
	}()
	c.loop(ctx)
	c.rollbacks.Wait()
	c.mu.Lock()
	c.stopped = true
	c.mu.Unlock()
	stop()
	timer := time.NewTimer(stopWait + time.Second)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
		return errors.New("shift: stopped without having saved the state: the store does not answer")
	}
	if err := c.problem(); err != nil {
		return fmt.Errorf("shift: stopped with a problem: %w", err)
	}
	return nil
}

// Health is nil while the state can be loaded and saved, and the ledger written. The data plane works
// on in any case.
func (c *Controller) Health() error { return c.problem() }

func (c *Controller) problem() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, err := range []error{c.broken, c.loadErr, c.saveErr} {
		if err != nil {
			return err
		}
	}
	if c.ledgerErr != nil {
		return fmt.Errorf("the ledger is not written yet: %w", c.ledgerErr)
	}
	return nil
}

// unloaded is why the state was never loaded, or nil.
func (c *Controller) unloaded() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.broken
}

func (c *Controller) wake() {
	select {
	case c.work <- struct{}{}:
	default: // it has not been picked up yet
	}
}

// route finds a route by name.
func (c *Controller) route(name string) (*route, error) {
	if r, ok := c.byName.Load(name); ok {
		return r.(*route), nil
	}
	var names []string
	for _, r := range *c.routes.Load() {
		if names = append(names, r.name); len(names) == 10 {
			names = append(names, "…")
			break
		}
	}
	return nil, &UnknownRouteError{Route: name, Known: names}
}

// UnknownRouteError is returned for a route that is not configured.
type UnknownRouteError struct {
	Route string
	Known []string // some that are
}

// Error names the route and some that exist.
func (e *UnknownRouteError) Error() string {
	return fmt.Sprintf("there is no route %q; there are: %s", e.Route, strings.Join(e.Known, ", "))
}

// setRoutes replaces the list, sorted by name.
func (c *Controller) setRoutes(routes []*route) {
	slices.SortFunc(routes, func(a, b *route) int { return strings.Compare(a.name, b.name) })
	c.routes.Store(&routes)
}
