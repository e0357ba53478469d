package judge

import (
	"math"
	"time"
)

// An experiment compares what happens to users on both sides. Who is where was drawn by lot: a key is on
// the new side with the chance of the share, whatever its user does. So under "the same program" a user
// to whom something happens, a failure say, is one of the new side's with exactly that chance,
// however he behaves, how often it happens to him, how his requests hang together and whatever
// strikes both sides. Each user therefore counts once for each mark, at the first time, and a wager on the
// side he is on is an e-process by design of the experiment, not by a model of the traffic.
//
// Only an answer that could have come on the other side as well may count: a user whose request has
// failed is seen no more, because from then on it matters where he was (the fallback has saved him, or
// he looks at an error). A failure that the old side had as well uses the user up without a bet.
//
// What counts is that a request began after the experiment did: one that the new side has failed is told later than one that
// the old side has, and who begins in between would hear of the new side's alone. For the same reason
// no wealth is kept back to enter later; a change is left to experiments that begin later.
//
// One thing can make a side look worse that is not: its users are more often there. They are served faster, and
// do more in the same time; or the old side's have gone who saw the errors that the fallback has saved others from. So
// where more of the users seen are on the new side than the share can explain, that part is the chance.
//
// What is in the tolerance is charged for each request of a new-side user who is not marked yet.
//
// Sources: R. A. Fisher, "The Design of Experiments" (1935), ch. 2: randomisation as the basis of the test;
// G. Imbens, D. Rubin, "Causal Inference" (2015), ch. 5: sharp null hypotheses; A. Deng, U. Knoblich, J. Lu,
// "Applying the Delta Method in Metric Analytics", KDD 2018: the unit of analysis must be the unit that
// was randomised.
type experiment struct {
	marks   []mark
	tests   []userTest
	seen    sample[uint32] // the marks that a user has, as bits
	met     census         // users in this experiment
	share   float64        // the chance with which a user seen is on the new side:
	nominal float64        // as it was drawn, or more where that many are seen there
	begun   int64          // when the latest request began of which was told before; see Event.Began
	stall   int            // the bucket from which on an answer has stalled; 0: not known yet

	lasts time.Duration // how long it has lasted

	requests uint64  // of the new side
	unmarked float64 // of them, by users without any mark,
	changes  float64 // and of these, those that change something
	failed   string  // the mark that has reached its threshold
}

// userTest is the bet on one mark.
type userTest struct {
	wager
	threshold float64
	unmarked  float64       // experiment.unmarked or changes, as far as the wager knows of it
	block     time.Duration // within which no one cause may decide
	inside    time.Duration // of the present one
	asked     float64       // requests of the new side in it that have what the mark is about
	again     float64       // of them, those that would have got the mark, also if the user has it already
	old, new  uint64        // users
}

const (
	met      = 1 << 10                // users by whom an experiment knows how many are on either side
	marked   = 1 << 13                // users that an experiment remembers
	blocks   = 4                      // of slow time, of which no one alone may decide by a latency
	moments  = 2                      // of which no one alone may decide otherwise:
	pause    = time.Second            // one process stands still: no evidence of what stalls
	moment   = 250 * time.Millisecond // an outage of both sides reaches one a little earlier
	stallMin = time.Second
	stalls   = 4    // times the usual 99th percentile
	usually  = 1000 // answers that tell it
)

// errorsBit is the place of the failures among the marks.
const errorsBit = 1

// newExperiment begins one with its part of the trial's alpha, for requests that begin after begun.
func newExperiment(c *Criteria, alpha float64, begun int64) *experiment {
	x := &experiment{begun: begun, marks: c.marks(), share: float64(c.Share), nominal: float64(c.Share), seen: newSample[uint32](marked), met: newCensus(met)}
	x.tests = make([]userTest, len(x.marks))
	for i := range x.marks {
		x.tests[i] = newUserTest(&x.marks[i], alpha, c)
	}
	return x
}

func newUserTest(m *mark, alpha float64, c *Criteria) userTest {
	odds, parts := &sides, float64(moments)
	t := userTest{threshold: math.Inf(1), block: moment} // not judged, only counted
	if m.name == signalStalled {
		t.block = pause
	}
	if m.part > 0 {
		t.threshold = 1 / (alpha * m.part)
	}
	if m.limit != nil {
		odds, parts, t.block = &slower, blocks, c.Tolerance.SlowFor/(blocks-2) // so long a time touches one block less
	}
	t.wager = newWager(odds, float64(c.Share), m.tolerated, 0)
	if t.block > 0 && m.part > 0 {
		t.growth = math.Pow(t.threshold, 1/parts)
		t.begin()
	}
	return t
}

// add takes the events of a window and what was under way at its end.
func (x *experiment) add(w *Window, usual *census) {
	x.settle(usual)
	for i := range w.Events {
		if e := &w.Events[i]; x.failed == "" && !e.Ahead && (e.Began == 0 || e.Began > x.begun) && x.seen.holds(e.User) {
			x.event(e)
		}
	}
	x.pass(w.Span)
	for _, wait := range w.Waiting {
		if x.failed == "" && wait.Age <= x.lasts && x.seen.holds(wait.User) {
			x.waits(wait)
		}
	}
}

