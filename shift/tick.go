package shift

import (
	"context"
	"fmt"
	"time"

	"yadokari/judge"
)

// ticker is what the loop needs from tick to tick. Only the loop touches it.
type ticker struct {
	every  int // routes in no stage are looked at on one tick in so many
	turn   int
	window judge.Window
}

func (c *Controller) loop(ctx context.Context) {
	ticks := time.NewTicker(c.tick)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
			c.look()
		}
	}
}

// look visits every route in a stage, and a part of the others. A route whose lock is taken is being
// moved at this moment and is left to the next tick: nobody may hold up the other routes.
func (c *Controller) look() {
	now := time.Now()
	c.ticker.turn++
	for i, r := range *c.routes.Load() {
		if !r.active.Load() && (i+c.ticker.turn)%c.ticker.every != 0 {
			continue
		}
		if !r.mu.TryLock() {
			continue
		}
		next := c.visit(r, now)
		c.observe(r, r.record.place(), &c.ticker.window, now)
		if next != nil {
			// The data plane may take its time; the lock goes with the work.
			c.rollbacks.Go(func() {
				defer r.mu.Unlock()
				next()
			})
			continue
		}
		r.mu.Unlock()
	}
}

// visit collects what a route's sides have done and judges it. What has to be asked of the data plane
// is returned. The caller holds r.mu.
func (c *Controller) visit(r *route, now time.Time) func() {
	if r.gone {
		return nil
	}
	w := &c.ticker.window
	w.Reset()
	c.plane.Collect(r.name, w)
	w.Span = r.sinceCollected(now)
	r.minute.add(now, w)
	r.pace.add(now, w)
	r.news = r.news || !w.Empty()
	if r.refused != nil {
		return c.retry(r, now)
	}
	verdict := r.found.verdict
	switch r.record.State {
	case Done:
		if r.run != nil && r.run.Add(w) {
			return c.condemn(r, finding{verdict: Fail, evidence: r.minute.numbers(now), reason: r.broken()}, now)
		}
	case Shifting, Paused:
		r.stage.add(w)
		c.ask(r, w, now)
		// Words take longer to find than the verdict: they need not be new at every tick.
		if failed := r.trial.add(w); failed || !w.Empty() && now.Sub(r.worded) >= wording {
			r.found, r.worded = r.trial.finding(), now
		}
		if r.found.verdict == Fail {
			return c.condemn(r, r.found, now)
		}
		c.consider(r, now)
	}
	if verdict != r.found.verdict || r.active.Load() && now.Sub(r.published) >= r.told() {
		c.publish(r)
	}
	return nil
}

// told is how long what subscribers have been told of an active route stands. Without requests it ages as
// well: its rates fall, and a hold ends.
func (r *route) told() time.Duration {
	if r.news {
		return time.Second
	}
	return 5 * time.Second
}

// wording is how old the words of a verdict may be while requests come.
const wording = 200 * time.Millisecond

// sinceCollected is how long the window lasted that was collected now; 0 for the first, and when the clock was
// put back. The caller holds r.mu.
func (r *route) sinceCollected(now time.Time) time.Duration {
	span := now.Sub(r.collected)
	if r.collected.IsZero() {
		span = 0
	}
	r.collected = now
	return max(span, 0)
}

// broken says in words that the breaker of a route that is done has found a run of failures.
func (r *route) broken() string {
	b := r.run.Evidence()
	return fmt.Sprintf("%d requests of %d users on %s failed one after the other", b.Run, b.Users, r.config.To)
}

func (c *Controller) retry(r *route, now time.Time) func() {
	if now.Before(r.retryAt) {
		return nil
	}
	return func() {
		if c.apply(r, r.record.Placement()); r.refused == nil && r.trial != nil {
			c.judgeAnew(r) // what was counted until now was not of this placement
		}
		c.publish(r)
	}
}

// condemn returns the rollback of a route whose new side fails.
func (c *Controller) condemn(r *route, found finding, now time.Time) func() {
	return func() {
		r.found = found
		c.back(c.newChange(r, c.rolledBack(r, now), ActRollback, Automatic, found.reason, found.json(), now))
	}
}

