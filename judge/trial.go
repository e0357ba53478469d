package judge

// A Trial judges one stage of one route. It takes windows as they come and may be asked for its
// verdict at any time; the chance that it ever fails a side that is within the tolerance is at most
// Criteria.Alpha. The placement of users must not change during a Trial: every stage has its own. A
// Trial is not safe for concurrent use.
//
// In a stage with users on both sides, users are compared: see experiment. One experiment runs from the
// beginning; others begin later and see every user anew, because a user who has failed once, in an outage
// that both sides had, can tell nothing more to the first. Each has its own part of alpha (a union bound), since
// what one has seen of a user is known to the next. In every stage pairs are compared as far as there are
// any.
//
// Once failed a Trial stays failed: it takes no more windows, and its verdict shows what it failed on.
type Trial struct {
	criteria Criteria

	old, new    Tally
	missed      uint64
	usual       census
	experiments []*experiment // the first, and the latest two
	begun       int           // experiments after the first
	pairs       []*pairTest   // failures first; in mirror latencies too
	differences *differenceTest
	reference   *referenceTest
	run         *Run

	wanted uint64 // users of the new side without whom nothing can be seen
	failed string // the signal that failed
}

// NewTrial begins a stage.
func NewTrial(c Criteria) *Trial {
	c = c.withDefaults()
	t := &Trial{criteria: c, usual: newCensus(), run: NewRun(c.Breaker, c.alone()), wanted: usersToSee(&c)}
	tolerated := rate(float64(c.Tolerance.Errors))
	part := pairsPart
	switch {
	case c.Mirror:
		part = mirrorPairsPart
	case c.split():
		t.experiments = []*experiment{newExperiment(&t.criteria, c.Alpha*(1-laterPart))}
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
	t.differences = newDifferenceTest(1/(c.Alpha*differencesPart), rate(float64(c.Tolerance.Differences)))
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
	}
	for _, x := range t.experiments {
		x.add(w, &t.usual)
	}
	if t.reference != nil {
		t.reference.add(w)
	}
	t.addPairs(w)
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
	for i := range w.Compared {
		t.differences.add(&w.Compared[i])
	}
}

// worst names the first signal that has reached its threshold; empty: none.
func (t *Trial) worst() string {
	for _, x := range t.experiments {
		if x.failed != "" {
			return x.failed
		}
	}
	for _, p := range t.pairs {
		if p.value() >= p.threshold {
			return p.name
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
	lateStart = 500 // requests of the new side before the first later experiment
	lateGrow  = 1.5 // the same again in these proportions
	lateWorn  = 200 // requests of the new side after which an experiment may be worn
	lateMost  = 2   // later experiments at once
)

// renew begins another experiment when the latest has seen as many requests as all before it, or has
// marked so many users that few are left to tell of a change. Both do not depend on who is where.
func (t *Trial) renew() {
	if len(t.experiments) == 0 || t.failed != "" {
		return
	}
	first, last := t.experiments[0], t.experiments[len(t.experiments)-1]
	old, new := t.usual.served()
	due := float64(first.requests) >= float64(first.requests-last.requests)*lateGrow && last.requests >= lateStart
	if t.begun == 0 {
		due = first.requests >= lateStart
	}
	if !due && !(last.requests >= lateWorn && last.worn(old+new)) {
		return
	}
	t.begun++
	part := laterPart / float64(t.begun*(t.begun+1))
	t.experiments = append(t.experiments, newExperiment(&t.criteria, t.criteria.Alpha*part))
	if len(t.experiments) > 1+lateMost {
		t.experiments = append(t.experiments[:1], t.experiments[2:]...)
	}
}
