package shift

import (
	"encoding/json"
	"fmt"
	"time"
)

// change is a step of one route on its way to the store. There are two kinds.
//
// A change that moves users forward is saved first and applied then: what nobody has on disk is not
// done. If saving fails it has not happened.
//
// A change that moves users back is applied first, and saved as often as it takes: it must not wait for
// a disk. It overtakes a forward change of the same route that is still being saved.
//
// A note (see Note) is of the second kind and has no route.
type change struct {
	route   *route // nil: a note
	next    Record
	entry   Entry // without Seq and From, which depend on what is saved before it
	applied bool  // users are back already: the second kind

	// Guarded by Controller.mu.
	overtaken bool          // a later change makes this one void; do not apply it
	err       error         // the outcome, once done is closed
	done      chan struct{} // closed when the change is in force and in the ledger, or has failed
}

func (c *Controller) newChange(r *route, next Record, action Action, by Actor, why string, evidence json.RawMessage, now time.Time) *change {
	next.By, next.Why, next.Evidence = by.Name, why, evidence
	return &change{
		route: r, next: next, done: make(chan struct{}),
		entry: Entry{Time: now, Actor: by, Cluster: c.cluster, Route: r.name, Action: action,
			To: next.place(), Why: why, Evidence: evidence},
	}
}

// forward hands a change to the clerk, which saves and then applies it. The caller holds r.mu.
func (c *Controller) forward(ch *change) error {
	c.mu.Lock()
	err := c.broken
	switch {
	case err == nil && c.stopped:
		err = ErrStopped
	case err == nil && len(c.outbox) >= mostOutbox:
		err = fmt.Errorf("nothing moves forward while the ledger cannot be written: %w", c.ledgerErr)
	}
	c.mu.Unlock()
	if err != nil {
		return fmt.Errorf("route %q: %w", ch.route.name, err)
	}
	ch.route.pending = ch
	c.enqueue(ch)
	return nil
}

// back moves users back now and hands the change to the clerk. The caller holds r.mu.
func (c *Controller) back(ch *change) *change {
	r := ch.route
	ch.applied = true
	c.apply(r, ch.next.Placement())
	c.overtake(r)
	r.unsaved.Add(1)
	c.enter(r, ch.next)
	c.enqueue(ch)
	c.publish(r)
	c.announce(ch.entry, ch.next)
	return ch
}

// overtake makes the change of r that is being saved void, if there is one. The caller holds r.mu.
func (c *Controller) overtake(r *route) {
	if r.pending == nil {
		return
	}
	c.mu.Lock()
	r.pending.overtaken = true
	c.mu.Unlock()
	r.pending = nil
}

// apply makes a placement the route's. When the data plane refuses it, the route says so and the
// control loop tries again until it is in force. The caller holds r.mu.
func (c *Controller) apply(r *route, p Placement) {
	err := c.plane.Apply(r.name, p)
	if err != nil && (r.refused == nil || r.refused.Error() != err.Error()) {
		c.logger.Error("the data plane refuses a placement; trying again", "route", r.name, "share", p.Share, "error", err)
	}
	r.refused = err
	if err == nil {
		r.inForce = p
	}
	r.retryAt = time.Now().Add(retryApply)
}

func (c *Controller) enqueue(ch *change) {
	c.mu.Lock()
	c.queue = append(c.queue, ch)
	c.mu.Unlock()
	c.wake()
}

// finish settles a change's outcome, once.
func (c *Controller) finish(ch *change, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-ch.done:
	default:
		ch.err = err
		close(ch.done)
	}
}

func (c *Controller) announce(e Entry, next Record) {
	c.logger.Info("route moved", "route", e.Route, "action", e.Action, "state", next.State, "stage", next.Stage.Name,
		"share", next.Stage.Share.String(), "actor", e.Actor.Name, "why", e.Why, "evidence", e.Evidence)
}
