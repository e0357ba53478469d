package judge

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"yadokari/setting"
)

// served is a side's part of a window in which all answers took the same time.
func served(requests, failures uint64, took time.Duration) Tally {
	t := Tally{Requests: requests, Failures: failures}
	t.Latency.Add(Bucket(took), requests-min(failures, requests))
	return t
}

func usual() Criteria {
	return Criteria{
		Tolerance:   Tolerance{Errors: 0.001, P95: share(0.2), Differences: 0.01},
		MinRequests: 500, Breaker: 5, Share: 0.05,
	}
}

func feed(t *Trial, windows int, w Window) Verdict {
	for range windows {
		t.Add(&w)
	}
	return t.Verdict()
}

func expect(t *testing.T, v Verdict, want Outcome, words ...string) {
	t.Helper()
	if v.Outcome != want {
		t.Fatalf("%v, want %v: %s", v.Outcome, want, v.Reason)
	}
	for _, word := range words {
		if !strings.Contains(v.Reason, word) {
			t.Errorf("reason %q lacks %q", v.Reason, word)
		}
	}
}

func TestPass(t *testing.T) {
	w := Window{Old: served(950, 1, 80*time.Millisecond), New: served(50, 0, 85*time.Millisecond)}
	expect(t, feed(NewTrial(usual()), 20, w), Pass,
		"new side failed 0 % (0 of 1,000)", "old side 0.11 % (20 of 19,000)", "p95")
}

func TestMissing(t *testing.T) {
	fine := Window{Old: served(95, 0, time.Millisecond), New: served(5, 0, time.Millisecond)}
	short := feed(NewTrial(usual()), 60, fine)
	expect(t, short, NotEnoughTraffic, "300 of 500 requests on the new side")
	if n := short.Evidence.Missing; len(n) != 1 || n[0].Have != 300 || n[0].Want != 500 {
		t.Errorf("missing: %+v", n)
	}
	expect(t, NewTrial(usual()).Verdict(), NotEnoughTraffic, "0 of 500 requests on the new side", "0 of 100 requests on the old side")
	expect(t, feed(NewTrial(usual()), 1000, Window{Old: fine.Old}), NotEnoughTraffic, "0 of 500 requests on the new side")
	expect(t, feed(NewTrial(usual()), 1000, Window{New: fine.New}), NotEnoughTraffic, "0 of 100 requests on the old side")

	tail := usual()
	tail.Tolerance.P99 = share(0.2)
	expect(t, feed(NewTrial(tail), 120, fine), NotEnoughTraffic, "600 of 1,", "for a bound on p99")
}

// TestOnlyNewSide: with nothing to compare with, failures decide nothing without a reference.
func TestOnlyNewSide(t *testing.T) {
	c := usual()
	c.Breaker = 0
	w := Window{New: served(10, 5, time.Millisecond)}
	expect(t, feed(NewTrial(c), 100, w), NotEnoughTraffic)
	old := served(10000, 10, time.Millisecond)
	c.Reference = &old
	expect(t, feed(NewTrial(c), 100, w), Fail, "figures of earlier stages")
}

func TestReference(t *testing.T) {
	c := usual()
	old := served(20000, 20, 80*time.Millisecond)
	c.Reference = &old
	good := Window{New: served(1000, 1, 82*time.Millisecond)}
	expect(t, feed(NewTrial(c), 10, good), Pass, "0.1 % (20 of 20,000)", "figures of earlier stages")
	slow := Window{New: served(1000, 1, 200*time.Millisecond)} // the hour may be another: latency is not held against it
	expect(t, feed(NewTrial(c), 10, slow), Pass, "figures of earlier stages")
	worse := Window{New: served(1000, 10, 80*time.Millisecond)}
	expect(t, feed(NewTrial(c), 60, worse), Fail, "new side failed 1 %")
}

func TestDoubtHoldsUpAPass(t *testing.T) {
	c := usual()
	c.Tolerance.P95 = nil
	trial := NewTrial(c)
	feed(trial, 100, Window{Old: served(95, 0, time.Millisecond), New: served(5, 0, time.Millisecond)})
	expect(t, trial.Verdict(), Pass)
	one := Window{Old: served(95, 0, time.Millisecond), New: served(5, 1, time.Millisecond)}
	v := feed(trial, 2, one)
	expect(t, v, NotEnoughTraffic, "more requests to tell", "0.39 % (2 of 510)", "is below")
	expect(t, feed(trial, 4, one), Fail, "reaches")
}

// TestFailIsFinal: what comes afterwards changes neither verdict nor evidence.
func TestFailIsFinal(t *testing.T) {
	trial := NewTrial(usual())
	v := feed(trial, 5, Window{Old: served(950, 1, time.Millisecond), New: served(50, 25, time.Millisecond)})
	expect(t, v, Fail, "new side failed 50 %", "e-value")
	after := feed(trial, 1000, Window{Old: served(950, 1, time.Millisecond), New: served(50, 0, time.Millisecond)})
	if after.Reason != v.Reason || after.Evidence.New != v.Evidence.New {
		t.Errorf("%s\nbecame %s", v.Reason, after.Reason)
	}
	if v.Evidence.Decided != "errors" {
		t.Errorf("decided by %q", v.Evidence.Decided)
	}
}

