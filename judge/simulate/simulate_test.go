package simulate_test

import (
	"flag"
	"math"
	"slices"
	"testing"

	"yadokari/config"
	"yadokari/judge"
	"yadokari/judge/simulate"
)

// runs is how many stages of each scenario are simulated: enough to see that it works. For the promise itself:
//
//	go test ./judge/simulate -run SameProgram -v -runs 20000 -timeout 5h
var runs = flag.Int("runs", 2, "stages of each built-in scenario")

func scenario(t testing.TB, text string) *simulate.Plan {
	t.Helper()
	var s simulate.Scenario
	if err := config.Decode("scenario", []byte(text), &s); err != nil {
		t.Fatal(err)
	}
	return simulate.NewPlan(&s)
}

func builtin(t testing.TB, name string) *simulate.Plan {
	t.Helper()
	text, ok := simulate.Builtin(name)
	if !ok {
		t.Fatalf("no scenario %q", name)
	}
	return scenario(t, string(text))
}

// TestSameProgram: none of the built-in scenarios, in all of which both sides are the same program, is
// condemned more often than chance allows.
func TestSameProgram(t *testing.T) {
	for _, name := range simulate.Builtins() {
		t.Run(name, func(t *testing.T) {
			p := builtin(t, name)
			if *runs < 10 {
				p.Requests = 4000
			}
			r, err := simulate.Run(t.Context(), name, p, simulate.Options{Stages: *runs, Seed: 1, Alphas: []float64{0.001, 0.05}})
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range r.Levels {
				t.Logf("alpha %v: %d of %d condemned, chance allows %d: %v", l.Alpha, l.Condemned, r.Stages, l.Allowed, l.Signals)
				if l.Condemned > l.Allowed {
					t.Errorf("alpha %v: %d of %d condemned, chance allows %d: %v", l.Alpha, l.Condemned, r.Stages, l.Allowed, l.Signals)
				}
			}
		})
	}
}

func BenchmarkStage(b *testing.B) {
	for _, name := range simulate.Builtins() {
		b.Run(name, func(b *testing.B) {
			t := simulate.NewTraffic(builtin(b, name))
			requests := uint64(0)
			for i := range b.N {
				requests += t.Run(uint64(i), 0)[0].Requests
			}
			b.ReportMetric(float64(requests)/float64(b.N), "new-requests/op")
		})
	}
}

// TestOneSeedOneResult: whatever the order in which processors take the stages.
func TestOneSeedOneResult(t *testing.T) {
	p := scenario(t, "{share: 50%, users: {number: 60, rate: 30, think: 1s}, answers: {fails: 5%}, length: 20s, outages: {every: 5s}, worse: {fails: 20%}}")
	var first []simulate.Stage
	for range 3 {
		got := simulate.NewTraffic(p).Run(7, 0.01, 0.05)
		if first == nil {
			first = got
		}
		if !slices.Equal(got, first) {
			t.Fatalf("got %+v, then %+v", first, got)
		}
	}
	reused := simulate.NewTraffic(p)
	reused.Run(3, 0.01)
	if got := reused.Run(7, 0.01, 0.05); !slices.Equal(got, first) {
		t.Errorf("with used memory: got %+v, want %+v", got, first)
	}
}

