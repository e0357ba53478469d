package shift

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"yadokari/setting"
)

// saveWait is how long an action that has moved users back waits for the disk before it returns.
const saveWait = time.Second

// mostProblems bounds the error of an action on all routes.
const mostProblems = 10

// StateError is returned for an action that makes no sense in the state a route is in.
type StateError struct {
	Route  string
	Action Action
	State  State
	Remedy string
}

// Error names the route, its state and what to do.
func (e *StateError) Error() string {
	return fmt.Sprintf("route %q is %s, so there is nothing to %s: %s", e.Route, e.State, e.Action, e.Remedy)
}

// ErrBusy is returned for an action on a route while another change of it is being saved.
var ErrBusy = errors.New("another change of the route is being saved; look at its status and try again")

var errNoShift = errors.New("it has no journey: add a shift section to the route in yadokari.yaml and reload")

// Start begins the journey at the first stage, from idle or rolled-back.
//
// Like all actions that move users forward it returns when the change is saved and in force; on an
// error nothing has changed, unless ctx ended while the change was being saved, which the error says.
func (c *Controller) Start(ctx context.Context, name string, by Actor, why string) (Status, error) {
	return c.act(ctx, name, ActStart, by, why, func(r *route, now time.Time) (Record, Action, error) {
		switch r.record.State {
		case Shifting:
			return refuse(r, ActStart, "promote it to hurry it on")
		case Paused:
			return refuse(r, ActStart, "resume it, or roll it back to start from the beginning")
		case Done:
			return refuse(r, ActStart, "roll it back to start from the beginning")
		}
		return Record{State: Shifting, Stage: r.stages[0], Since: now, Entered: now}, ActStart, nil
	})
}

// Pause keeps the share and stops promotions. The new side is still judged and a failure still rolls
// back. Pausing a paused route changes nothing.
func (c *Controller) Pause(ctx context.Context, name string, by Actor, why string) (Status, error) {
	return c.act(ctx, name, ActPause, by, why, func(r *route, now time.Time) (Record, Action, error) {
		return c.toggle(r, ActPause, Shifting, Paused, now)
	})
}

// Resume goes on where Pause stopped. The stage keeps its evidence, and the time in the pause counts
// for its hold. Resuming a route that is shifting changes nothing.
func (c *Controller) Resume(ctx context.Context, name string, by Actor, why string) (Status, error) {
	return c.act(ctx, name, ActResume, by, why, func(r *route, now time.Time) (Record, Action, error) {
		return c.toggle(r, ActResume, Paused, Shifting, now)
	})
}

// Promote moves on to the next stage now, in manual mode after a pass or in any mode by force; the
// ledger tells the two apart and keeps the verdict's evidence. A paused route stays paused in its new
// stage. After the last stage the route is done.
func (c *Controller) Promote(ctx context.Context, name string, by Actor, why string) (Status, error) {
	return c.act(ctx, name, ActPromote, by, why, func(r *route, now time.Time) (Record, Action, error) {
		switch r.record.State {
		case Idle, RolledBack:
			return refuse(r, ActPromote, "start it")
		case Done:
			return refuse(r, ActPromote, "all its users are on the new side")
		}
		action := ActForce
		if r.passed(now) {
			action = ActPromote
		}
		next, err := c.promoted(r, now)
		return next, action, err
	})
}

// Set moves to any share by hand: 0% is idle, 100% is done, and anything between is paused at that
// share, so that it stays until somebody resumes (and then goes on to the next larger stage). A share
// that falls is in force before it is saved.
func (c *Controller) Set(ctx context.Context, name string, share setting.Share, by Actor, why string) (Status, error) {
	if !(share >= 0 && share <= 1) {
		return Status{}, fmt.Errorf("route %q: the share %s is not between 0%% and 100%%", name, share)
	}
	return c.act(ctx, name, ActSet, by, why, func(r *route, now time.Time) (Record, Action, error) {
		switch {
		case share == 0:
			return Record{State: Idle, Since: now}, ActSet, nil
		case share == 1:
			return Record{State: Done, Stage: stageAt(1), Since: now, Entered: now}, ActSet, nil
		}
		return Record{State: Paused, Stage: stageAt(share), Since: now, Entered: now}, ActSet, nil
	})
}

func refuse(r *route, action Action, remedy string) (Record, Action, error) {
	return Record{}, action, &StateError{Route: r.name, Action: action, State: r.record.State, Remedy: remedy}
}

// toggle is pause and resume. The record's own state means that nothing changes.
func (c *Controller) toggle(r *route, action Action, from, to State, now time.Time) (Record, Action, error) {
	switch r.record.State {
	case to:
		return r.record, action, nil
	case from:
		next := r.record
		next.State, next.Since = to, now
		return next, action, nil
	}
	return refuse(r, action, "only a route in a stage is paused and resumed")
}

// decide says what an action makes of a route. The caller holds r.mu.
type decide func(r *route, now time.Time) (next Record, action Action, err error)

func (c *Controller) act(ctx context.Context, name string, action Action, by Actor, why string, decide decide) (Status, error) {
	r, err := c.route(name)
	if err != nil {
		return Status{}, err
	}
	ch, err := c.propose(r, by, why, decide)
	if err != nil {
		return c.status(r), err
	}
	if ch != nil {
		err = c.await(ctx, ch)
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", action, err)
	}
	return c.status(r), err
}

