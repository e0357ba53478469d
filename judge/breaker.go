package judge

import (
	"math"
	"time"
)

// A Run is the breaker: it ends a trial at a run of failed first attempts on the new side, without
// statistics. Five failures of one user are no run: each counts twice at most, and there must be three of
// them (or as many as there are), unless the old side has answered every one of four times as many.
//
// What strikes both sides alike (the database is gone) is no evidence against the new side. A failure that
// the old side had as well ends the run. While the old side's own users fail as well, at least every
// other one, nothing counts; where some of them fail all the time, the run must be as long as chance does
// not make it. Failures of which nothing more is known (a form that must not be sent twice) must go on for a
// second: by then it is seen whether the old side fails too (and all others for a quarter of one: an outage may reach one
// side a little earlier). So must those that come within a second after the old
// side has failed: an outage that ends between the two questions makes a run of failures that the
// old side has answered.
type Run struct {
	limit    uint64
	alone    bool // the old side has no users
	users    []attempts
	run      uint64 // failures in a row that count
	answered uint64 // failures in a row that the old side answered, without a bound for one user
	sure     uint64 // of run, those that the old side answered
	age      time.Duration
	known    map[uint64]struct{} // users of the new side, up to few
	calm     time.Duration       // since the old side last failed
	tripped  bool

	old, oldFailures float64 // the old side's requests of the last second or two, the latest weighing most
	all, allFailures float64 // and before
}

// attempts are the failures of one user in a run.
type attempts struct {
	user uint64
	n    int
}

const (
	recent   = 64          // requests by which the old side is taken to have been well
	usual    = 512         // requests that tell how often it fails
	chance   = 1e-6        // of a run that is no evidence
	few      = 3           // users that make a run
	settling = time.Second // for failures of which nothing more is known
)

// NewRun begins one that fails at limit failures; 0: never. With alone the old side has no users of its
// own to compare with.
func NewRun(limit uint64, alone bool) *Run {
	return &Run{limit: limit, alone: alone, known: map[uint64]struct{}{}, calm: settling}
}

// Add takes a window and reports whether the run has reached its limit in it, or before. Then it stays as it is.
func (r *Run) Add(w *Window) bool {
	for i := range w.Events {
		if r.tripped = r.tripped || r.event(&w.Events[i]); r.tripped {
			return true
		}
	}
	for i := range w.Pairs {
		if r.tripped = r.pair(&w.Pairs[i]); r.tripped {
			return true
		}
	}
	r.pass(w.Span)
	r.tripped = r.run > 0 && r.reached()
	return r.tripped
}

// pass lets time go by; 0: it is not known how much.
func (r *Run) pass(span time.Duration) {
	if span == 0 {
		span = settling
	}
	r.calm += span
	if r.run > 0 { // what the old side did meanwhile is not forgotten while a run goes on
		r.age += span
		return
	}
	fading := math.Exp2(-float64(span) / float64(settling))
	r.old *= fading
	r.oldFailures *= fading
}

func (r *Run) event(e *Event) bool {
	switch {
	case !e.New:
		r.seeOld(e.Failed)
	case !e.Failed:
		r.know(e.User)
		if e.Class&Left == 0 {
			r.end()
		}
	case e.Other == FailedToo:
		r.end()
		r.calm = 0
	case !r.shared():
		r.know(e.User)
		return r.fail(e.User, e.Other == Answered || e.Other == Overtaken)
	}
	return false
}

// pair takes what the new side did with a copy, in the mirror stage; in later ones the event has told.
func (r *Run) pair(p *Pair) bool {
	if !p.Copied {
		return false
	}
	if p.Old.Failed {
		r.calm = 0
	}
	if !p.New.Failed || p.Old.Failed {
		r.end()
		return false
	}
	r.know(p.User)
	return r.fail(p.User, true)
}

func (r *Run) fail(user uint64, answered bool) bool {
	if answered {
		r.answered++
	}
	if !r.counts(user) {
		return r.reached()
	}
	r.run++
	if answered {
		r.sure++
	}
	return r.reached()
}

// counts reports whether one more failure of this user counts.
func (r *Run) counts(user uint64) bool {
	for i := range r.users {
		if r.users[i].user == user {
			r.users[i].n++
			return r.users[i].n <= 2
		}
	}
	if uint64(len(r.users)) < max(r.limit, few) {
		r.users = append(r.users, attempts{user, 1})
	}
	return true
}

func (r *Run) reached() bool {
	if r.limit == 0 || r.shared() {
		return false
	}
	limit := r.needed()
	if r.answered >= 4*limit {
		return r.believed()
	}
	if r.run < limit || len(r.users) < min(few, int(r.limit), max(len(r.known), 1)) {
		return false
	}
	if r.alone && len(r.known) < few {
		return false // so few users are believed only when the old side has answered
	}
	return r.settled() || r.sure >= limit && r.believed()
}

// believed reports whether failures that the old side has answered are the new side's own.
func (r *Run) believed() bool {
	return r.settled() || !r.alone && r.calm >= settling && r.age >= moment
}

// settled reports whether the run has gone on for long enough for an outage of both sides to be told from it.
func (r *Run) settled() bool {
	if r.calm < settling {
		return r.age >= 2*settling
	}
	return r.age >= settling
}

// needed is how many failures in a row are no chance: the limit, or more if the old side fails often.
func (r *Run) needed() uint64 {
	if r.allFailures == 0 || r.limit == 0 {
		return r.limit
	}
	often := r.allFailures / (r.all + recent)           // a few failures do not say that there are many,
	often = max(often, r.oldFailures/(r.old+recent/16)) // unless they are of this moment
	return max(r.limit, uint64(math.Ceil(math.Log(chance)/math.Log(often))))
}

func (r *Run) know(user uint64) {
	if len(r.known) < few {
		r.known[user] = struct{}{}
	}
}

func (r *Run) end() {
	r.users, r.run, r.answered, r.sure, r.age = r.users[:0], 0, 0, 0, 0
}

func (r *Run) seeOld(failed bool) {
	r.old++
	r.all++
	if failed {
		r.oldFailures++
		r.allFailures++
		r.calm = 0
	}
	if r.all > usual {
		r.all /= 2
		r.allFailures /= 2
	}
}

// shared reports whether the old side's users fail as well.
func (r *Run) shared() bool { return r.oldFailures > 0 && 2*r.oldFailures >= r.old }

// Evidence is how far the run has come.
func (r *Run) Evidence() Breaker {
	return Breaker{Run: r.run, Users: uint64(len(r.users)), Limit: r.needed(), Shared: r.shared()}
}