// TestTraffic: rates, shares and classes are those of the scenario.
func TestTraffic(t *testing.T) {
	p := scenario(t, `{share: 25%, users: {number: 3000, rate: 100, session: 4, think: 2s}, length: 5m, answers: {fails: 2%, notFound: 4%},
  crawlers: [{rate: 5, answers: {forbidden: 100%}}], pages: {unsafe: 20%}}`)
	traffic := simulate.NewTraffic(p)
	traffic.Begin(1)
	var w judge.Window
	var all, new, failed, notFound, forbidden, asked int
	users := map[uint64]bool{}
	for traffic.Next(&w) {
		for _, e := range w.Events {
			all++
			users[e.User] = true
			if e.New {
				new++
				if e.Other != judge.NotAsked {
					asked++
				}
			}
			if e.New != (float64(e.User>>11)/(1<<53) < 0.25) {
				t.Fatalf("%+v is on the wrong side", e)
			}
			failed += count(e.Failed)
			notFound += count(e.Class == judge.NotFound)
			forbidden += count(e.Class == judge.Forbidden)
		}
		if int(w.Old.Requests+w.New.Requests) != len(w.Events) {
			t.Fatalf("%d and %d requests, %d events", w.Old.Requests, w.New.Requests, len(w.Events))
		}
	}
	within := func(what string, got int, want, part float64) {
		t.Helper()
		if math.Abs(float64(got)-want) > part*want {
			t.Errorf("%s: %d, want about %.0f", what, got, want)
		}
	}
	within("requests", all, 300*105, 0.1)
	within("of the new side", new, 0.25*float64(all), 0.25)
	within("failed", failed, 0.02*float64(all), 0.2)
	within("not found", notFound, 0.04*300*100, 0.2)
	within("forbidden", forbidden, 300*5, 0.2)
	within("asked of the old side", asked, 0.02*0.8*float64(new), 0.5)
	if len(users) < 2000 {
		t.Errorf("%d users", len(users))
	}
}

func count(is bool) int {
	if is {
		return 1
	}
	return 0
}

// TestMirror: nobody is moved, and each safe request is a pair.
func TestMirror(t *testing.T) {
	traffic := simulate.NewTraffic(scenario(t, "{mirror: true, length: 1m, pages: {unsafe: 0%}, worse: {fails: 30%}}"))
	traffic.Begin(1)
	var w judge.Window
	pairs, bad, old := 0, 0, 0
	for traffic.Next(&w) {
		if len(w.Events) > 0 || w.Old.Requests != uint64(len(w.Pairs)) || w.New.Requests != uint64(len(w.Pairs)) {
			t.Fatalf("%d events, %d pairs, %d and %d requests", len(w.Events), len(w.Pairs), w.Old.Requests, w.New.Requests)
		}
		for _, p := range w.Pairs {
			pairs++
			bad += count(p.New.Failed)
			old += count(p.Old.Failed)
			if !p.Copied {
				t.Fatal("a pair that is no copy")
			}
		}
	}
	if pairs < 500 || bad < pairs/4 || bad > pairs/3+50 || old > 0 {
		t.Errorf("%d pairs, %d and %d failed", pairs, bad, old)
	}
}

// TestWorse: what is worse is seen, under its name.
func TestWorse(t *testing.T) {
	for worse, signals := range map[string][]string{
		"fails: 30%":        {"errors", "pairs", "breaker"},
		"forbidden: 30%":    {"forbidden"},
		"unauthorized: 30%": {"unauthorized"},
		"notFound: 30%":     {"notFound"},
		"logins: 30%":       {"logins", "redirects"},
		"otherHosts: 30%":   {"otherHosts", "redirects"},
		"slower: 200%":      {"p95", "firstByte"},
		"shorter: 90%":      {"size", "differences"},
		"hangs: 50%":        {"stalled", "p95", "firstByte"},
		"differs: 50%":      {"differences"},
	} {
		moved := "0%" // differences would be seen before all else
		if slices.Contains(signals, "differences") {
			moved = "10%"
		}
		p := scenario(t, "{share: 25%, moved: "+moved+", users: {rate: 40, number: 3000}, length: 10m, worse: {"+worse+"}}")
		r, err := simulate.Run(t.Context(), worse, p, simulate.Options{Stages: 3, Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		l := r.Levels[0]
		if l.Condemned < 3 || l.Requests.P95 == 0 || l.Users.Median > l.Requests.Median {
			t.Errorf("%s: %+v", worse, l)
		}
		for _, c := range l.Signals {
			if !slices.Contains(signals, c.Signal) {
				t.Errorf("%s: %+v", worse, c)
			}
		}
	}
}
