package judge

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// fails runs trials until they fail, within so many requests of the new side, and demands the signal.
func fails(t *testing.T, name, signal string, most uint64, tolerance Tolerance, alter func(*crowd)) {
	t.Helper()
	for run := range 10 {
		c := newCrowd(seeded(run, 21), 20000, 0.5, 0.05)
		c.fails, c.size, c.span = 0.001, 50, 250*time.Millisecond
		alter(c)
		trial := NewTrial(Criteria{Tolerance: tolerance, Share: 0.05, Old: "vm", New: "containers"})
		var w Window
		for trial.failed == "" && trial.new.Requests < most {
			c.next(&w)
			trial.Add(&w)
		}
		v := trial.Verdict()
		if v.Outcome != Fail || v.Evidence.Decided != signal {
			t.Fatalf("%s, run %d: %s by %q after %d requests: %s", name, run, v.Outcome, v.Evidence.Decided, trial.new.Requests, v.Reason)
		}
		if run == 0 {
			t.Logf("%s: after %d requests: %s", name, trial.new.Requests, v.Reason)
		}
	}
}

// TestComplaints: what users would complain about is seen, under its name.
func TestComplaints(t *testing.T) {
	all := defaults()
	for _, class := range classes {
		fails(t, class.name, class.name, 200, all, func(c *crowd) { c.class, c.classes = class.class, 0.3 })
	}
	refused := func(c *crowd) { c.changes, c.refused = 0.03, true }
	fails(t, "every form", signalRefused, 400, all, func(c *crowd) { refused(c); c.class = ClientError })
	fails(t, "every form, which may be refused at times", signalRefused, 600, all, func(c *crowd) { refused(c); c.class, c.refuses = Forbidden, 0.01 })
	fails(t, "a thirtieth fail", "errors", 1000, all, func(c *crowd) { c.worse = 0.03 })
	fails(t, "twice as slow", "p95", 5000, all, func(c *crowd) { c.latency, c.slower = lognormal, 2 })
}

// TestTolerated: what a class is granted is granted.
func TestTolerated(t *testing.T) {
	all := defaults()
	count := 0
	for run := range 60 {
		c := newCrowd(seeded(run, 22), 3000, 0.5, 0.25)
		c.fails, c.worse, c.class, c.classes, c.span = 0.001, 0.001, NotFound, 0.002, 50*time.Millisecond
		if judged(c, Criteria{Alpha: 0.05, Tolerance: all, Share: 0.25}, 100) != "" {
			count++
		}
	}
	if count > mayCondemn(60, 0.05) {
		t.Errorf("%d of 60 condemned at the tolerance", count)
	}
}

// TestFormsRefusedOnBothSides: some users' forms are refused wherever they are.
func TestFormsRefusedOnBothSides(t *testing.T) {
	all := defaults()
	count := 0
	for run := range 100 {
		c := newCrowd(seeded(run, 23), 3000, 0.8, 0.25)
		c.fails, c.class, c.changes, c.refuses, c.span = 0.001, Forbidden, 0.1, 0.3, 50*time.Millisecond
		if judged(c, Criteria{Alpha: 0.05, Tolerance: all, Share: 0.25}, 100) != "" {
			count++
		}
	}
	if count > mayCondemn(100, 0.05) {
		t.Errorf("%d of 100 condemned", count)
	}
}

// TestTooFewUsers: two users cannot tell, however many requests they make; the verdict says how many could.
func TestTooFewUsers(t *testing.T) {
	trial := NewTrial(Criteria{Tolerance: defaults(), Share: 0.5, MinRequests: 10, Old: "vm", New: "containers"})
	w := &Window{}
	for i := range 200 {
		e := Event{User: uint64(i%2+1) << 40, New: i%2 == 1, Answer: Answer{First: 100, Last: 100, Size: -1}}
		w.Events = append(w.Events, e)
		(map[bool]*Tally{false: &w.Old, true: &w.New})[e.New].Count(&e.Answer)
	}
	trial.Add(w)
	v := trial.Verdict()
	if v.Outcome != NotEnoughTraffic || !strings.Contains(v.Reason, "1 of about 13 users needed on containers") {
		t.Errorf("%s: %s", v.Outcome, v.Reason)
	}
	for range instead {
		w = &Window{Pairs: []Pair{{User: 1}}}
		trial.Add(w)
	}
	if v := trial.Verdict(); v.Outcome != Pass {
		t.Errorf("with enough pairs: %s: %s", v.Outcome, v.Reason)
	}
}