// propose makes an action's change; nil when there is nothing to change.
func (c *Controller) propose(r *route, by Actor, why string, decide decide) (*change, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := c.unloaded(); err != nil {
		return nil, fmt.Errorf("route %q: %w", r.name, err)
	}
	switch {
	case r.gone:
		return nil, &UnknownRouteError{Route: r.name}
	case r.config.Config == nil:
		return nil, fmt.Errorf("route %q: %w", r.name, errNoShift)
	}
	now := time.Now()
	next, action, err := decide(r, now)
	if err != nil {
		return nil, err
	}
	next.From, next.To = r.config.From, r.config.To
	if next.State == r.record.State && next.Stage == r.record.Stage && r.pending == nil {
		return nil, nil
	}
	ch := c.newChange(r, next, action, by, why, r.found.json(), now)
	if next.Stage.Share < r.record.Stage.Share || !next.State.watched() {
		return c.back(ch), nil
	}
	if r.pending != nil {
		return nil, fmt.Errorf("route %q: %w", r.name, ErrBusy)
	}
	if err := c.forward(ch); err != nil {
		return nil, err
	}
	return ch, nil
}

// Rollback moves every user back to the old side now, whatever the state. It returns when the users
// are back; the disk is waited for at most a second, and Status.Problem says while it is not saved.
// An idle or rolled-back route stays as it is.
func (c *Controller) Rollback(ctx context.Context, name string, by Actor, why string) (Status, error) {
	r, err := c.route(name)
	if err != nil {
		return Status{}, err
	}
	ch, err := c.rollback(r, by, why)
	if ch != nil {
		err = c.await(ctx, ch)
	}
	return c.status(r), err
}

// RollbackAll is Rollback of every route that is not idle or rolled back already: all are moved before
// the disk is waited for. The statuses are those of the routes that were moved.
func (c *Controller) RollbackAll(ctx context.Context, by Actor, why string) ([]Status, error) {
	routes := *c.routes.Load()
	changes, problems := make([]*change, len(routes)), make([]error, len(routes))
	var moving sync.WaitGroup
	for i, r := range routes {
		moving.Go(func() { changes[i], problems[i] = c.rollback(r, by, why) })
	}
	moving.Wait()
	changes = slices.DeleteFunc(changes, func(ch *change) bool { return ch == nil })
	ctx, cancel := context.WithTimeout(ctx, saveWait) // for all together
	defer cancel()
	statuses := make([]Status, 0, len(changes))
	for _, ch := range changes {
		problems = append(problems, c.await(ctx, ch))
		statuses = append(statuses, c.status(ch.route))
	}
	problems = slices.DeleteFunc(problems, func(err error) bool { return err == nil })
	if n := len(problems); n > mostProblems {
		problems = append(problems[:mostProblems], fmt.Errorf("and %d more routes", n-mostProblems))
	}
	return statuses, errors.Join(problems...)
}

func (c *Controller) rollback(r *route, by Actor, why string) (*change, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.gone {
		return nil, nil
	}
	if err := c.unloaded(); err != nil {
		c.apply(r, Placement{})
		return nil, fmt.Errorf("route %q: every user is on the old side, but nothing is recorded: %w", r.name, err)
	}
	if !r.record.State.watched() && r.pending == nil {
		if r.refused != nil {
			c.apply(r, Placement{})
		}
		return nil, r.refusal()
	}
	now := time.Now()
	ch := c.back(c.newChange(r, c.rolledBack(r, now), ActRollback, by, why, r.found.json(), now))
	return ch, nil
}

// refusal is an error when the data plane has not taken the route's placement.
func (r *route) refusal() error {
	if r.refused == nil {
		return nil
	}
	return fmt.Errorf("route %q: the data plane refuses the share %s; trying again: %w", r.name, r.record.Placement().Share, r.refused)
}

// await waits for a change's outcome.
func (c *Controller) await(ctx context.Context, ch *change) error {
	if !ch.applied {
		return c.awaitForward(ctx, ch)
	}
	timer := time.NewTimer(saveWait)
	defer timer.Stop()
	select {
	case <-ch.done:
	case <-timer.C:
	case <-ctx.Done():
	}
	ch.route.mu.Lock()
	defer ch.route.mu.Unlock()
	return ch.route.refusal()
}

func (c *Controller) awaitForward(ctx context.Context, ch *change) error {
	select {
	case <-ch.done:
		return ch.err
	case <-ctx.Done():
	}
	r := ch.route
	c.mu.Lock()
	waiting := slices.Contains(c.queue, ch)
	c.mu.Unlock()
	if !waiting {
		return fmt.Errorf("route %q: the change is still being saved, look at the status to see what became of it: %w", r.name, context.Cause(ctx))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pending != ch {
		return fmt.Errorf("route %q: %w", r.name, errOvertaken)
	}
	c.overtake(r)
	return fmt.Errorf("route %q: nothing has changed, since the change could not be saved in time: %w", r.name, context.Cause(ctx))
}