// rolledBack is the record of a route after a rollback now. The caller holds r.mu.
func (c *Controller) rolledBack(r *route, now time.Time) Record {
	last := r.numbers(now)
	return Record{State: RolledBack, From: r.config.From, To: r.config.To, Since: now, Last: &last, Verdict: r.found.verdict}
}

// consider promotes a route by itself when everything is there for it. The caller holds r.mu.
func (c *Controller) consider(r *route, now time.Time) {
	ready := r.record.State == Shifting && r.config.Config.Promote == Auto && r.pending == nil &&
		r.passed(now) && !now.Before(r.promoteAfter)
	if !ready {
		return
	}
	next, err := c.promoted(r, now)
	if err != nil {
		return
	}
	// A controller that cannot save says so itself; the route waits.
	_ = c.forward(c.newChange(r, next, ActPromote, Automatic, r.found.reason, r.found.json(), now))
}

// passed says whether a stage has done all that a promotion asks for.
func (r *route) passed(now time.Time) bool {
	return r.found.verdict == Pass && r.holdLeft(now) <= 0 && r.missing() == 0
}

// missing is how many requests on the new side the stage still has to see; in mirror those that were
// compared count.
func (r *route) missing() uint64 {
	need, seen := uint64(r.config.Config.MinRequests), r.stage.new.Requests
	if r.record.Stage.Mirror {
		seen = r.stage.compared
	}
	return need - min(need, seen)
}

func (r *route) holdLeft(now time.Time) time.Duration {
	if r.config.Config == nil || (r.record.State != Shifting && r.record.State != Paused) {
		return 0
	}
	return max(0, r.record.Entered.Add(r.config.Config.Hold).Sub(now))
}

// promoted is the record of a route in its next stage. At the end it is done. The caller holds r.mu.
func (c *Controller) promoted(r *route, now time.Time) (Record, error) {
	next := r.record
	next.Since, next.Last = now, nil
	stage, more := following(r.stages, r.record.Stage.Share)
	if !more {
		next.State, next.Reference = Done, nil
		return next, nil
	}
	next.Stage, next.Entered = stage, now
	if stage.Share < 1 {
		return next, nil
	}
	var err error
	if reference := r.reference(); reference.Requests > 0 {
		next.Reference, err = writeReference(&reference)
	}
	return next, err
}

// reference is what the old side did in this journey.
func (r *route) reference() judge.Tally {
	var t judge.Tally
	t.Merge(&r.journey.old)
	t.Merge(&r.stage.old)
	return t
}

// enter makes a record the route's, and begins to count anew where it is another stage. The caller
// holds r.mu and has asked the data plane for the record's placement.
func (c *Controller) enter(r *route, next Record) {
	former := r.record
	r.record = next
	r.active.Store(next.State.watched())
	r.promoteAfter = time.Time{}
	judged := next.State == Shifting || next.State == Paused
	same := judged && former.Stage == next.Stage && r.trial != nil
	if same {
		return
	}
	// What ended under the former placement says nothing of this one.
	var w judge.Window
	c.plane.Collect(r.name, &w)
	c.observe(r, former.place(), &w, time.Now())
	if former.State.watched() && former.Stage.Share < 1 && next.State.watched() {
		r.journey.old.Merge(&r.stage.old)
	} else {
		r.journey = sums{}
	}
	r.pace.restart(time.Now())
	c.judgeAnew(r)
}

// judgeAnew begins the stage's evidence. The caller holds r.mu.
func (c *Controller) judgeAnew(r *route) {
	r.stage, r.trial, r.run, r.begun, r.worded = sums{}, nil, nil, time.Now(), time.Time{}
	if r.record.State == RolledBack {
		return // the verdict that ended it stays to be seen
	}
	r.found, r.counting.found, r.counting.next = finding{}, nil, time.Time{}
	if r.record.State == Done && r.config.Config != nil {
		r.run = judge.NewRun(uint64(r.config.Config.Breaker), true)
	}
	if r.record.State == Shifting || r.record.State == Paused {
		r.trial = c.judge(r.config, r.record.Stage, readReference(r.record.Reference))
		r.found = r.trial.finding()
	}
}
