package judge

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"yadokari/setting"
)

// The simulations are seeded: a run is the same each time. `go test ./judge -run Simulate -v -runs 10`
// takes ten times as many; docs/verdict.md holds what TestSimulateDetection and
// TestSimulateLatency print.
var times = flag.Int("runs", 1, "how many times the usual number of simulated stages")

// alphas are the promises that simulated stages are held against: the default, and one that is
// broken often enough by chance for its share to be told.
var alphas = [...]float64{0.001, 0.05}

// condemned runs stages of so many windows and counts those that the test of errors condemns at each
// of the alphas. All watch the same wealth, so one stage serves for each.
func condemned(runs, windows int, c Criteria, begin func(run int) func(*Window)) (counts [len(alphas)]int) {
	var w Window
	c.Alpha = slices.Min(alphas[:])
	for run := range runs {
		trial, next, most := NewTrial(c), begin(run), 0.0
		for range windows {
			next(&w)
			trial.Add(&w)
			most = max(most, trial.errors.value())
		}
		for i, alpha := range alphas {
			if most >= 1/alpha {
				counts[i]++
			}
		}
	}
	return counts
}

// within checks the counts of condemned stages.
func within(t *testing.T, runs int, counts [len(alphas)]int) {
	t.Helper()
	for i, alpha := range alphas {
		t.Logf("alpha %v: %d of %d condemned", alpha, counts[i], runs)
		if most := mayCondemn(runs, alpha); counts[i] > most {
			t.Errorf("alpha %v: %d of %d condemned, chance allows %d", alpha, counts[i], runs, most)
		}
	}
}

// mayCondemn is what chance allows at most: the mean and three standard deviations.
func mayCondemn(runs int, alpha float64) int {
	mean := float64(runs) * alpha
	return int(mean + 3*math.Sqrt(mean*(1-alpha)))
}

func share(x float64) *setting.Share { s := setting.Share(x); return &s }

// TestSimulateAlpha is the promise: a side that is as good is condemned in at most alpha of the stages,
// however failures come.
func TestSimulateAlpha(t *testing.T) {
	const none = setting.Share(0)
	mixed := []int{1, 10, 100, 1000}
	cases := []struct {
		name      string
		runs      int
		windows   int
		tolerance setting.Share
		share     float64
		traffic   traffic
	}{
		{"independent, 0.1%", 6000, 200, none, 0.05, traffic{old: 0.001, new: 0.001}},
		{"independent, 5%", 2000, 200, none, 0.05, traffic{old: 0.05, new: 0.05}},
		{"independent, 20%, share 1%", 2000, 200, none, 0.01, traffic{old: 0.2, new: 0.2}},
		{"independent, 1%, share 50%", 2000, 200, none, 0.5, traffic{old: 0.01, new: 0.01}},
		{"outages on both sides", 6000, 200, none, 0.05, traffic{old: 0.001, new: 0.001, outage: 0.02, outages: 0.5}},
		{"single users' bursts", 6000, 200, none, 0.05, traffic{old: 0.0005, new: 0.0005, bursts: 0.0005}},
		{"single users' bursts, share 1%", 6000, 200, none, 0.01, traffic{bursts: 0.001}},
		{"bursts and outages, share 25%", 2000, 200, none, 0.25, traffic{old: 0.002, new: 0.002, bursts: 0.0005, outage: 0.01, outages: 0.3}},
		{"at the tolerance", 6000, 200, 0.001, 0.05, traffic{old: 0.001, new: 0.002}},
		{"at the tolerance, old side perfect", 2000, 200, 0.01, 0.05, traffic{old: 0, new: 0.01}},
		{"at the tolerance, crowded", 2000, 100, 0.01, 0.5, traffic{old: 0.01, new: 0.02}},
		{"at the tolerance, outages", 2000, 200, 0.005, 0.25, traffic{old: 0.001, new: 0.006, outage: 0.02, outages: 0.5}},
	}
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			runs := tt.runs * *times
			c := Criteria{Tolerance: Tolerance{Errors: tt.tolerance}, Share: setting.Share(tt.share)}
			within(t, runs, condemned(runs, tt.windows, c, func(run int) func(*Window) {
				traffic := tt.traffic
				traffic.random, traffic.share = seeded(run, 1), tt.share
				traffic.size = mixed[run%len(mixed)]
				return traffic.next
			}))
		})
	}
}

// TestSimulateUsers: the real share of the requests is what few heavy users make it.
func TestSimulateUsers(t *testing.T) {
	for _, rate := range []float64{0.001, 0.01, 0.05} {
		t.Run(percent(rate), func(t *testing.T) {
			t.Parallel()
			runs := 1000 * *times
			within(t, runs, condemned(runs, 500, Criteria{Share: 0.05}, func(run int) func(*Window) {
				return newUsers(seeded(run, 2), 60, 0.05, rate).next
			}))
		})
	}
}

