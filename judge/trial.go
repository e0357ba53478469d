package judge

import "math"

// A Trial judges one stage of one route. It takes windows as they come and may be asked for its
// verdict at any time; the chance that it ever fails a side that is within the tolerance is at most
// Criteria.Alpha. The placement of users must not change during a Trial: every stage has its own. A
// Trial is not safe for concurrent use.
//
// Once failed a Trial stays failed: it takes no more windows, and its verdict shows what it failed on.
type Trial struct {
	criteria Criteria
	latency  []latencyTrial

	old, new Tally
	mirror   Comparison

	urn         urn
	errors      wager
	granted     float64 // failures a request that the new side may have of its own
	differences wager
	breaker     breaker

	errorsAt, differencesAt float64 // the e-values that fail
	failed                  string  // the test that failed
}

// latencyTrial is one judged quantile.
type latencyTrial struct {
	judged
	bander bander
	alpha  float64
}

// sums are the requests and failures of one side in one window, made consistent.
type sums struct{ requests, failures float64 }

// NewTrial begins a stage.
func NewTrial(c Criteria) *Trial {
	c = c.withDefaults()
	t := &Trial{
		criteria:    c,
		urn:         newUrn(float64(c.Share)),
		errors:      newWager(&sides),
		granted:     rate(float64(c.Tolerance.Errors)),
		differences: newWager(&multiples),
	}
	left := c.Alpha
	quantiles := c.quantiles()
	if c.Reference != nil {
		quantiles = nil // how long an answer takes follows the load, which was another when the reference was taken
	}
	for _, q := range quantiles {
		alpha := c.Alpha * latencyPart / float64(len(quantiles))
		left -= alpha
		// Half for each side's bound.
		t.latency = append(t.latency, latencyTrial{q, newBander(q.quantile, alpha/2), alpha})
	}
	if c.Mirror {
		left -= c.Alpha * differencePart
		t.differencesAt = 1 / (c.Alpha * differencePart)
	}
	if c.Reference != nil {
		// The new side is granted what the old side may have failed at worst.
		worst := rateAtMost(c.Reference, left*referencePart)
		t.granted = math.Min(t.granted+worst, 1)
		t.errors = newWager(&multiples)
		left *= 1 - referencePart
	}
	t.errorsAt = 1 / left
	return t
}

// rateAtMost is the upper bound of a rate; the bounds of both sides share alpha evenly, only one is used.
func rateAtMost(r *Tally, alpha float64) float64 {
	requests := float64(max(r.Requests, r.Failures))
	_, high := rateBounds(float64(r.Failures), requests, alpha)
	return high
}

// rate brings what should be a rate between 0 and 1.
func rate(x float64) float64 {
	if !(x > 0) {
		return 0
	}
	return math.Min(x, 1)
}

// Add takes one window, of any length and with any number of requests, also one. Failures within a
// window may have one cause, so a window should be as long as it takes to load a page, if it can. Counts
// that cannot be (more failures than requests) are read as so many requests. w is not kept.
func (t *Trial) Add(w *Window) {
	if t.failed != "" {
		return
	}
	from := Pairs{w.Old, w.New}
	if t.criteria.Mirror {
		from = w.Pairs
	}
	old, new := t.old.add(&from.Old), t.new.add(&from.New)
	t.addErrors(old, new)
	if t.breaker.see(t.criteria.Breaker, w.Streak, old, new) {
		t.failed = "breaker"
		return
	}
	if t.criteria.Mirror {
		t.addComparison(w.Mirror)
	}
	switch {
	case t.errors.value() >= t.errorsAt:
		t.failed = "errors"
	case t.criteria.Mirror && t.differences.value() >= t.differencesAt:
		t.failed = "differences"
	}
}

func (t *Trial) addErrors(old, new sums) {
	if t.criteria.Reference != nil {
		// With no share a failure of the new side is always one of its own, which it has a grant for.
		t.errors.bet(0, 0, new.failures, new.requests, t.granted)
		return
	}
	if old.requests == 0 && new.requests == 0 {
		return
	}
	share := 1.0
	if old.failures+new.failures > 0 || t.granted > 0 && new.requests > 0 {
		share = t.urn.share(old.requests, new.requests)
	}
	t.errors.bet(share, old.failures, new.failures, new.requests, t.granted)
	t.urn.put(old, new)
}

func (t *Trial) addComparison(c Comparison) {
	compared := max(c.Compared, c.Different)
	if compared == 0 {
		return
	}
	t.mirror.Compared = plus(t.mirror.Compared, compared)
	t.mirror.Different = plus(t.mirror.Different, c.Different)
	t.mirror.Noisy = plus(t.mirror.Noisy, c.Noisy)
	tolerated := rate(float64(t.criteria.Tolerance.Differences))
	t.differences.bet(0, 0, float64(c.Different), float64(compared), tolerated)
}

// baseline is what the new side is compared with.
func (t *Trial) baseline() *Tally {
	if t.criteria.Reference != nil {
		return t.criteria.Reference
	}
	return &t.old
}
