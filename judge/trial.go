package judge

import (
	"math"
	"slices"
)

// A Trial judges one stage of one route. It takes windows as they come and may be asked for its
// verdict at any time; the chance that it ever fails a side that is within the tolerance is at most
// Criteria.Alpha. The placement of users must not change during a Trial: every stage has its own. A
// Trial is not safe for concurrent use.
//
// In a stage with users on both sides, users are compared: see experiment. One experiment runs from the
// beginning; others begin later and see every user anew, because a user who has failed once, in an outage
// that both sides had, can tell nothing more to the first, and because a long good time costs wealth. Each has its
// own part of alpha (a union bound), since what one has seen of a user is known to the next. In every stage pairs
// are compared as far as there are any.
//
// Once failed a Trial stays failed: it takes no more windows, and its verdict shows what it failed on.
type Trial struct {
	criteria Criteria
	alpha    float64 // of all signals together; that of the criteria is what counts leave of it

	old, new    Tally
	missed      uint64
	usual       census
	frequencies *frequencies  // nil but in a stage with users on both sides
	experiments []*experiment // the first, and some of those that began later
	begun       int           // experiments after the first
	latest      int64         // when the latest request began that was told
	pairs       []*pairTest   // failures first; in mirror latencies too
	differences *differenceTest
	counts      []*countTest
	reference   *referenceTest
	run         *Run

	wanted uint64 // users of the new side without whom nothing can be seen
	failed string // the signal that failed
}

// NewTrial begins a stage.
func NewTrial(c Criteria) *Trial {
	c = c.withDefaults()
	alpha := c.Alpha
	var counted []*countTest
	if c.split() && len(c.Counts) > 0 {
		for _, count := range c.Counts {
			counted = append(counted, newCountTest(count, float64(c.Share), float64(len(c.Counts))/(alpha*countsPart)))
		}
		c.Alpha = alpha * (1 - countsPart)
	}
	t := &Trial{criteria: c, alpha: alpha, counts: counted, usual: newCensus(remembered), run: NewRun(c.Breaker, c.alone()), wanted: usersToSee(&c)}
	tolerated := rate(float64(c.Tolerance.Errors))
	part := pairsPart
	switch {
	case c.Mirror:
		part = mirrorPairsPart
	case c.split():
		t.frequencies = newFrequencies(&t.criteria, c.Alpha*frequencyPart)
		t.experiments = []*experiment{newExperiment(&t.criteria, c.Alpha*(1-laterPart), 0)}
	case c.Reference != nil:
		t.reference = newReferenceTest(c.Reference, c.Alpha*errorsPart, tolerated)
	}
	if c.Tolerance.Errors < 1 {
		t.pairs = append(t.pairs, newPairTest(1/(c.Alpha*part), tolerated))
	}
	if c.Mirror {
		limits := c.latencies()
		for _, l := range limits {
			t.pairs = append(t.pairs, newPairLatencyTest(float64(len(limits))/(c.Alpha*mirrorLatencyPart), l, c.Tolerance.SlowFor))
		}
	}
	t.differences = newDifferenceTest(1/(c.Alpha*differencesPart), rate(float64(c.Tolerance.Differences)), !c.Mirror)
	return t
}

// Add takes one window, of any length and with any number of requests, also one, and reports whether the trial
// has failed. w is not kept.
func (t *Trial) Add(w *Window) (failed bool) {
	if t.failed != "" {
		return true
	}
	t.count(w)
	t.missed = plus(t.missed, w.Missed)
	for i := range w.Events {
		t.usual.add(&w.Events[i])
		t.trouble(&w.Events[i])
		t.latest = max(t.latest, w.Events[i].Began)
	}
	for _, x := range t.experiments {
		x.add(w, &t.usual)
	}
	if t.frequencies != nil {
		t.frequencies.add(w)
	}
	if t.reference != nil {
		t.reference.add(w)
	}
	t.addPairs(w)
	t.addCounted(w)
	if t.run.Add(w) {
		t.failed = "breaker"
	} else {
		t.failed = t.worst()
	}
	t.renew()
	return t.failed != ""
}

// count keeps the figures: in the mirror stage of the requests that both sides had. What the old side
// answers besides, a page that the browser has already or a form, is of another kind.
func (t *Trial) count(w *Window) {
	if !t.criteria.Mirror {
		t.old.Merge(&w.Old)
		t.new.Merge(&w.New)
		return
	}
	for i := range w.Pairs {
		t.old.Count(&w.Pairs[i].Old)
		t.new.Count(&w.Pairs[i].New)
	}
}

// trouble tells the pairs of what fails on the old side.
func (t *Trial) trouble(e *Event) {
	if e.Other != FailedToo && (e.New || !e.Failed) {
		return
	}
	for _, p := range t.pairs {
		p.trouble()
	}
}

func (t *Trial) addPairs(w *Window) {
	for i := range w.Pairs {
		p := &w.Pairs[i]
		if p.Copied {
			t.usual.pair(p)
		}
		for _, test := range t.pairs {
			if test.limit != nil {
				test.limit.settle(&t.usual)
			}
			test.add(p)
		}
	}
	for _, test := range t.pairs {
		test.tick(w.Span)
	}
	t.differences.tick(w.Span)
	for i := range w.Compared {
		t.differences.add(&w.Compared[i])
	}
}

func (t *Trial) addCounted(w *Window) {
	for i := range w.Counted {
		for _, c := range t.counts {
			if c.Name == w.Counted[i].Name {
				c.take(&w.Counted[i])
			}
		}
	}
}

// worst names the first signal that has reached its threshold; empty: none.
func (t *Trial) worst() string {
	for _, x := range t.experiments {
		if x.failed != "" {
			return x.failed
		}
	}
	if t.frequencies != nil {
		if name := t.frequencies.failed(); name != "" {
			return name
		}
	}
	for _, p := range t.pairs {
		if p.value() >= p.threshold {
			return p.name
		}
	}
	for _, c := range t.counts {
		if c.value >= c.threshold {
			return c.signal()
		}
	}
	switch {
	case t.reference != nil && t.reference.value() >= t.reference.threshold:
		return signalErrors
	case t.differences.value() >= t.differences.threshold:
		return signalDifferences
	}
	return ""
}

const (
	lateEvery = 250       // requests of the new side after which another experiment begins,
	latePart  = 1.0 / 400 // or this part of all before it, if that is more
	lateMost  = 6         // later experiments at once
)

// renew begins another experiment when it is due, which does not depend on who is where.
func (t *Trial) renew() {
	if len(t.experiments) == 0 || t.failed != "" {
		return
	}
	first, last := t.experiments[0], t.experiments[len(t.experiments)-1]
	if last.requests < max(lateEvery, uint64(float64(first.requests)*latePart)) {
		return
	}
	t.begun++
	part := laterPart / series(t.begun)
	t.experiments = append(t.experiments, newExperiment(&t.criteria, t.criteria.Alpha*part, t.latest))
	if len(t.experiments) > 1+lateMost {
		t.thin()
	}
}

// thin ends the later experiment that is missed least: those that are left have seen requests in about equal
// proportions, so that one of them began shortly before a change, whether it is large or small.
func (t *Trial) thin() {
	least, at := math.Inf(1), 1
	for i := 1; i < len(t.experiments)-1; i++ {
		before, after := float64(t.experiments[i-1].requests), float64(t.experiments[i+1].requests)
		if ratio := before / (after + lateEvery); ratio < least {
			least, at = ratio, i
		}
	}
	t.experiments = slices.Delete(t.experiments, at, at+1)
}
