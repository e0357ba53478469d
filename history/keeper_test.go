package history

import (
	"fmt"
	"math"
	"testing"
	"time"

	"yadokari/judge"
	"yadokari/setting"
	"yadokari/shift"
)

var start = time.Unix(1_700_000_040, 0) // a multiple of every step

func traffic(route string, at time.Time, state shift.State, share setting.Share, old, new int, took time.Duration) shift.Observation {
	w := new2(old, new, took)
	return shift.Observation{Route: route, Time: at, Place: shift.Place{State: state, Stage: share.String(), Share: share}, Window: w}
}

func new2(old, new int, took time.Duration) *judge.Window {
	w := &judge.Window{}
	w.Old.Requests, w.New.Requests = uint64(old), uint64(new)
	for range old {
		w.Old.Latency.Observe(took)
	}
	for range new {
		w.New.Latency.Observe(2 * took)
	}
	return w
}

func total(points []Point) (old, new uint64) {
	for _, p := range points {
		old += uint64(p.Old.Requests)
		new += uint64(p.New.Requests)
	}
	return old, new
}

func TestEveryResolutionCountsTheSame(t *testing.T) {
	var k Keeper
	at := start
	for range 20 * 60 * 30 { // half an hour at 20 windows a second
		at = at.Add(50 * time.Millisecond)
		k.Observe(traffic("wiki", at, shift.Shifting, 0.05, 19, 1, 10*time.Millisecond))
	}
	end := start.Add(30*time.Minute + 2*time.Second)
	for _, c := range []struct {
		span   time.Duration
		step   int64
		covers time.Duration
	}{
		{time.Minute, 1, time.Minute - 2*time.Second},
		{5 * time.Minute, 1, 5*time.Minute - 2*time.Second},
		{time.Hour, 10, 30 * time.Minute},
		{24 * time.Hour, 120, 30 * time.Minute},
		{1000 * time.Hour, 120, 30 * time.Minute},
	} {
		s := k.Series("wiki", c.span, time.Time{}, end)
		old, new := total(s.Points)
		want := uint64(c.covers.Seconds() * 20)
		if s.Step != c.step || new < want-25 || new > want+25 || old != 19*new {
			t.Errorf("%s: steps of %d s hold %d and %d requests; want about %d on the new side", c.span, s.Step, old, new, want)
		}
		for i, p := range s.Points {
			if p.Time%s.Step != 0 || i > 0 && p.Time != s.Points[i-1].Time+s.Step {
				t.Fatalf("%s: point %d begins at %d", c.span, i, p.Time)
			}
			if off := float64(p.Old.P95)/10 - 1; math.Abs(off) > 0.03 {
				t.Fatalf("%s: p95 is %g ms, want 10", c.span, p.Old.P95)
			}
			if off := float64(p.New.P50)/20 - 1; math.Abs(off) > 0.03 || p.Share != 0.05 {
				t.Fatalf("%s: p50 is %g ms at %g", c.span, p.New.P50, p.Share)
			}
		}
	}
	old, new := total(k.Recent(time.Time{}, end)["wiki"])
	if new < 5*60*20-125 || new > 5*60*20 || old != 19*new {
		t.Errorf("recently there were %d and %d requests", old, new)
	}
}

func TestOnlyStepsThatAreOverAreTold(t *testing.T) {
	var k Keeper
	k.Observe(traffic("wiki", start.Add(100*time.Millisecond), shift.Idle, 0, 7, 0, time.Millisecond))
	if s := k.Series("wiki", time.Minute, time.Time{}, start.Add(4*time.Second)); len(s.Points) != 0 || s.Until != start.Unix() {
		t.Errorf("%+v is told of a step under way", s)
	}
	s := k.Series("wiki", time.Minute, time.Time{}, start.Add(5*time.Second))
	if len(s.Points) != 1 || s.Points[0].Old.Requests != 7 || s.Until != start.Unix()+5 {
		t.Errorf("%+v", s)
	}
	if s := k.Series("wiki", time.Minute, time.Unix(s.Until, 0), start.Add(6*time.Second)); len(s.Points) != 0 {
		t.Errorf("%+v is told again", s)
	}
	if s := k.Series("nobody", time.Minute, time.Time{}, start); s.Points == nil || len(s.Points) != 0 {
		t.Errorf("%+v of a route that had no traffic", s)
	}
}

