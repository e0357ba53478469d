package shift

import (
	"encoding/json"
	"fmt"
	"time"

	"yadokari/judge"
	"yadokari/setting"
)

// Status is how one route is at one moment, for people and programs.
type Status struct {
	Route string `json:"route"`
	// From and To are the names of the backends of the old and the new side.
	From  string        `json:"from"`
	To    string        `json:"to"`
	State State         `json:"state"`
	Stage string        `json:"stage"` // mirror or a share; empty in no stage
	Share setting.Share `json:"share"`
	// Verdict is pass, fail or not enough traffic: of the stage, or, after a rollback, the one at that
	// moment. Empty when nothing is judged.
	Verdict string `json:"verdict"`
	// Reason says in words what the verdict, or else the last change, was made from.
	Reason string `json:"reason"`
	// Numbers are of the stage; after a rollback of the stage that it ended; while idle or done of
	// about the last minute.
	Numbers
	// Rates are requests a second of both sides over the last minute at most.
	Rates Rates `json:"rates"`
	// Since is when State was entered; for a route that never moved, when this process started.
	Since time.Time `json:"since"`
	// Hold is what is left of the stage's least time, in seconds.
	Hold float64 `json:"holdRemaining"`
	// Promote is auto or manual; empty without a shift.
	Promote string   `json:"promote"`
	Stages  []string `json:"stages"`
	// Next says what will happen next, or what it waits for and until when.
	Next string `json:"next"`
	// By and Why say who made the last change, and why.
	By  string `json:"by,omitempty"`
	Why string `json:"why,omitempty"`
	// Evidence is the verdict's, or that of the last change when nothing is judged.
	Evidence json.RawMessage `json:"evidence,omitempty"`
	// Problem says what is not as it should be: the state is not saved or not loaded, or the data
	// plane does not take the share. Empty when all is well.
	Problem string `json:"problem,omitempty"`
}

// Status is how the named route is now.
func (c *Controller) Status(name string) (Status, error) {
	r, err := c.route(name)
	if err != nil {
		return Status{}, err
	}
	return c.status(r), nil
}

// Statuses is how all routes are now, sorted by name.
func (c *Controller) Statuses() []Status {
	routes := *c.routes.Load()
	all := make([]Status, len(routes))
	for i, r := range routes {
		all[i] = c.status(r)
	}
	return all
}

// History returns entries of the ledger, newest first.
func (c *Controller) History(f Filter) ([]Entry, error) { return c.ledger.Read(f) }

func (c *Controller) status(r *route) Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := c.describe(r, time.Now())
	s.Evidence = r.evidence()
	return s
}

// evidence is the verdict's, or that of the last change when nothing is judged. The caller holds r.mu.
func (r *route) evidence() json.RawMessage {
	if r.record.State != RolledBack {
		if text := r.found.json(); text != nil {
			return text
		}
	}
	return r.record.Evidence
}

// describe makes a route's status without its evidence, which takes longer to write than all the rest.
// The caller holds r.mu.
func (c *Controller) describe(r *route, now time.Time) Status {
	s := Status{
		Route: r.name, From: r.config.From, To: r.config.To,
		State: r.record.State, Stage: r.record.Stage.Name, Share: r.record.Stage.Share,
		Verdict: r.found.verdict, Reason: r.found.reason, Numbers: r.numbers(now), Rates: r.pace.rates(now),
		Since: r.record.Since, Hold: r.holdLeft(now).Seconds(), Stages: []string{},
		By: r.record.By, Why: r.record.Why,
	}
	if r.config.Config != nil {
		s.Promote = r.config.Config.Promote
	}
	for _, stage := range r.stages {
		s.Stages = append(s.Stages, stage.Name)
	}
	if r.record.State == RolledBack {
		s.Verdict, s.Reason = r.record.Verdict, r.record.Why
	}
	if s.Reason == "" {
		s.Reason = r.record.Why
	}
	s.Problem = c.problemOf(r)
	s.Next = c.next(r, now)
	return s
}

// problemOf is the most pressing problem of a route. The caller holds r.mu.
func (c *Controller) problemOf(r *route) string {
	problem := c.problem()
	switch {
	case r.refused != nil:
		return fmt.Sprintf("the data plane still serves %s on %s, not %s: %v", r.inForce.Share, r.config.To, r.record.Placement().Share, r.refused)
	case r.unsaved.Load() > 0 && problem != nil:
		return "in force, but not yet saved: " + problem.Error()
	case r.unsaved.Load() > 0:
		return "in force, but not yet saved"
	case problem != nil:
		return problem.Error()
	}
	return ""
}

