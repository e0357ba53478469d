package judge

import (
	"cmp"
	"math"
	"slices"
)

const (
	// scarce is how many requests of the old side are enough to compare with, however many are demanded
	// of the new side.
	scarce = 100
	// leaning is the e-value above which a signal holds up a pass: the data speak for "worse than
	// tolerated", though not yet loud enough to fail.
	leaning = 5
	// instead is how many pairs do in place of users where those are few.
	instead = 100
)

// Verdict says what the windows so far amount to. It may be asked for after every one.
func (t *Trial) Verdict() Verdict {
	e := t.evidence()
	if t.failed != "" {
		e.Decided = t.failed
		return Verdict{Fail, t.accusation(&e), e}
	}
	if e.Missing = t.missing(&e); len(e.Missing) > 0 {
		return Verdict{NotEnoughTraffic, t.wish(&e), e}
	}
	return Verdict{Pass, t.praise(&e), e}
}

func (t *Trial) evidence() Evidence {
	e := Evidence{
		Alpha:     t.alpha,
		Old:       figures(t.baseline()),
		New:       figures(&t.new),
		Missed:    t.missed,
		Reference: t.reference != nil,
		Signals:   t.signals(),
		Breaker:   t.run.Evidence(),
	}
	e.Old.Users, e.New.Users = t.usual.served()
	for _, s := range e.Signals {
		if s.Name == signalErrors && s.Unit == Users {
			e.Old.FailedUsers, e.New.FailedUsers = s.Old, s.New
		}
	}
	return e
}

// baseline is what the new side is compared with.
func (t *Trial) baseline() *Tally {
	if t.criteria.Reference != nil {
		return t.criteria.Reference
	}
	return &t.old
}

func figures(s *Tally) Figures { return Figures{Requests: s.Requests, Failures: s.Failures} }

// signals are the tests with what they have seen, the loudest first.
func (t *Trial) signals() []Signal {
	var list []Signal
	if len(t.experiments) > 0 {
		for i, m := range t.experiments[0].marks {
			if m.part > 0 {
				list = append(list, t.userSignal(i))
			}
		}
	}
	if t.frequencies != nil {
		for _, test := range t.frequencies.loudest() {
			list = append(list, t.frequencySignal(test))
		}
	}
	if t.reference != nil {
		list = append(list, t.referenceSignal())
	}
	for _, p := range t.pairs {
		list = append(list, t.pairSignal(p))
	}
	list = append(list, t.differenceSignal())
	for _, c := range t.counts {
		list = append(list, t.countSignal(c))
	}
	slices.SortStableFunc(list, func(a, b Signal) int { return cmp.Compare(b.Part, a.Part) })
	return loudest(list)
}

// loudest keeps of a latency, which has two limits, the louder one.
func loudest(sorted []Signal) []Signal {
	kept := sorted[:0]
	for _, s := range sorted {
		if !slices.ContainsFunc(kept, func(k Signal) bool { return k.Name == s.Name && k.Unit == s.Unit }) {
			kept = append(kept, s)
		}
	}
	return kept
}

// userSignal is a mark in that of the experiments in which it speaks loudest.
func (t *Trial) userSignal(i int) Signal {
	var loudest Signal
	for j, x := range t.experiments {
		test, m := x.current(i), &x.marks[i]
		scale := x.seen.scale()
		s := Signal{Name: m.name, Unit: Users, Old: test.old * scale, New: test.new * scale,
			EValue: test.value(), Threshold: test.threshold, Tolerance: m.tolerated}
		if m.limit != nil {
			s.Tolerance = m.limit.growth
			t.limits(&s, m.limit)
		}
		s.Part = part(s.EValue, s.Threshold)
		if j == 0 || s.Part > loudest.Part {
			loudest = s
			loudest.Text = t.userWords(&s, m)
		}
	}
	return loudest
}

// limits adds to a signal the limit beyond which an answer counts, and what is usual.
func (t *Trial) limits(s *Signal, l *limit) {
	if l.old < 0 {
		return
	}
	if l.short {
		s.Limit = math.Floor(bound(l.old) / 1e3)
		return
	}
	s.Limit = seconds(bound(l.old + 1))
	if l.name == signalFirstByte {
		return
	}
	s.OldEstimate = t.old.Latency.Quantile(l.quantile).Seconds()
	s.NewEstimate = t.new.Latency.Quantile(l.quantile).Seconds()
}

func (t *Trial) frequencySignal(f *frequencyTest) Signal {
	s := Signal{Name: f.limit.name, Unit: Answers, Old: f.beyond[0], New: f.beyond[1], Of: f.answers[0] + f.answers[1],
		EValue: f.value, Threshold: f.threshold, Tolerance: f.limit.growth}
	t.limits(&s, f.limit)
	s.OldEstimate, s.NewEstimate = 0, 0 // the signal of users has them
	s.Part, s.Text = part(s.EValue, s.Threshold), t.frequencyWords(&s, f)
	return s
}

func (t *Trial) pairSignal(p *pairTest) Signal {
	s := Signal{Name: p.name, Unit: Pairs, Old: p.old, New: p.new, Of: p.of, EValue: p.value(), Threshold: p.threshold, Tolerance: p.granted}
	if p.limit != nil {
		s.Tolerance = p.limit.growth
		t.limits(&s, p.limit)
	}
	s.Part, s.Text = part(s.EValue, s.Threshold), t.pairWords(p)
	return s
}

func (t *Trial) differenceSignal() Signal {
	d := t.differences
	return Signal{Name: signalDifferences, Unit: Answers, Old: d.unsteady, New: d.different, Of: d.compared, EValue: d.value(), Threshold: d.threshold,
		Tolerance: d.tolerated, Part: part(d.value(), d.threshold), Text: d.text()}
}

func (t *Trial) referenceSignal() Signal {
	r := t.reference
	s := Signal{Name: signalErrors, Unit: Users, New: r.failed * r.seen.scale(), EValue: r.value(), Threshold: r.threshold, Tolerance: rate(float64(t.criteria.Tolerance.Errors))}
	s.Part, s.Text = part(s.EValue, s.Threshold), t.referenceWords()
	return s
}

// part is how far an e-value has come on its way to the threshold.
func part(value, threshold float64) float64 {
	if value <= 1 || threshold <= 1 {
		return 0
	}
	return math.Min(math.Log(value)/math.Log(threshold), 1)
}

// seconds turns nanoseconds into the unit of the evidence.
func seconds(ns float64) float64 { return ns / 1e9 }
