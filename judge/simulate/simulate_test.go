package simulate_test

import (
	"flag"
	"testing"

	"yadokari/config"
	"yadokari/judge/simulate"
)

// runs is how many stages of each scenario are simulated. The usual number is small; for the promise itself:
//
//	go test ./judge/simulate -run SameProgram -v -runs 20000 -timeout 5h
var runs = flag.Int("runs", 40, "stages of each built-in scenario")

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
