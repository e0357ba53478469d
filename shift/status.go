package shift

import (
	"encoding/json"
	"fmt"
	"iter"
	"time"

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
	// Begun is when the evidence of the stage began: with the stage, or later, with this process or a changed
	// journey. Zero when nothing is judged.
	Begun time.Time `json:"judgedSince,omitzero"`
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

// Statuses yields how every route is now, sorted by name.
func (c *Controller) Statuses() iter.Seq[Status] {
	return func(yield func(Status) bool) {
		for _, r := range *c.routes.Load() {
			if !yield(c.status(r)) {
				return
			}
		}
	}
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
	if r.trial != nil {
		s.Begun = r.begun
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

func label(r Record) string {
	if r.State == Shifting || r.State == Paused {
		return fmt.Sprintf("%s (%s)", r.Stage.Name, r.State)
	}
	return string(r.State)
}
