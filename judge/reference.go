package judge

import (
	"math"
	"time"
)

// referenceTest compares the failures of the new side with what the old side did in earlier stages, at
// worst. Each user counts once, and a failure that the old side has as well, or that comes while a part of all failures
// is of that kind, does not count. Outages are in the old side's rate as well, but spread evenly: so no
// few seconds decide alone; what is fast is for the breaker.
type referenceTest struct {
	wager     // granted are the old side's rate at worst, and the tolerance
	seen      sample[bool]
	threshold float64
	failed    uint64 // users

	shared, sole float64       // failures that the old side had too, or had not; the latest weigh most
	inside       time.Duration // of the present block
}

// referenceBound is the part of the test's alpha that goes to the bound on the old side's rate.
const (
	referenceBound  = 0.1
	referenceBlock  = 5 * time.Second
	referenceBlocks = 5   // of which no one alone may decide
	inCommon        = 0.1 // the part of the failures that the old side has too from which on none counts
)

func newReferenceTest(r *Tally, alpha, tolerated float64) *referenceTest {
	requests := float64(max(r.Requests, r.Failures))
	_, worst := rateBounds(float64(r.Failures), requests, alpha*referenceBound)
	t := &referenceTest{wager: newWager(&multiples, 0, math.Min(worst+tolerated, 1), back), seen: newSample[bool](marked),
		threshold: 1 / (alpha * (1 - referenceBound))}
	t.growth = math.Pow(t.threshold, 1.0/referenceBlocks)
	t.begin()
	return t
}

func (t *referenceTest) add(w *Window) {
	for i := range w.Events {
		if e := &w.Events[i]; e.New && !e.Ahead {
			t.event(e)
		}
	}
	// Half is forgotten within twenty windows: a second, usually.
	t.shared *= 0.966
	t.sole *= 0.966
	if t.inside += w.Span; w.Span == 0 || t.inside >= referenceBlock {
		t.inside = 0
		t.begin()
	}
}

func (t *referenceTest) event(e *Event) {
	counts := e.Failed
	switch {
	case !e.Failed:
	case e.Other == FailedToo:
		t.shared++
		counts = false
	case e.Other == NotAsked: // it fails for the same reason as the rest
		counts = t.shared < inCommon*(t.shared+t.sole) || t.shared == 0
	default:
		t.sole++
		counts = t.shared < inCommon*(t.shared+t.sole)
	}
	if !t.seen.holds(e.User) || t.seen.users[e.User] {
		return
	}
	t.pass(1)
	if counts {
		t.wager.event(true)
		t.failed++
		t.seen.put(e.User, true)
	}
}