// detect runs stages until they fail and returns the new side's requests it took, sorted; those that
// never fail count as -1 at the end.
func detect(runs, most int, c Criteria, ask bool, begin func(run int) *traffic) []int {
	var w Window
	needed := make([]int, runs)
	for run := range runs {
		trial, traffic := NewTrial(c), begin(run)
		for trial.failed == "" && trial.new.Requests < uint64(most) {
			traffic.next(&w)
			trial.Add(&w)
			if ask {
				trial.Verdict()
			}
		}
		needed[run] = int(trial.new.Requests)
		if trial.failed == "" {
			needed[run] = math.MaxInt
		}
	}
	slices.Sort(needed)
	return needed
}

func at(sorted []int, q float64) int { return sorted[int(q*float64(len(sorted)))] }

func written(n int) string {
	if n == math.MaxInt {
		return "never"
	}
	return thousands(uint64(n))
}

// TestSimulateDetection prints how many requests of the new side it takes to see that it fails more.
func TestSimulateDetection(t *testing.T) {
	most := map[string]int{"0/1": 3, "0/0.05": 66, "0/0.01": 610}
	t.Log("| new side fails | tolerance | window | median | p95 |")
	for _, tolerance := range []setting.Share{0, 0.001} {
		for _, rate := range []float64{1, 0.5, 0.2, 0.05, 0.02, 0.01, 0.005} {
			for _, size := range []int{1, 20, 1000} {
				if size == 1 && rate < 0.01 {
					continue // tells no more than 20 and takes long
				}
				runs, limit := 100**times, 60000
				if tolerance == 0 && size == 1 && rate == 0.05 {
					runs = 10000 * *times // the closest of the promises
				} else if tolerance == 0 && size == 1 && rate == 0.01 {
					runs = 2000 * *times
				}
				needed := detect(runs, limit, Criteria{Tolerance: Tolerance{Errors: tolerance}, Share: 0.05}, false,
					func(run int) *traffic {
						return &traffic{random: seeded(run, 3), size: size, share: 0.05, old: 0.001, new: rate}
					})
				median := at(needed, 0.5)
				t.Logf("| %s | %s | %d | %s | %s |", percent(rate), percent(float64(tolerance)), size, written(median), written(at(needed, 0.95)))
				if top, ok := most[fmt.Sprintf("%v/%v", float64(tolerance), rate)]; ok && size == 1 && median > top {
					t.Errorf("%s failing: median %d, promised %d", percent(rate), median, top)
				}
				if median == math.MaxInt {
					t.Errorf("%s failing, tolerance %s, windows of %d: not seen in %d requests", percent(rate), tolerance, size, limit)
				}
			}
		}
	}
}

// TestSimulateLate: a long good time must not shield a side that breaks then.
func TestSimulateLate(t *testing.T) {
	var w Window
	var needed []int
	for run := range 100 * *times {
		trial := NewTrial(Criteria{Tolerance: Tolerance{Errors: 0.001}, Share: 0.05})
		good := traffic{random: seeded(run, 4), size: 1000, share: 0.05, old: 0.001, new: 0.001}
		for range 2000 {
			good.next(&w)
			trial.Add(&w)
		}
		if trial.failed != "" {
			t.Fatalf("run %d: condemned while good", run)
		}
		before := trial.new.Requests
		bad := traffic{random: seeded(run, 5), size: 20, share: 0.05, old: 0.001, new: 0.2}
		for trial.failed == "" && trial.new.Requests < before+5000 {
			bad.next(&w)
			trial.Add(&w)
		}
		needed = append(needed, int(trial.new.Requests-before))
	}
	slices.Sort(needed)
	t.Logf("20 %% failing after 100,000 good requests: median %d, p95 %d", at(needed, 0.5), at(needed, 0.95))
	if at(needed, 0.95) > 200 {
		t.Errorf("20%% failing after a good time: p95 %d requests", at(needed, 0.95))
	}
}

// TestSimulateCrowded: windows so large that each has failures on both sides still tell.
func TestSimulateCrowded(t *testing.T) {
	for _, tolerance := range []setting.Share{0, 0.001} {
		needed := detect(50**times, 1000000, Criteria{Tolerance: Tolerance{Errors: tolerance}, Share: 0.5}, false, func(run int) *traffic {
			return &traffic{random: seeded(run, 10), size: 2000, share: 0.5, old: 0.001, new: 0.01}
		})
		t.Logf("1 %% failing, share 50 %%, windows of 2,000, tolerance %v: median %s, p95 %s requests", tolerance, written(at(needed, 0.5)), written(at(needed, 0.95)))
		if at(needed, 0.95) > 100000 {
			t.Errorf("tolerance %v: p95 %s requests", tolerance, written(at(needed, 0.95)))
		}
	}
}

type kind struct {
	name    string
	latency func(*rand.Rand) float64
}

var heavy = []kind{{"lognormal", lognormal}, {"Pareto", pareto}}