func TestBreaker(t *testing.T) {
	fine := Window{Old: served(19, 0, time.Millisecond), New: served(1, 0, time.Millisecond)}
	broken := func(streak uint64, oldFailures uint64) Window {
		return Window{Old: served(19, oldFailures, time.Millisecond), New: served(1, 1, 0), Streak: streak}
	}
	c := usual()
	c.Tolerance.Errors = 1 // leaves the breaker alone with it
	trial := NewTrial(c)
	feed(trial, 10, fine)
	for streak := range uint64(4) {
		expect(t, feed(trial, 1, broken(streak+1, 0)), NotEnoughTraffic)
	}
	expect(t, feed(trial, 1, broken(5, 0)), Fail, "5 first attempts failed one after the other", "0 of")

	// An outage that strikes both sides is not the new side's fault, and its failures stay forgiven.
	trial = NewTrial(c)
	feed(trial, 10, fine)
	for streak := range uint64(30) {
		expect(t, feed(trial, 1, broken(streak+1, 19)), NotEnoughTraffic)
	}
	if !trial.Verdict().Evidence.Breaker.Shared {
		t.Error("the outage is not seen as shared")
	}
	after := Window{Old: served(640, 0, time.Millisecond), Streak: 30}
	expect(t, feed(trial, 1, after), NotEnoughTraffic) // no new attempt yet
	for streak := range uint64(4) {
		expect(t, feed(trial, 1, broken(31+streak, 0)), NotEnoughTraffic)
	}
	expect(t, feed(trial, 1, broken(35, 0)), Fail, "5 first attempts")

	// Without traffic on the old side there is nothing that excuses.
	expect(t, feed(NewTrial(c), 1, Window{New: served(5, 5, 0), Streak: 5}), Fail)
	c.Breaker = 0
	expect(t, feed(NewTrial(c), 1, Window{New: served(5, 5, 0), Streak: 5}), NotEnoughTraffic)
}

func TestMirror(t *testing.T) {
	c := usual()
	c.Mirror = true
	// Users get most answers in no time: not changed since they came last. Those have no copies.
	pair := Window{Old: served(1000, 0, 0), New: served(10, 0, time.Millisecond)}
	pair.Pairs = Pairs{served(10, 0, time.Millisecond), served(10, 0, time.Millisecond)}
	window := func(different uint64) Window {
		w := pair
		w.Mirror = Comparison{Compared: 10, Different: different}
		return w
	}
	expect(t, feed(NewTrial(c), 49, window(0)), NotEnoughTraffic, "490 of 500 compared requests")
	expect(t, feed(NewTrial(c), 50, window(0)), Pass, "0 % of compared responses differ (0 of 500)")
	v := feed(NewTrial(c), 50, window(5))
	expect(t, v, Fail, "50 % of compared responses differ", "1 % tolerated")
	if v.Evidence.Decided != "differences" || v.Evidence.Differences.Compared == 500 {
		t.Errorf("decided by %q after %d compared", v.Evidence.Decided, v.Evidence.Differences.Compared)
	}
	c.Tolerance.Differences = 0
	one := NewTrial(c)
	feed(one, 60, window(0))
	expect(t, feed(one, 1, window(1)), NotEnoughTraffic, "differences are more only by chance")
}

// TestDifferencesAlpha: at the tolerance, differences condemn at most their part of alpha.
func TestDifferencesAlpha(t *testing.T) {
	const alpha, runs = 0.5, 2000
	count := 0
	for run := range runs {
		random := seeded(run, 9)
		trial := NewTrial(Criteria{Alpha: alpha, Mirror: true, Tolerance: Tolerance{Differences: 0.01}})
		for range 150 {
			w := Window{Mirror: Comparison{Compared: 20, Different: uint64(binomial(random, 20, 0.01))}}
			trial.Add(&w)
		}
		if trial.failed != "" {
			count++
		}
	}
	if most := mayCondemn(runs, alpha*differencePart); count > most {
		t.Errorf("%d of %d condemned, chance allows %d", count, runs, most)
	}
}

func TestNames(t *testing.T) {
	c := usual()
	c.Old, c.New = "vm", "containers"
	expect(t, feed(NewTrial(c), 5, Window{Old: served(950, 1, 1), New: served(50, 25, 1)}), Fail, "containers failed 50 % (75 of 150), vm 0.11 % (3 of 2,850)")
}