func TestAStepThatWasToldDoesNotChange(t *testing.T) {
	var k Keeper
	k.Observe(traffic("wiki", start.Add(4*time.Second), shift.Shifting, 0.5, 5, 5, time.Millisecond))
	k.Series("wiki", time.Minute, time.Time{}, start.Add(5*time.Second))
	k.Observe(traffic("wiki", start.Add(4900*time.Millisecond), shift.Shifting, 0.5, 3, 3, time.Millisecond)) // late
	s := k.Series("wiki", time.Minute, time.Time{}, start.Add(7*time.Second))
	if len(s.Points) != 2 || s.Points[0].Old.Requests != 5 || s.Points[1].Time != start.Unix()+5 || s.Points[1].Old.Requests != 3 {
		t.Errorf("%+v", s.Points)
	}
	if recent := k.Recent(time.Time{}, start.Add(10*time.Second))["wiki"]; len(recent) != 2 || recent[1].Old.Requests != 3 {
		t.Errorf("%+v", recent)
	}
}

func TestAJourneyBeginsInTheMiddleOfAStep(t *testing.T) {
	var k Keeper
	k.Observe(traffic("wiki", start.Add(time.Second), shift.Idle, 0, 5, 0, time.Millisecond))
	k.Observe(traffic("wiki", start.Add(2*time.Second), shift.Shifting, 0.5, 3, 2, time.Millisecond))
	points := k.Recent(time.Time{}, start.Add(5*time.Second))["wiki"]
	if len(points) != 1 || points[0].Old.Requests != 8 || points[0].New.Requests != 2 {
		t.Errorf("the step is %+v", points)
	}
}

func TestAQuietTimeLeavesAGap(t *testing.T) {
	var k Keeper
	k.Observe(traffic("wiki", start, shift.Done, 1, 0, 1, time.Millisecond))
	k.Observe(traffic("wiki", start.Add(time.Hour), shift.Done, 1, 0, 1, time.Millisecond))
	s := k.Series("wiki", 2*time.Hour, time.Time{}, start.Add(time.Hour+time.Minute))
	if len(s.Points) != 2 || s.Points[1].Time-s.Points[0].Time != 3600 {
		t.Errorf("%+v", s.Points)
	}
}

func TestLatenciesAreThoseOfTheStage(t *testing.T) {
	var k Keeper
	k.Observe(traffic("wiki", start, shift.Shifting, 0.01, 99, 1, time.Millisecond))
	k.Observe(traffic("wiki", start.Add(time.Second), shift.Shifting, 0.05, 95, 5, time.Millisecond))
	k.Observe(traffic("wiki", start.Add(2*time.Second), shift.Paused, 0.05, 95, 5, time.Millisecond))
	k.Observe(traffic("wiki", start.Add(3*time.Second), shift.RolledBack, 0, 100, 0, time.Millisecond))
	l := k.Latencies("wiki")
	if l.Stage != "5%" || len(l.New) != 1 || l.New[0].N != 10 || l.Old[0].N != 190 || !(l.New[0].From <= 2 && 2 <= l.New[0].To) {
		t.Errorf("%+v", l)
	}
	if l := k.Latencies("nobody"); l.Stage != "" || l.Old == nil {
		t.Errorf("%+v", l)
	}
}

// TestASecondJourneyBeginsAnew: its stage has the name of the first one's, and nothing else of it.
func TestASecondJourneyBeginsAnew(t *testing.T) {
	var k Keeper
	for i, requests := range []int{10, 3} {
		at := start.Add(time.Duration(i) * time.Hour)
		o := traffic("wiki", at, shift.Shifting, 0.05, requests, 1, time.Millisecond)
		o.Begun = at
		k.Observe(o)
		if l := k.Latencies("wiki"); l.Old[0].N != uint32(requests) || !l.Since.Equal(at) {
			t.Errorf("journey %d: %+v", i+1, l)
		}
	}
}

// TestInMirrorThePairsAreShown: those are what is judged.
func TestInMirrorThePairsAreShown(t *testing.T) {
	var k Keeper
	o := traffic("wiki", start, shift.Shifting, 0, 90, 10, time.Millisecond)
	o.Place.Stage = shift.MirrorStage
	for range 8 {
		o.Window.Pairs = append(o.Window.Pairs, judge.Pair{Copied: true, Old: judge.Answer{Last: 100}, New: judge.Answer{Last: 100}})
	}
	k.Observe(o)
	if l := k.Latencies("wiki"); len(l.Old) != 1 || l.Old[0].N != 8 || len(l.New) != 1 || l.New[0].N != 8 {
		t.Errorf("%+v", l)
	}
}