// numbers are those that Status shows. The caller holds r.mu.
func (r *route) numbers(now time.Time) Numbers {
	switch {
	case r.record.State == RolledBack && r.record.Last != nil:
		return *r.record.Last
	case r.trial != nil:
		return r.stage.numbers()
	}
	return r.minute.numbers(now)
}

// next says what will happen next. The caller holds r.mu.
func (c *Controller) next(r *route, now time.Time) string {
	if r.config.Config == nil {
		return fmt.Sprintf("nothing: the route has no shift and stays on %s", r.config.From)
	}
	if c.unloaded() != nil {
		return fmt.Sprintf("nothing: every user stays on %s until the state can be loaded", r.config.From)
	}
	if r.pending != nil {
		return fmt.Sprintf("%s as soon as it is saved", label(r.pending.next))
	}
	switch r.record.State {
	case Idle:
		return fmt.Sprintf("nothing until somebody starts it; the first stage is %s", r.stages[0].Name)
	case RolledBack:
		return fmt.Sprintf("nothing until somebody starts it anew; every user is on %s", r.config.From)
	case Done:
		return r.afterDone()
	case Paused:
		return "nothing until somebody resumes, promotes or rolls back; a failing new side rolls back by itself"
	}
	return r.nextStage(now)
}

func (r *route) afterDone() string {
	if r.config.Config.Breaker == 0 {
		return "nothing: the route is done, and its breaker is off"
	}
	return fmt.Sprintf("nothing: the route is done; %d failures on %s in a row still roll it back", r.config.Config.Breaker, r.config.To)
}

func (r *route) nextStage(now time.Time) string {
	after := "done"
	if stage, more := following(r.stages, r.record.Stage.Share); more {
		after = stage.Name
	}
	rates := r.pace.rates(now)
	if missing := r.missing(); missing > 0 {
		return fmt.Sprintf("%s after %d more requests on %s, %s", after, missing, r.config.To, r.until(missing, rates.New, now))
	}
	if need, rate, more := r.slowest(rates); more {
		return fmt.Sprintf("%s after %d more %s, %s, if the verdict is pass", after, need.Want-need.Have, need.What, r.until(need.Want-need.Have, rate, now))
	}
	if hold := r.holdLeft(now); hold > 0 {
		return fmt.Sprintf("%s at %s, in %s, if the verdict is pass", after, now.Add(hold).Format(time.TimeOnly), hold.Round(time.Second))
	}
	switch {
	case r.found.verdict != Pass && r.record.Stage.Share == 1 && readReference(r.record.Reference) == nil:
		return "done when a person promotes: nothing is known of the old side to compare with"
	case r.found.verdict != Pass:
		return fmt.Sprintf("%s when the verdict is pass; more requests will tell", after)
	case r.config.Config.Promote == Manual:
		return fmt.Sprintf("%s when a person promotes", after)
	}
	return fmt.Sprintf("%s now", after)
}

// slowest is what the verdict will have to wait for the longest, of all that it counts, and the rate at which
// it comes. more is false when there is nothing, or when only time tells.
func (r *route) slowest(rates Rates) (need judge.Need, rate float64, more bool) {
	evidence, _ := r.found.evidence.(judge.Evidence)
	for _, n := range evidence.Missing {
		if n.Have >= n.Want {
			continue
		}
		comes := rates.New
		if n.Old {
			comes = rates.Old
		}
		if !more || float64(n.Want-n.Have)*rate > float64(need.Want-need.Have)*comes {
			need, rate, more = n, comes, true
		}
	}
	return need, rate, more
}

// until says when so many more requests will have come at this rate, and when the stage has been held for
// long enough if that is later.
func (r *route) until(missing uint64, rate float64, now time.Time) string {
	if rate == 0 {
		return "and none came in the last minute"
	}
	left := time.Duration(min(float64(missing)/rate, 1e7) * float64(time.Second))
	form := "which at %.3g a second is %s from now, at %s"
	if hold := r.holdLeft(now); hold > left {
		form, left = "which at %.3g a second will be there before the stage's hold ends, %s from now, at %s", hold
	}
	return fmt.Sprintf(form, rate, left.Round(time.Second), now.Add(left).Format(time.DateTime))
}

func label(r Record) string {
	if r.State == Shifting || r.State == Paused {
		return fmt.Sprintf("%s (%s)", r.Stage.Name, r.State)
	}
	return string(r.State)
}