// TestPairsOfOneUser: where there is one user only, what the old side says to the same requests decides.
func TestPairsOfOneUser(t *testing.T) {
	trial := NewTrial(Criteria{Tolerance: defaults(), Share: 0.05, Old: "vm", New: "containers"})
	n := 0
	for ; trial.failed == "" && n < 100; n++ {
		trial.Add(&Window{Span: time.Second, Pairs: []Pair{{User: 1, New: Answer{Failed: n%2 == 0}}}})
	}
	if trial.failed != signalPairs || n > 60 {
		t.Errorf("%q after %d pairs: %s", trial.failed, n, trial.Verdict().Reason)
	}
	flaky := NewTrial(Criteria{Tolerance: defaults(), Share: 0.05})
	for i := range 5000 {
		bad := i%3 == 0
		flaky.Add(&Window{Span: time.Second, Pairs: []Pair{{User: 1, Old: Answer{Failed: bad && i%2 == 0}, New: Answer{Failed: bad && i%2 == 1}}}})
	}
	if flaky.failed != "" {
		t.Errorf("a page that fails by turns is condemned: %s", flaky.Verdict().Reason)
	}
}

// TestOneOutageDecidesNothing: however many requests an outage strikes that begins or ends between the two
// questions, it is one.
func TestOneOutageDecidesNothing(t *testing.T) {
	trial := NewTrial(Criteria{Tolerance: defaults(), Share: 0.5})
	w := &Window{Span: 50 * time.Millisecond}
	for range 500 {
		w.Pairs = append(w.Pairs, Pair{New: Answer{Failed: true}})
	}
	if trial.Add(w); trial.failed != "" {
		t.Errorf("condemned: %s", trial.Verdict().Reason)
	}
}

// TestDifferencesCountPages: a page that one user loads again and again is one page.
func TestDifferencesCountPages(t *testing.T) {
	one := NewTrial(Criteria{Tolerance: defaults(), Mirror: true})
	many := NewTrial(Criteria{Tolerance: defaults(), Mirror: true})
	for i := range uint64(300) {
		different := i%4 == 0
		unit := i
		if different {
			unit = 0
		}
		one.Add(&Window{Compared: []Comparison{{Unit: unit, Different: different}}})
		many.Add(&Window{Compared: []Comparison{{Unit: i, Different: different}}})
	}
	if one.failed != "" || many.failed != signalDifferences {
		t.Errorf("one page: %q; many: %q", one.failed, many.failed)
	}
}

// TestPagesThatChange: after the mirror stage it is a coin whether a page has changed before the old side's first
// answer or before its second.
func TestPagesThatChange(t *testing.T) {
	changing := NewTrial(Criteria{Tolerance: defaults(), Share: 0.25})
	broken := NewTrial(Criteria{Tolerance: defaults(), Share: 0.25})
	random := seeded(1, 25)
	for i := range uint64(2000) {
		changing.Add(&Window{Compared: []Comparison{{Unit: i, Checked: true, Different: random.IntN(10) == 0, Unsteady: random.IntN(10) == 0}}})
		broken.Add(&Window{Compared: []Comparison{{Unit: i, Checked: true, Different: i%5 == 0, Unsteady: i%40 == 1}}})
	}
	if changing.failed != "" || broken.failed != signalDifferences {
		t.Errorf("changing: %q, broken: %q", changing.failed, broken.failed)
	}
	if n := broken.differences.compared; n > 300 {
		t.Errorf("a fifth of the pages was seen after %d", n)
	}
}

// TestReference: at 100 % what the old side fails as well is no evidence.
func TestReference(t *testing.T) {
	reference := &Tally{Requests: 10000, Failures: 10}
	for _, c := range []struct {
		name  string
		other Other
		fails bool
	}{{"answered", Answered, true}, {"not asked", NotAsked, true}, {"failed too", FailedToo, false}} {
		trial := NewTrial(Criteria{Tolerance: defaults(), Share: 1, Reference: reference})
		for i := range uint64(1000) {
			e := Event{User: i, New: true, Other: c.other, Answer: Answer{Failed: i%20 == 0}}
			w := &Window{Span: time.Second, Events: []Event{e}}
			w.New.Count(&e.Answer)
			trial.Add(w)
		}
		if (trial.failed != "") != c.fails {
			t.Errorf("%s: %q: %s", c.name, trial.failed, trial.Verdict().Reason)
		}
	}
}