// TestSinceWhenStepsAreKept: a route that begins its journey was not quiet before it.
func TestSinceWhenStepsAreKept(t *testing.T) {
	var k Keeper
	k.Observe(traffic("wiki", start, shift.Idle, 0, 5, 0, time.Millisecond))
	begun := start.Add(time.Hour)
	k.Observe(traffic("wiki", begun, shift.Shifting, 0.5, 5, 5, time.Millisecond))
	for span, from := range map[time.Duration]int64{2 * time.Hour: begun.Unix(), 5 * time.Minute: begun.Unix()} {
		if s := k.Series("wiki", span, time.Time{}, begun.Add(time.Minute)); s.From != from {
			t.Errorf("steps of %d s are known from %d on, want %d", s.Step, s.From, from)
		}
	}
}

func TestDoubt(t *testing.T) {
	for _, c := range []struct {
		name     string
		evidence *judge.Evidence
		want     float32
	}{
		{"nothing is judged", nil, -1},
		{"all is well", &judge.Evidence{Signals: []judge.Signal{{Name: "errors"}}}, 0},
		{"halfway", &judge.Evidence{Signals: []judge.Signal{{Name: "errors", Part: 0.5}}}, 0.5},
		{"the loudest", &judge.Evidence{Signals: []judge.Signal{{Name: "errors", Part: 0.1}, {Name: "differences", Part: 0.75}}}, 0.75},
		{"the breaker", &judge.Evidence{Breaker: judge.Breaker{Run: 2, Limit: 5}}, 0.4},
		{"beyond", &judge.Evidence{Breaker: judge.Breaker{Run: 9, Limit: 5}}, 1},
		{"decided", &judge.Evidence{Decided: "p95"}, 1},
	} {
		if got := doubt(c.evidence); math.Abs(float64(got-c.want)) > 1e-6 {
			t.Errorf("%s: %g, want %g", c.name, got, c.want)
		}
	}
}

func TestRoutesAreBounded(t *testing.T) {
	var k Keeper
	at := start
	for i := range mostRoutes + 100 {
		k.Observe(traffic(fmt.Sprint("r", i), at, shift.Idle, 0, 1, 0, time.Millisecond))
	}
	if len(k.routes) != mostRoutes {
		t.Fatalf("%d routes are kept", len(k.routes))
	}
	at = at.Add(2 * time.Second)
	k.Observe(traffic("moving", at, shift.Shifting, 0.5, 1, 1, time.Millisecond))
	if len(k.routes) != mostRoutes || k.routes["moving"] == nil {
		t.Error("a route in a journey found no place")
	}
	at = at.Add(quiet + 2*time.Second)
	k.Observe(traffic("late", at, shift.Idle, 0, 1, 0, time.Millisecond))
	if k.routes["late"] == nil || len(k.routes) != 2 {
		t.Errorf("%d routes are kept after a quiet time", len(k.routes))
	}
}

func TestDetailIsBounded(t *testing.T) {
	var k Keeper
	for i := range mostDetailed + 1 {
		k.Observe(traffic(fmt.Sprint("r", i), start, shift.Shifting, 0.5, 1, 1, time.Millisecond))
	}
	last := fmt.Sprint("r", mostDetailed)
	if k.detailed != mostDetailed || k.routes[last].detailed {
		t.Fatalf("%d routes are kept in detail", k.detailed)
	}
	later := start.Add(quiet + time.Second)
	k.Observe(traffic(last, later, shift.Shifting, 0.5, 1, 1, time.Millisecond))
	if k.detailed != mostDetailed || !k.routes[last].detailed {
		t.Errorf("%d routes are kept in detail, the last: %v", k.detailed, k.routes[last].detailed)
	}
}

func BenchmarkObserve(b *testing.B) {
	var k Keeper
	w := new2(20, 20, 7*time.Millisecond)
	for i := range 30 {
		w.Old.Latency.Observe(time.Duration(i) * time.Millisecond)
	}
	o := shift.Observation{Route: "wiki", Time: start, Place: shift.Place{State: shift.Shifting, Stage: "5%", Share: 0.05}, Window: w}
	for b.Loop() {
		o.Time = o.Time.Add(50 * time.Millisecond)
		k.Observe(o)
	}
}