func TestVerdictJSON(t *testing.T) {
	c := usual()
	c.Mirror = true
	c.Tolerance.P50 = share(0.1)
	for _, w := range []Window{{}, {Old: served(950, 1, time.Hour), New: served(50, 25, time.Hour), Mirror: Comparison{Compared: 9}}} {
		v := feed(NewTrial(c), 5, w)
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var back Verdict
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatal(err)
		}
		if back.Outcome != v.Outcome || back.Evidence.Errors != v.Evidence.Errors || *back.Evidence.Differences != *v.Evidence.Differences {
			t.Errorf("%s\nread back as %+v", text, back)
		}
	}
	if err := new(Outcome).UnmarshalText([]byte("maybe")); err == nil {
		t.Error("an unknown outcome was read")
	}
}

func TestWords(t *testing.T) {
	for x, want := range map[float64]string{0: "0 %", 1: "100 %", 0.048: "4.8 %", 0.001: "0.1 %", 0.00105: "0.1 %", 0.123: "12 %", 1e-9: "0 %"} {
		if got := percent(x); got != want {
			t.Errorf("%v is written %q, want %q", x, got, want)
		}
	}
	for x, want := range map[float64]string{2310.7: "2,310", 4.2: "4.2", 0: "below 0.001", 1e300: "1e+300"} {
		if got := value(x); got != want {
			t.Errorf("%v is written %q, want %q", x, got, want)
		}
	}
	if got := thousands(math.MaxUint64); got != "18,446,744,073,709,551,615" {
		t.Error(got)
	}
	if got := short(0.31249); got != "312ms" {
		t.Error(got)
	}
}

// FuzzTrial feeds windows that cannot be: nothing panics, verdicts stay readable and finals final.
func FuzzTrial(f *testing.F) {
	f.Add(uint64(10), uint64(0), uint64(10), uint64(20), uint64(3), uint64(1), uint64(5), 0.1, 0.001, true)
	f.Add(uint64(math.MaxUint64), uint64(math.MaxUint64), uint64(math.MaxUint64), uint64(1), uint64(math.MaxUint64), uint64(0), uint64(math.MaxUint64), -1.0, 2.0, false)
	f.Add(uint64(0), uint64(7), uint64(0), uint64(9), uint64(0), uint64(9), uint64(0), math.NaN(), math.Inf(1), true)
	f.Fuzz(func(t *testing.T, oldRequests, oldFailures, newRequests, newFailures, compared, different, streak uint64, tolerance, alpha float64, reference bool) {
		c := Criteria{
			Tolerance: Tolerance{Errors: setting.Share(tolerance), P50: share(tolerance), P99: share(tolerance), Differences: setting.Share(tolerance)},
			Alpha:     alpha, Share: setting.Share(tolerance), MinRequests: streak, Breaker: compared, Mirror: compared%2 == 0,
		}
		w := Window{
			Old:    Tally{Requests: oldRequests, Failures: oldFailures},
			New:    Tally{Requests: newRequests, Failures: newFailures},
			Streak: streak, Mirror: Comparison{Compared: compared, Different: different},
		}
		w.Old.Latency.Add(int(int32(streak)), oldRequests)
		w.New.Latency.Add(int(int32(compared)), newRequests)
		w.Pairs = Pairs{w.Old, w.New}
		if reference {
			c.Reference = &w.Old
		}
		trial, failed := NewTrial(c), false
		for range 4 {
			trial.Add(&w)
			v := trial.Verdict()
			if v.Reason == "" || failed && v.Outcome != Fail {
				t.Fatalf("failed %v, now %+v", failed, v)
			}
			failed = v.Outcome == Fail
			if _, err := json.Marshal(v); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func window() *Window {
	traffic := traffic{random: seeded(1, 1), size: 200, share: 0.05, old: 0.01, new: 0.01, latency: lognormal, slower: 1}
	w := new(Window)
	traffic.next(w)
	return w
}

func TestAddDoesNotAllocate(t *testing.T) {
	trial, w := NewTrial(usual()), window()
	trial.Add(w)
	if n := testing.AllocsPerRun(1000, func() { trial.Add(w) }); n != 0 || trial.failed != "" {
		t.Errorf("%v allocations, failed: %q", n, trial.failed)
	}
}

func BenchmarkTrialAdd(b *testing.B) {
	trial, w := NewTrial(usual()), window()
	w.New.Failures = 0
	b.ReportAllocs()
	for b.Loop() {
		trial.Add(w)
	}
}

func BenchmarkTrialAddOne(b *testing.B) {
	trial, w := NewTrial(usual()), &Window{New: Tally{Requests: 1}}
	b.ReportAllocs()
	for b.Loop() {
		trial.Add(w)
	}
}

func BenchmarkVerdict(b *testing.B) {
	trial, w := NewTrial(usual()), window()
	w.New.Failures = 0
	for range 100 {
		trial.Add(w)
	}
	b.ReportAllocs()
	for b.Loop() {
		trial.Verdict()
	}
}
