package shift

import (
	"sync"
	"time"
)

// subscriptionBuffer is how many events a subscriber may be behind.
const subscriptionBuffer = 256

// Event is what a subscriber gets: one of these three.
type Event struct {
	// Status is a route's status after a change; nil in other events.
	Status *Status
	// Lagged says that what the subscriber knows is not whole: events were lost since the one before, or
	// the configuration has changed. Ask for all Statuses once.
	Lagged bool
	// Ledger is the number of the ledger's last entry, when it has just been written; 0 in other events. It
	// comes after the Status of the change: users are moved first, and written down then.
	Ledger uint64
}

// Subscription is a stream of changes. Close it when it is no longer read.
type Subscription struct {
	hub    *hub
	brief  bool
	events chan Event
	lagged bool // guarded by hub.mu
}

// Events is closed by Close. An event comes on every change of state, stage, verdict and problem, when
// the ledger has been written, after a Reload, and at most once a second while requests are counted on a
// route in a stage.
func (s *Subscription) Events() <-chan Event { return s.events }

// Close ends the subscription; twice does no harm.
func (s *Subscription) Close() {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	if _, open := s.hub.subscribers[s]; open {
		delete(s.hub.subscribers, s)
		close(s.events)
	}
}

// hub passes events on to subscribers and waits for none of them.
type hub struct {
	mu          sync.Mutex
	subscribers map[*Subscription]struct{}
}

// Subscribe begins a stream of changes. A subscriber that is more than 256 events behind loses events
// and is told so.
func (c *Controller) Subscribe() *Subscription { return c.subscribe(false) }

// SubscribeBrief is Subscribe for who shows many routes and no evidence: a Status may lack it, which
// spares the control loop most of the work.
func (c *Controller) SubscribeBrief() *Subscription { return c.subscribe(true) }

func (c *Controller) subscribe(brief bool) *Subscription {
	s := &Subscription{hub: &c.hub, brief: brief, events: make(chan Event, subscriptionBuffer)}
	c.hub.mu.Lock()
	defer c.hub.mu.Unlock()
	if c.hub.subscribers == nil {
		c.hub.subscribers = map[*Subscription]struct{}{}
	}
	c.hub.subscribers[s] = struct{}{}
	return s
}

// wants says whether there is a subscriber, and one that wants evidence.
func (h *hub) wants() (status, evidence bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.subscribers {
		evidence = evidence || !s.brief
	}
	return len(h.subscribers) > 0, evidence
}

// send never blocks: nobody else sends while mu is held, so a place that is free stays free. The last place of a
// buffer is for the word that events were lost.
func (h *hub) send(e Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.subscribers {
		free := cap(s.events) - len(s.events)
		switch {
		case free > 1:
			s.lagged = false
			s.events <- e
		case free == 1 && !s.lagged:
			s.lagged = true
			s.events <- Event{Lagged: true}
		}
	}
}

// publish tells subscribers how a route is now. The caller holds r.mu.
func (c *Controller) publish(r *route) {
	now := time.Now()
	r.published, r.news = now, false
	wanted, evidence := c.hub.wants()
	if !wanted {
		return
	}
	status := c.describe(r, now)
	if evidence {
		status.Evidence = r.evidence()
	}
	c.hub.send(Event{Status: &status})
}