// TestSimulateLatencyAlpha: sides with the same latency are as good, and so is one that is at the tolerance.
func TestSimulateLatencyAlpha(t *testing.T) {
	for _, kind := range heavy {
		for _, slower := range []float64{1, 1.2} {
			t.Run(fmt.Sprintf("%s times %v", kind.name, slower), func(t *testing.T) {
				t.Parallel()
				const alpha = 0.5 // leaves 0.05 for latencies
				tolerated := share(slower - 1)
				c := Criteria{Alpha: alpha, Tolerance: Tolerance{P50: tolerated, P95: tolerated, P99: tolerated}}
				runs, count := 200**times, 0
				var w Window
				for run := range runs {
					trial := NewTrial(c)
					traffic := traffic{random: seeded(run, 6), size: 100, share: 0.5, latency: kind.latency, slower: slower}
					for range 60 {
						traffic.next(&w)
						trial.Add(&w)
						if trial.Verdict().Outcome == Fail {
							count++
							break
						}
					}
				}
				t.Logf("%d of %d condemned", count, runs)
				if most := mayCondemn(runs, alpha*latencyPart); count > most {
					t.Errorf("%d of %d condemned, chance allows %d", count, runs, most)
				}
			})
		}
	}
}

// TestSimulateLatency prints how many requests of the new side it takes to see that it is slower.
func TestSimulateLatency(t *testing.T) {
	t.Log("| latency | slower by | judged | tolerance | median | p95 |")
	for _, kind := range heavy {
		for _, slower := range []float64{1.2, 1.5, 2} {
			for i, name := range []string{"p50", "p95", "p99"} {
				for _, tolerance := range []float64{0, 0.2} {
					if slower == 1.2 && tolerance == 0.2 {
						continue // at the tolerance: not worse
					}
					var judged Tolerance
					*[]**setting.Share{&judged.P50, &judged.P95, &judged.P99}[i] = share(tolerance)
					needed := detect(20**times, 1000000, Criteria{Tolerance: judged, Share: 0.25}, true, func(run int) *traffic {
						return &traffic{random: seeded(run, 7), size: 400, share: 0.25, latency: kind.latency, slower: slower}
					})
					t.Logf("| %s | %s | %s | %s | %s | %s |", kind.name, percent(slower-1), name, percent(tolerance),
						written(at(needed, 0.5)), written(at(needed, 0.95)))
					if at(needed, 0.95) == math.MaxInt {
						t.Errorf("%s %v times slower at %s: not seen in 1,000,000 requests", kind.name, slower, name)
					}
				}
			}
		}
	}
}

// TestSimulateTail: a p95 that is worse is seen at p95, and p50, which is not, does not mind.
func TestSimulateTail(t *testing.T) {
	var w Window
	trial := NewTrial(Criteria{Tolerance: Tolerance{P50: share(0.1), P95: share(0.2)}, Share: 0.25})
	fast := traffic{random: seeded(0, 8), size: 300, latency: lognormal}
	slow := traffic{random: seeded(1, 8), size: 100, share: 1, latency: tail(2), slower: 1}
	for range 500 {
		var one Window
		fast.next(&w)
		slow.next(&one)
		w.New.Merge(&one.New)
		trial.Add(&w)
		if v := trial.Verdict(); v.Outcome == Fail {
			if v.Evidence.Decided != "p95" {
				t.Fatalf("decided by %s: %s", v.Evidence.Decided, v.Reason)
			}
			t.Log(v.Reason)
			return
		}
	}
	t.Fatalf("not seen: %s", trial.Verdict().Reason)
}

// TestSimulateAllTests asks for the verdict of a whole trial after every window: errors, three quantiles
// and, in mirror, differences share one alpha, and a side that is at every tolerance is as good.
func TestSimulateAllTests(t *testing.T) {
	const differences = 0.02
	for _, mirror := range []bool{false, true} {
		for _, kind := range heavy {
			t.Run(fmt.Sprintf("%s, mirror %v", kind.name, mirror), func(t *testing.T) {
				t.Parallel()
				const alpha = 0.2
				c := Criteria{Alpha: alpha, Mirror: mirror, Share: 0.5, Tolerance: Tolerance{
					Errors: 0.005, P50: share(0.1), P95: share(0.1), P99: share(0.1), Differences: differences}}
				runs, count := 300**times, 0
				var w Window
				for run := range runs {
					trial := NewTrial(c)
					traffic := traffic{random: seeded(run, 7), size: 100, share: 0.5, old: 0.01, new: 0.015, bursts: 0.0005,
						outage: 0.02, outages: 0.3, latency: kind.latency, slower: 1.1}
					for range 60 {
						traffic.next(&w)
						if mirror {
							w.Pairs = Pairs{w.Old, w.New}
							w.Mirror.Compared = w.New.Requests
							w.Mirror.Different = uint64(binomial(traffic.random, int(w.New.Requests), differences))
						}
						trial.Add(&w)
						if trial.Verdict().Outcome == Fail {
							count++
							break
						}
					}
				}
				t.Logf("%d of %d condemned", count, runs)
				if most := mayCondemn(runs, alpha); count > most {
					t.Errorf("%d of %d condemned, chance allows %d", count, runs, most)
				}
			})
		}
	}
}