// TestUsedUp: users who have all failed once, in an outage of both sides, can tell again later.
func TestUsedUp(t *testing.T) {
	c := newCrowd(seeded(1, 23), 100, 0.3, 0.5)
	c.size, c.span = 50, time.Second
	trial := NewTrial(Criteria{Tolerance: defaults(), Share: 0.5})
	var w Window
	c.fails = 0.9
	for range 20 {
		c.next(&w)
		trial.Add(&w)
	}
	c.fails = 0.001
	for range 100 {
		c.next(&w)
		trial.Add(&w)
	}
	if trial.failed != "" {
		t.Fatalf("condemned: %s", trial.Verdict().Reason)
	}
	before := trial.new.Requests
	c.worse = 0.5
	for trial.failed == "" && trial.new.Requests < before+2000 {
		c.next(&w)
		trial.Add(&w)
	}
	if trial.failed == "" {
		t.Fatalf("not seen: %+v", trial.Verdict())
	}
	t.Logf("seen after %d requests: %s", trial.new.Requests-before, trial.Verdict().Reason)
}

// TestHanging: a side that does not answer is seen while it does not.
func TestHanging(t *testing.T) {
	c := newCrowd(seeded(1, 24), 3000, 0.5, 0.25)
	c.latency, c.span = lognormal, 50*time.Millisecond
	trial := NewTrial(Criteria{Tolerance: defaults(), Share: 0.25})
	var w Window
	for range 60 {
		c.next(&w)
		trial.Add(&w)
	}
	for i := range 100 {
		c.next(&w)
		w.Waiting = w.Waiting[:0]
		for user := range 60 { // ten come in a second
			if age := time.Duration(i-2*user) * c.span; age > 0 {
				w.Waiting = append(w.Waiting, Wait{User: mix(uint64(user)), New: true, Age: age})
			}
		}
		if trial.Add(&w); trial.failed != "" {
			t.Logf("seen after %v: %s", time.Duration(i)*c.span, trial.Verdict().Reason)
			return
		}
	}
	t.Errorf("not seen: %+v", trial.Verdict())
}

