package shift

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

const (
	firstRetry = 100 * time.Millisecond
	lastRetry  = 5 * time.Second
	// mostOutbox bounds what waits for a ledger that cannot be written. Beyond it nothing moves
	// forward; rollbacks are always taken, and there is at most one for each start.
	mostOutbox = 1000
)

// The clerk is the one goroutine that touches the store and the ledger, so that a slow disk holds up
// nobody else. It saves all changes that wait as one snapshot.
func (c *Controller) clerk(ctx context.Context) {
	news := c.store.Watch(ctx)
	retry := time.Duration(0)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			c.lastWords()
			return
		case _, open := <-news:
			if !open {
				news = nil
				continue
			}
			_ = c.reload(ctx) // the loop asks again, and says what is wrong through problem
		case <-c.work:
			if c.doubtful() && !c.urgent() {
				continue // a failing store is asked again by the timer, not by each new rollback
			}
		case <-timer.C:
		}
		if c.unloaded() != nil {
			_ = c.reload(ctx) // the loop asks again, and says what is wrong through problem
		}
		if c.commit(ctx) {
			retry = 0
			continue
		}
		retry = min(max(2*retry, firstRetry), lastRetry)
		timer.Reset(retry)
	}
}

// urgent says whether somebody waits for a forward change: it is tried, and fails, at once.
func (c *Controller) urgent() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.ContainsFunc(c.queue, func(ch *change) bool { return !ch.applied })
}

// commit saves what waits and writes the ledger. It reports whether nothing is left to be tried again.
func (c *Controller) commit(ctx context.Context) bool {
	for {
		batch, snapshot, ready := c.take()
		if !ready {
			return c.unloaded() == nil
		}
		idle := len(snapshot.Outbox) == 0 || c.mine(snapshot.Revision)
		if len(batch) == 0 && idle && !c.doubtful() {
			return c.writeLedger()
		}
		err := c.store.Save(ctx, snapshot)
		if err == nil {
			snapshot.Revision++
			c.saved(batch, snapshot)
			continue
		}
		c.unsaved(batch, err)
		if !errors.Is(err, ErrConflict) {
			return false
		}
		if c.reload(ctx) != nil {
			return false
		}
	}
}

// mine says whether this process wrote the stored revision: only then may it append to the ledger
// without saving first. The entries of an earlier process wait for a Save, which proves ownership.
func (c *Controller) mine(revision uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.written == revision && revision > 0
}

// doubtful says whether the last Save failed for a reason that only another Save can show to be gone. So
// a full disk is reported until there is room, also when nothing waits.
func (c *Controller) doubtful() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.saveErr != nil
}

// take returns the changes that wait and the snapshot with all of them, or false when nothing may be
// saved because the stored state could not be loaded. In that case forward changes fail.
func (c *Controller) take() ([]*change, Snapshot, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var batch, rest []*change
	for _, ch := range c.queue {
		switch {
		case ch.overtaken:
			ch.err = errOvertaken
			close(ch.done)
		case c.broken != nil:
			rest = append(rest, ch)
		default:
			batch = append(batch, ch)
		}
	}
	c.queue = rest
	if c.broken != nil {
		return nil, Snapshot{}, false
	}
	if len(batch) == 0 && (errors.Is(c.saveErr, ErrNotOwner) || errors.Is(c.saveErr, ErrConflict)) {
		c.saveErr = nil // the store is well, and nothing waits for it any more
	}
	return batch, c.compose(batch), true
}

// compose is the snapshot after the batch. The caller holds c.mu.
func (c *Controller) compose(batch []*change) Snapshot {
	s := Snapshot{Revision: c.revision, Seq: c.seq, Routes: c.committed, Outbox: slices.Clone(c.outbox)}
	if len(batch) > 0 {
		s.Routes = maps.Clone(c.committed)
	}
	for _, ch := range batch {
		s.Seq++
		e := ch.entry
		e.Seq = s.Seq
		if ch.route == nil {
			s.Outbox = append(s.Outbox, e)
			continue
		}
		e.From = Place{State: Idle}
		if former, known := s.Routes[e.Route]; known {
			e.From = former.place()
		}
		s.Routes[e.Route] = ch.next
		s.Outbox = append(s.Outbox, e)
	}
	return s
}

