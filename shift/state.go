package shift

import (
	"encoding/json"
	"fmt"
	"time"

	"yadokari/setting"
)

// State is where a route is in its journey.
type State string

const (
	// Idle: the journey has not begun; every user is on the old side.
	Idle State = "idle"
	// Shifting: a stage is under way and is judged.
	Shifting State = "shifting"
	// Paused: the share stays until somebody resumes. The new side is still judged, and a failure
	// still rolls back.
	Paused State = "paused"
	// Done: every user is on the new side. There is nothing left to compare with, but the breaker
	// still rolls back, since the old side is still configured.
	Done State = "done"
	// RolledBack: every user is on the old side again, until somebody starts anew.
	RolledBack State = "rolled-back"
)

// watched says whether the new side serves or is tried in this state.
func (s State) watched() bool { return s == Shifting || s == Paused || s == Done }

func (s State) valid() bool { return s == Idle || s == RolledBack || s.watched() }

// Record is what is kept of one route over a restart.
type Record struct {
	State State `json:"state"`
	// Stage is the step the route is in; zero while idle and after a rollback.
	Stage Stage `json:"stage,omitzero"`
	// From and To are the backends this journey is between. A record of other backends does not
	// count: the share was earned by another new side.
	From string `json:"from"`
	To   string `json:"to"`
	// Since is when State was entered; Entered is when Stage was.
	Since   time.Time `json:"since"`
	Entered time.Time `json:"entered,omitzero"`
	// By and Why say who made the last change, and why.
	By  string `json:"by,omitempty"`
	Why string `json:"why,omitempty"`
	// Evidence is what the last change was decided on.
	Evidence json.RawMessage `json:"evidence,omitempty"`
	// Verdict is the verdict at the moment of a rollback.
	Verdict string `json:"verdict,omitempty"`
	// Last are the numbers of the stage that a rollback ended.
	Last *Numbers `json:"last,omitempty"`
	// Reference is what the old side did in the stages before 100%, as judge writes it, so that a
	// restart in the last stage still has something to compare with.
	Reference json.RawMessage `json:"reference,omitempty"`
}

// Placement is what a data plane is asked for in this record's state.
func (r Record) Placement() Placement {
	if !r.State.watched() {
		return Placement{}
	}
	return Placement{Share: r.Stage.Share, Mirror: r.Stage.Mirror, Pairs: r.State != Done && !r.Stage.Mirror, Ahead: true, To: r.To}
}

func (r Record) place() Place {
	return Place{State: r.State, Stage: r.Stage.Name, Share: r.Stage.Share}
}

// check refuses a record that no controller writes.
func (r Record) check() error {
	switch {
	case !r.State.valid():
		return fmt.Errorf("%q is not a state", r.State)
	case !(r.Stage.Share >= 0 && r.Stage.Share <= 1):
		return fmt.Errorf("the share %s is out of range", r.Stage.Share)
	case r.State == Done && r.Stage.Share != 1:
		return fmt.Errorf("the route is done at %s", r.Stage.Share)
	case !r.State.watched() && r.Stage != (Stage{}):
		return fmt.Errorf("the route is %s in stage %s", r.State, r.Stage.Name)
	case r.State.watched() && r.Stage.Name == "":
		return fmt.Errorf("the route is %s in no stage", r.State)
	case r.Stage.Mirror && r.Stage.Share != 0:
		return fmt.Errorf("the mirror stage has the share %s", r.Stage.Share)
	}
	return nil
}

// Place is one end of a change in the ledger.
type Place struct {
	State State         `json:"state"`
	Stage string        `json:"stage,omitempty"`
	Share setting.Share `json:"share"`
}

// Action is the kind of a change.
type Action string

// The kinds of changes.
const (
	ActStart    Action = "start"          // a journey began
	ActPromote  Action = "promote"        // the next stage, after a pass and the hold time
	ActForce    Action = "promote-forced" // the next stage, because a person wanted it without a pass
	ActPause    Action = "pause"
	ActResume   Action = "resume"
	ActSet      Action = "set"      // a share set by hand
	ActRollback Action = "rollback" // everyone back to the old side
	ActRevert   Action = "revert"   // the data plane refused a saved change; the former one stays
	ActDrain    Action = "drain"    // a server takes no more requests
	ActUndrain  Action = "undrain"  // it takes them again
)

// Automatic is the actor of what the control loop does by itself.
var Automatic = Actor{Name: "yadokari"}

// Actor is who makes a change.
type Actor struct {
	Name string `json:"name"`
}

// Entry is one line of the ledger.
type Entry struct {
	// Seq numbers the entries of one ledger from 1. There is no gap in what one gateway writes.
	Seq     uint64    `json:"seq"`
	Time    time.Time `json:"time"`
	Actor   Actor     `json:"actor"`
	Cluster string    `json:"cluster,omitempty"`
	Route   string    `json:"route"` // "": it is about a server
	Action  Action    `json:"action"`
	Backend string    `json:"backend,omitempty"` // of the server
	Server  string    `json:"server,omitempty"`
	From    Place     `json:"from"`
	To      Place     `json:"to"`
	Why     string    `json:"why"`
	// Evidence is the verdict's evidence at that moment, as judge writes it.
	Evidence json.RawMessage `json:"evidence,omitempty"`
}
