package judge

import "time"

// A Run is the breaker: it ends a trial at a run of failed first attempts on the new side, without
// statistics. Five failures of one user are no run: each counts twice at most, and there must be three of
// them (or as many as there are), unless the old side has answered every one of four times as many.
//
// What strikes both sides alike (the database is gone) is no evidence against the new side. A failure that
// the old side had as well ends the run. While the old side's own users fail as well, at least every
// other one, nothing counts. Failures of which nothing more is known (a form that must not be sent
// twice) must go on for a second: by then it is seen whether the old side fails too.
type Run struct {
	limit    uint64
	alone    bool // the old side has no users
	users    []attempts
	run      uint64 // failures in a row that count
	answered uint64 // failures in a row that the old side answered, without a bound for one user
	sure     uint64 // of run, those that the old side answered
	age      time.Duration
	known    map[uint64]struct{} // users of the new side, up to few

	old, oldFailures float64 // the old side's requests since the run began, the latest weighing most
}

// attempts are the failures of one user in a run.
type attempts struct {
	user uint64
	n    int
}

const (
	recent   = 64          // requests of the old side that a Run looks back on
	few      = 3           // users that make a run
	settling = time.Second // for failures of which nothing more is known
)

// NewRun begins one that fails at limit failures; 0: never. With alone the old side has no users of its
// own to compare with.
func NewRun(limit uint64, alone bool) *Run {
	return &Run{limit: limit, alone: alone, known: map[uint64]struct{}{}}
}

// Add takes a window and reports whether the run has reached its limit in it.
func (r *Run) Add(w *Window) bool {
	failed := false
	for i := range w.Events {
		failed = r.event(&w.Events[i]) || failed
	}
	for i := range w.Pairs {
		failed = r.pair(&w.Pairs[i]) || failed
	}
	if r.run > 0 {
		if r.age += w.Span; w.Span == 0 {
			r.age = settling
		}
		failed = failed || r.reached()
	}
	return failed
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
	if r.answered >= 4*r.limit {
		return !r.alone || r.age >= settling
	}
	if r.run < r.limit || len(r.users) < min(few, int(r.limit), max(len(r.known), 1)) {
		return false
	}
	if r.alone && len(r.known) < few {
		return false // so few users are believed only when the old side has answered
	}
	return r.age >= settling || !r.alone && r.sure >= r.limit
}

func (r *Run) know(user uint64) {
	if len(r.known) < few {
		r.known[user] = struct{}{}
	}
}

func (r *Run) end() {
	r.users, r.run, r.answered, r.sure, r.age = r.users[:0], 0, 0, 0, 0
	r.old, r.oldFailures = 0, 0
}

func (r *Run) seeOld(failed bool) {
	r.old++
	if failed {
		r.oldFailures++
	}
	if r.old > recent {
		r.old /= 2
		r.oldFailures /= 2
	}
}

// shared reports whether the old side's users fail as well.
func (r *Run) shared() bool { return r.oldFailures > 0 && 2*r.oldFailures >= r.old }

// Evidence is how far the run has come.
func (r *Run) Evidence() Breaker {
	return Breaker{Run: r.run, Users: uint64(len(r.users)), Limit: r.limit, Shared: r.shared()}
}