// saved puts a batch that is on disk in force, writes the ledger, and tells who waits.
func (c *Controller) saved(batch []*change, s Snapshot) {
	c.mu.Lock()
	c.committed, c.revision, c.written, c.seq, c.outbox = s.Routes, s.Revision, s.Revision, s.Seq, s.Outbox
	c.saveErr, c.saveSaid = nil, ""
	c.mu.Unlock()
	outcomes := make([]error, len(batch))
	for i, ch := range batch {
		outcomes[i] = c.settle(ch)
	}
	c.writeLedger()
	for i, ch := range batch {
		c.finish(ch, outcomes[i])
	}
}

// settle puts a saved change in force.
func (c *Controller) settle(ch *change) error {
	r := ch.route
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if ch.applied {
		if r.unsaved.Add(-1) == 0 {
			c.publish(r)
		}
		return nil
	}
	if c.void(ch) {
		if r.unsaved.Load() == 0 && !r.gone { // else what overtook it is saved next anyway
			c.revert(r, errOvertaken.Error())
		}
		return errOvertaken
	}
	r.pending = nil
	if err := c.plane.Apply(r.name, ch.next.Placement()); err != nil {
		c.logger.Error("the data plane refuses a placement; the route stays where it was", "route", r.name, "error", err)
		c.revert(r, fmt.Sprintf("the data plane refused it: %v", err))
		return fmt.Errorf("route %q: the data plane refused %s: %w", r.name, ch.next.Stage.Name, err)
	}
	r.inForce, r.refused = ch.next.Placement(), nil
	c.enter(r, ch.next)
	c.announce(ch.entry, ch.next)
	c.publish(r)
	return nil
}

func (c *Controller) void(ch *change) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return ch.overtaken
}

// revert takes back a change that was saved and is not in force: the former record is saved again. The
// caller holds r.mu.
func (c *Controller) revert(r *route, why string) {
	undo := c.newChange(r, r.record, ActRevert, Automatic, why, nil, time.Now())
	undo.next = r.record
	undo.applied = true
	r.unsaved.Add(1)
	r.promoteAfter = time.Now().Add(lastRetry)
	c.enqueue(undo)
	c.publish(r)
}

// unsaved deals with a batch that could not be saved: what moved users back stays in the queue, in
// front; what would have moved them forward has not happened.
func (c *Controller) unsaved(batch []*change, err error) {
	c.mu.Lock()
	said := c.saveSaid == err.Error()
	c.saveErr, c.saveSaid = err, err.Error()
	var kept []*change
	for _, ch := range batch {
		if ch.applied {
			kept = append(kept, ch)
		}
	}
	c.queue = append(kept, c.queue...)
	c.mu.Unlock()
	if !said { // not while c.mu is held: a log that hangs must not hold up a rollback
		c.logger.Error("the state is not saved", "error", err, "changes", len(batch))
	}
	for _, ch := range batch {
		if !ch.applied {
			c.drop(ch, fmt.Errorf("route %q: nothing has changed, since the state could not be saved: %w", ch.route.name, err))
		}
	}
}

// drop ends a forward change that did not happen.
func (c *Controller) drop(ch *change, err error) {
	r := ch.route
	r.mu.Lock()
	if r.pending == ch {
		r.pending = nil
		r.promoteAfter = time.Now().Add(time.Second)
		c.publish(r)
	}
	r.mu.Unlock()
	c.finish(ch, err)
}

// writeLedger appends what is committed and not yet in the ledger.
func (c *Controller) writeLedger() bool {
	c.mu.Lock()
	outbox := c.outbox
	c.mu.Unlock()
	if len(outbox) == 0 {
		return true
	}
	err := c.ledger.Append(outbox...)
	c.mu.Lock()
	former := c.ledgerErr
	c.ledgerErr = err
	if err == nil {
		c.outbox = nil
	}
	c.mu.Unlock()
	if err != nil && (former == nil || former.Error() != err.Error()) {
		c.logger.Error("the ledger is not written; the entries are kept with the state", "error", err, "entries", len(outbox))
	}
	if err == nil {
		c.hub.send(Event{Ledger: outbox[len(outbox)-1].Seq})
	}
	return err == nil
}

// lastWords saves what moved users back before the process ends, and tells who waits for the rest.
func (c *Controller) lastWords() {
	c.mu.Lock()
	waiting := c.queue
	c.queue = slices.DeleteFunc(slices.Clone(waiting), func(ch *change) bool { return !ch.applied })
	c.mu.Unlock()
	for _, ch := range waiting {
		if !ch.applied {
			c.drop(ch, ErrStopped)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopWait)
	defer cancel()
	c.commit(ctx)
}