// settle decides what is usual once that is known.
func (x *experiment) settle(usual *census) {
	for _, m := range x.marks {
		if m.limit != nil {
			m.limit.settle(usual)
		}
	}
	if share := x.met.share(x.nominal); share != x.share {
		x.share = share
		for i := range x.tests {
			x.current(i).draw(share)
		}
	}
	if x.stall == 0 && usual.last.Count() >= usually {
		x.stall = Bucket(max(stallMin, stalls*usual.last.Quantile(0.99)))
	}
}

func (x *experiment) event(e *Event) {
	has := x.seen.users[e.User]
	x.met.visit(e.User, e.New)
	if e.New {
		x.requests++
		x.chance(has, e.Changes)
	}
	if has&errorsBit != 0 {
		if e.New && e.Failed && e.Other != FailedToo {
			x.goesOn(0)
		}
		return
	}
	if e.New && e.Failed && e.Other == FailedToo {
		x.keep(e.User, has, errorsBit)
		return
	}
	marks, tolerated := x.found(e)
	if tolerated&^has != 0 {
		has = x.keep(e.User, has, tolerated)
	}
	x.bet(e.User, e.New, has, marks)
}

// chance counts a request of the new side for what is tolerated.
func (x *experiment) chance(has uint32, changes bool) {
	if has == 0 {
		x.unmarked++
		if changes {
			x.changes++
		}
		return
	}
	if has&errorsBit != 0 {
		return
	}
	for i := range x.tests {
		if has&(1<<i) == 0 && (changes || !x.marks[i].changes) {
			x.tests[i].wager.pass(1)
		}
	}
}

// found is what marks an answer gives, and which it would have given on the old side but for the tolerance: those
// use the user up without a bet, or the slow half of an hour would find the old side's users marked already and the
// new side's not.
func (x *experiment) found(e *Event) (bits, tolerated uint32) {
	if e.Failed {
		bits = errorsBit
	}
	for i := range x.marks {
		m := &x.marks[i]
		switch {
		case m.changes:
			if e.Changes && (e.Failed && m.failures || e.Class&m.class != 0) {
				bits |= 1 << i
			}
		case e.Failed: // it is of no other kind
		case m.limit != nil:
			value := m.limit.value(&e.Answer)
			if e.New && value >= 0 {
				x.tests[i].asked++
			}
			switch {
			case m.limit.beyond(value, e.New):
				bits |= 1 << i
			case m.limit.beyond(value, false):
				tolerated |= 1 << i
			}
		case m.class != 0:
			if e.Class&m.class != 0 {
				bits |= 1 << i
			}
		case m.name == signalStalled:
			if x.stall > 0 && int(e.First) >= x.stall {
				bits |= 1 << i
			}
		}
	}
	return bits, tolerated
}

// waits takes a request whose answer has not come: it takes at least as long as it has taken.
func (x *experiment) waits(w Wait) {
	has := x.seen.users[w.User]
	if has&errorsBit != 0 {
		return
	}
	var bits uint32
	for i := range x.marks {
		m := &x.marks[i]
		if m.limit != nil && m.limit.above(w.Age, w.New) || m.name == signalStalled && x.stall > 0 && Bucket(w.Age) >= x.stall {
			bits |= 1 << i
		}
	}
	x.bet(w.User, w.New, has, bits)
}

// bet bets on the side of a user who has got marks, on each that he had not yet.
func (x *experiment) bet(user uint64, new bool, has, bits uint32) {
	if new {
		x.lift(bits & has)
	}
	bits &^= has
	if bits == 0 {
		return
	}
	for i := range x.tests {
		if bits&(1<<i) != 0 {
			x.user(i, new)
		}
	}
	x.keep(user, has, bits)
}

func (x *experiment) keep(user uint64, has, bits uint32) uint32 {
	x.seen.put(user, has|bits)
	return has | bits
}

// user bets on one user who has got mark i.
func (x *experiment) user(i int, new bool) {
	t := x.current(i)
	t.event(new)
	if new {
		t.new++
	} else {
		t.old++
	}
	if x.failed == "" && t.value() >= t.threshold {
		x.failed = x.marks[i].name
	}
}

// lift notes that it goes on what users of the new side have marks for.
func (x *experiment) lift(bits uint32) {
	for i := range x.tests {
		if bits&(1<<i) != 0 {
			x.goesOn(i)
		}
	}
}

// goesOn lets what was cut off of mark i count, if that is still so in the present block. Of a latency it must be
// so for far more requests than usual: some are always slow.
func (x *experiment) goesOn(i int) {
	t := x.current(i)
	t.again++
	if l := x.marks[i].limit; l != nil && (t.again < few || t.again < math.Sqrt(l.usually())*t.asked) {
		return
	}
	t.lift()
	if x.failed == "" && t.value() >= t.threshold {
		x.failed = x.marks[i].name
	}
}

// current is the test of mark i with all that went by so far.
func (x *experiment) current(i int) *userTest {
	t := &x.tests[i]
	unmarked := x.unmarked
	if x.marks[i].changes {
		unmarked = x.changes
	}
	t.pass(unmarked - t.unmarked)
	t.unmarked = unmarked
	return t
}

// pass lets time go by: with it the blocks in which one cause may act are over.
func (x *experiment) pass(span time.Duration) {
	x.lasts += span
	for i := range x.tests {
		t := &x.tests[i]
		if t.inside += span; span == 0 || t.inside >= t.block {
			t.inside, t.asked, t.again = 0, 0, 0
			t.begin()
		}
	}
}