// TestEvidenceIsJSON: whatever was seen, the evidence can be written.
func TestEvidenceIsJSON(t *testing.T) {
	off := defaults()
	off.Errors, off.NotFound = 1, 1
	for _, c := range []Criteria{{}, {Share: 0.05, Tolerance: defaults()}, {Share: 1}, {Mirror: true, Tolerance: defaults()}, {Share: 0.5, Tolerance: off}} {
		v := NewTrial(c).Verdict()
		if _, err := json.Marshal(v); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// TestSlowWithFewUsers: users who are few have all been slow once within the first of the blocks that it takes; that it
// goes on decides.
func TestSlowWithFewUsers(t *testing.T) {
	c := newCrowd(seeded(1, 3), 600, 0.5, 0.05)
	c.size, c.span = 8, 50*time.Millisecond
	c.latency = func(r *rand.Rand) float64 { return 5 + 20*r.Float64() }
	trial := NewTrial(Criteria{Tolerance: defaults(), Share: 0.05})
	run := func(most time.Duration) (lasted time.Duration) {
		var w Window
		for ; trial.failed == "" && lasted < most; lasted += c.span {
			c.next(&w)
			trial.Add(&w)
		}
		return lasted
	}
	c.slower = 8
	run(7 * time.Second)
	c.slower = 0
	if run(30 * time.Second); trial.failed != "" {
		t.Fatalf("slow for seven seconds, and condemned: %s", trial.Verdict().Reason)
	}
	c.slower = 8
	lasted := run(2 * time.Minute)
	if trial.failed == "" {
		t.Fatalf("not seen: %s", trial.Verdict().Reason)
	}
	t.Logf("seen after %v: %s", lasted, trial.Verdict().Reason)
}

// TestAssetsHideNoPages: of a hundred answers ninety are stylesheets and pictures, and of the pages one in eight differs.
func TestAssetsHideNoPages(t *testing.T) {
	for name, asset := range map[string]uint64{"pages": 0, "assets": 1} {
		trial := NewTrial(Criteria{Tolerance: defaults(), Mirror: true})
		for i := range uint64(700) {
			c := Comparison{Unit: i}
			if i%10 != 0 {
				c.Asset = asset * (1 + i%20)
			}
			c.Different = i%80 == 0
			trial.Add(&Window{Compared: []Comparison{c}})
		}
		if failed := trial.failed != ""; failed != (asset != 0) {
			t.Errorf("%s: condemned: %t: %s", name, failed, trial.Verdict().Reason)
		}
	}
}

// TestPlaces: the newest comments differ on nearly every page, by turns; one page in six ends early on the new side.
func TestPlaces(t *testing.T) {
	random := seeded(0, 24)
	noise := func() []Place {
		var list []Place
		for key := range uint64(10) {
			if random.IntN(3) == 0 {
				list = append(list, Place{Key: key, New: random.IntN(2) == 0})
			}
		}
		return list
	}
	compare := func(trial *Trial, unit uint64, list []Place) {
		one := Comparison{Unit: unit, Checked: true, Places: list}
		for _, p := range list {
			one.Different, one.Unsteady = one.Different || p.New, one.Unsteady || !p.New
		}
		trial.Add(&Window{Span: 100 * time.Millisecond, Compared: []Comparison{one}})
	}
	condemned := 0
	for range 100 {
		same := NewTrial(Criteria{Alpha: 0.05, Tolerance: defaults(), Share: 0.25})
		for i := range uint64(600) {
			compare(same, i, noise())
		}
		if same.failed != "" {
			condemned++
		}
	}
	if condemned > mayCondemn(100, 0.05) {
		t.Errorf("%d of 100 condemned", condemned)
	}
	worse := NewTrial(Criteria{Tolerance: defaults(), Share: 0.25})
	i := uint64(0)
	for ; worse.failed == "" && i < 600; i++ {
		list := noise()
		if i%6 == 0 {
			list = append(list, Place{Key: 100, New: true})
		}
		compare(worse, i, list)
	}
	t.Logf("after %d comparisons: %s", i, worse.Verdict().Reason)
	if worse.failed != signalDifferences || !strings.Contains(worse.Verdict().Reason, "; at one place 2") {
		t.Errorf("%q after %d comparisons", worse.failed, i)
	}
}

// TestOneChangeDecidesNothing: a page that changes between two questions shows in all copies that are under way then.
func TestOneChangeDecidesNothing(t *testing.T) {
	trial := NewTrial(Criteria{Tolerance: defaults(), Share: 0.25})
	for second := range uint64(3) {
		for i := range uint64(200) {
			trial.Add(&Window{Span: 5 * time.Millisecond, Compared: []Comparison{{Unit: 1000*second + i, Checked: true, Different: true, Places: []Place{{Key: 1, New: true}}}}})
		}
	}
	if trial.failed != "" {
		t.Errorf("condemned: %s", trial.Verdict().Reason)
	}
}

// TestRefusedAsIsTolerated: a kind of answer that is not judged is none to forms either.
func TestRefusedAsIsTolerated(t *testing.T) {
	tolerance := defaults()
	tolerance.Forbidden = 1
	c := newCrowd(seeded(0, 25), 3000, 0.5, 0.25)
	c.changes, c.refused, c.class, c.size = 0.1, true, Forbidden, 50
	if signal := judged(c, Criteria{Tolerance: tolerance, Share: 0.25}, 100); signal != "" {
		t.Errorf("condemned by %q", signal)
	}
}

// TestPlacesAreForgotten: each page differs at a place of its own, as one that names the newest comment does; one in three
// ends early besides.
func TestPlacesAreForgotten(t *testing.T) {
	p := newPlaces(0, 0)
	random := seeded(0, 26)
	for i := range uint64(3000) {
		c := Comparison{Unit: i, Places: []Place{{Key: 1000 + i, New: random.IntN(2) == 0}}}
		if i > 1000 && i%3 == 0 {
			c.Places = append(c.Places, Place{Key: 1, New: true})
		}
		p.add(&c, true)
	}
	if len(p.list) > mostPlaces || p.value() < 1e6 {
		t.Errorf("%d places, e-value %g", len(p.list), p.value())
	}
}
