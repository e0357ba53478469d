package judge

import "math"

// coverage is that of the bounds that only inform.
const coverage = 0.95

// scarce is how many requests of the old side are enough to compare with, however many are demanded
// of the new side.
const scarce = 100

// leaning is the e-value above which a test holds up a pass: the data speak for "worse than
// tolerated", though not yet loud enough to fail.
const leaning = 1.0001

// Verdict says what the windows so far amount to. It may be asked for after every one.
func (t *Trial) Verdict() Verdict {
	e := t.evidence()
	if t.failed == "" {
		for i := range t.latency {
			if exceeds(&e.Latencies[i]) {
				t.failed = t.latency[i].name
				break
			}
		}
	}
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
	old := t.baseline()
	e := Evidence{
		Alpha:     t.criteria.Alpha,
		Old:       figures(old),
		New:       figures(&t.new),
		Reference: t.criteria.Reference != nil,
		Errors:    Test{t.errors.value(), t.errorsAt, rate(float64(t.criteria.Tolerance.Errors))},
		Breaker:   Breaker{t.breaker.run, t.criteria.Breaker, t.breaker.shared()},
	}
	if len(t.latency) > 0 {
		e.Latencies = make([]LatencyTest, len(t.latency))
	}
	for i := range t.latency {
		e.Latencies[i] = t.latency[i].test(&old.Latency, &t.new.Latency)
	}
	if t.criteria.Mirror {
		m := t.mirror
		compared, different := float64(m.Compared), float64(m.Different)
		low, high := rateBounds(different, compared, 1-coverage)
		e.Differences = &DifferenceTest{
			Test:     Test{t.differences.value(), t.differencesAt, rate(float64(t.criteria.Tolerance.Differences))},
			Compared: m.Compared, Different: m.Different, Noisy: m.Noisy,
			Rate: ratio(different, compared), Low: low, High: high, Coverage: coverage,
		}
	}
	return e
}

func figures(s *Tally) Figures {
	requests, failures := float64(max(s.Requests, s.Failures)), float64(s.Failures)
	low, high := rateBounds(failures, requests, 1-coverage)
	return Figures{max(s.Requests, s.Failures), s.Failures, ratio(failures, requests), low, high, coverage}
}

func ratio(part, all float64) float64 {
	if all == 0 {
		return 0
	}
	return part / all
}

func (l *latencyTrial) test(old, new *Histogram) LatencyTest {
	was, is := l.bander.of(old), l.bander.of(new)
	test := LatencyTest{
		Quantile:  l.name,
		Old:       was.latency(old),
		New:       is.latency(new),
		Tolerance: l.tolerance,
		Coverage:  1 - l.alpha,
	}
	if test.Old.High != nil {
		limit := *test.Old.High * (1 + l.tolerance)
		test.Limit = &limit
	}
	return test
}

func (b band) latency(h *Histogram) Latency {
	l := Latency{Requests: h.total, Low: seconds(b.lowest())}
	if h.total > 0 {
		l.Estimate = middle(b.estimate).Seconds()
	}
	if high := b.highest(); !math.IsInf(high, 1) {
		high = seconds(high)
		l.High = &high
	}
	return l
}

// exceeds says that the new side's quantile is beyond what is tolerated, whichever of the values
// within both bands are the true ones.
func exceeds(l *LatencyTest) bool { return l.Limit != nil && l.New.Low > *l.Limit }

// missing is what a pass waits for.
func (t *Trial) missing(e *Evidence) []Need {
	var list []Need
	count := func(what string, old bool, have, want uint64) {
		if have < want {
			list = append(list, Need{what, have, want, old, thousands(have) + " of " + thousands(want) + " " + what})
		}
	}
	c := &t.criteria
	if c.Mirror {
		count("compared requests", false, t.mirror.Compared, max(c.MinRequests, 1))
		count("requests on the "+c.New, false, t.new.Requests, 1)
	} else {
		count("requests on the "+c.New, false, t.new.Requests, max(c.MinRequests, 1))
	}
	count("requests on the "+c.Old, true, e.Old.Requests, min(max(c.MinRequests, 1), scarce))
	for i := range t.latency {
		name, enough := t.latency[i].name, t.latency[i].bander.sufficient
		count("answers of the "+c.New+" for a bound on "+name, false, e.Latencies[i].New.Requests, enough)
		count("answers of the "+c.Old+" for a bound on "+name, true, e.Latencies[i].Old.Requests, enough)
	}
	if len(list) > 0 {
		return list
	}
	return t.doubts(e)
}

// doubts are the tests that speak against the new side without having decided.
func (t *Trial) doubts(e *Evidence) []Need {
	var list []Need
	doubt := func(what, text string) { list = append(list, Need{What: what, Text: text}) }
	if e.Errors.EValue > leaning {
		doubt("errors", "more requests to tell whether failures are more only by chance: "+t.failures(e)+", "+e.Errors.standing())
	}
	if d := e.Differences; d != nil && d.EValue > leaning {
		doubt("differences", "more compared requests to tell whether differences are more only by chance: "+d.words()+", "+d.standing())
	}
	for i := range e.Latencies {
		l := &e.Latencies[i]
		was, is := Bucket(duration(l.Old.Estimate)), Bucket(duration(l.New.Estimate))
		if bound(is) > bound(was+1)*(1+l.Tolerance) {
			doubt(l.Quantile, "more requests to tell whether "+l.Quantile+" is longer only by chance: "+t.estimates(l))
		}
	}
	return list
}
