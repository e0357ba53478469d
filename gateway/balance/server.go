package balance

import (
	"fmt"
	"io"
	"sync/atomic"
	"time"
)

// slowFloor is the weight at which slow start begins. At zero a server that nobody asks would never
// warm up.
const slowFloor = 0.1

// Outcome is what a request learnt about connecting to its server.
type Outcome uint8

const (
	// Undecided: the request ended before it was known, for instance because the client left.
	Undecided Outcome = iota
	// Connected: there was a connection, new or kept; how the request ended is no matter here.
	Connected
	// ConnectFailed: no connection came about, so not a byte was sent.
	ConnectFailed
)

// What a server's active check says.
const (
	healthUnchecked = "unchecked" // there is no active check
	healthAssumed   = "assumed"   // at the start: healthy until checks say otherwise
	healthUnknown   = "unknown"   // it is new and its first check has not ended
	healthGood      = "healthy"
	healthBad       = "unhealthy"
	healthAbsent    = "absent" // drained, and not among the servers at present
)

// The trial of an ejected server.
const (
	trialNone  int32 = iota // it is not due
	trialReady              // one request may try
	trialTaken              // one request is trying
)

// Server is one server of a group. Pick hands it out; the caller gives it back with Done.
type Server[T io.Closer] struct {
	Address
	// Conns is what the group's open returned for the address.
	Conns T

	group    *Group[T]
	place    uint64   // in rankings
	marks    []uint64 // see Options
	inFlight atomic.Int64
	shut     atomic.Bool  // gets no new requests: drained or leaving
	watched  atomic.Bool  // somebody wants to know when inFlight is 0
	suspect  atomic.Bool  // failures > 0 or ejected
	trial    atomic.Int32 // see trialNone

	// The rest is guarded by group.mu.
	drained, leaving, closed, ejected bool
	failures                          int // connects in a row
	ejection                          *time.Timer
	health                            string
	good, bad                         int       // checks in a row
	warm                              time.Time // slow start began; zero: none
	since                             time.Time // of its present state
	lastError                         string
	idle                              []chan struct{} // closed when inFlight is 0
	stopCheck                         func()
}

// InFlight is the number of requests, upgraded connections among them, that Pick gave to the server
// and that are not done.
func (s *Server[T]) InFlight() int { return int(s.inFlight.Load()) }

// take counts a request in, unless the server gets no new ones. The count goes first: whoever shuts
// the server and then reads the count either sees this request or has been seen by it.
func (s *Server[T]) take() bool {
	s.inFlight.Add(1)
	if s.shut.Load() {
		s.release()
		return false
	}
	return true
}

func (s *Server[T]) release() {
	if s.inFlight.Add(-1) == 0 && s.watched.Load() {
		s.group.becameIdle(s)
	}
}

// Connected may be called as soon as a new connection stands, so that a server on trial comes back
// while a long request is still under way. Once it has been called in a group, only it brings
// ejected servers back: Done may tell of a connection made long before.
func (s *Server[T]) Connected() {
	if !s.group.early.Load() {
		s.group.early.Store(true)
	}
	if s.suspect.Load() {
		s.group.connected(s, true)
	}
}

// Done ends a request that Pick gave to s; it must be called exactly once for each, with what is known
// about connecting.
func (s *Server[T]) Done(outcome Outcome) {
	switch outcome {
	case Connected:
		if s.suspect.Load() {
			s.group.connected(s, false)
		}
	case ConnectFailed:
		s.group.failed(s)
	default:
		s.trial.CompareAndSwap(trialTaken, trialReady)
	}
	s.release()
}

// connected takes note that a connect went well; fresh says that it was just now.
func (g *Group[T]) connected(s *Server[T], fresh bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	stale := !fresh && (g.early.Load() || s.trial.Load() == trialNone)
	if s.ejected && stale {
		return // the connection may be older than the failures
	}
	s.failures = 0
	s.suspect.Store(false)
	if !s.ejected {
		return
	}
	s.ejected = false
	s.trial.Store(trialNone)
	s.ejection.Stop()
	g.back(s, "a connect went well")
}

// failed takes note that a connect failed, and ejects the server when it was one too many.
func (g *Group[T]) failed(s *Server[T]) {
	g.mu.Lock()
	defer g.mu.Unlock()
	limit := g.config.Passive.Failures
	if limit == 0 || s.leaving {
		return
	}
	s.failures++
	s.suspect.Store(true)
	if s.ejected && s.trial.Load() != trialTaken || s.failures < limit {
		return
	}
	if !s.ejected {
		s.since = time.Now()
		s.lastError = fmt.Sprintf("%d connects failed in a row", s.failures)
		g.log.Warn("server ejected", "backend", g.name, "server", s.ID, "failures", s.failures, "for", g.config.Passive.Eject)
	}
	s.ejected = true
	s.trial.Store(trialNone)
	if s.ejection != nil {
		s.ejection.Stop()
	}
	s.ejection = g.afterEjection(s)
	g.rebuild()
}

// afterEjection lets one request try s when its time is over.
func (g *Group[T]) afterEjection(s *Server[T]) *time.Timer {
	var timer *time.Timer
	timer = time.AfterFunc(g.config.Passive.Eject, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if s.ejected && s.ejection == timer {
			s.trial.Store(trialReady)
			g.rebuild()
		}
	})
	return timer
}

// back starts s slowly, and says why it is back. The caller holds mu.
func (g *Group[T]) back(s *Server[T], why string) {
	s.since = time.Now()
	if g.config.SlowStart > 0 {
		s.warm = s.since
	}
	g.log.Info("server back", "backend", g.name, "server", s.ID, "why", why, "slowStart", g.config.SlowStart)
	g.rebuild()
}

// weight is the part of a full share that a server gets whose slow start began at warm: it grows in a
// straight line from slowFloor to 1.
func (g *Group[T]) weight(warm, now time.Time) float64 {
	elapsed := now.Sub(warm)
	if warm.IsZero() || elapsed >= g.config.SlowStart {
		return 1
	}
	return slowFloor + (1-slowFloor)*float64(elapsed)/float64(g.config.SlowStart)
}
