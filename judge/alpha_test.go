package judge

import (
	"fmt"
	"math"
	"testing"
	"time"

	"yadokari/setting"
)

// mayCondemn is what chance allows at most: the mean and three standard deviations.
func mayCondemn(runs int, alpha float64) int {
	mean := float64(runs) * alpha
	return int(mean + 3*math.Sqrt(mean*(1-alpha)))
}

// same is one program on both sides, for all kinds of users.
var same = []struct {
	name  string
	users int
	zipf  float64
	do    func(*crowd)
}{
	{"few fail", 500, 0.8, func(c *crowd) { c.fails = 0.002 }},
	{"many fail", 500, 0.8, func(c *crowd) { c.fails = 0.1 }},
	{"twenty users", 20, 0.5, func(c *crowd) { c.fails = 0.05 }},
	{"a crawler", 300, 0, func(c *crowd) { c.weight[0] = 100; shift(c.weight, 100); c.broken = 1; c.fails = 0.001 }},
	{"ten broken accounts", 300, 0.5, func(c *crowd) { c.broken = 10; c.fails = 0.001 }},
	{"one user has most requests", 100, 2, func(c *crowd) { c.fails, c.latency = 0.01, lognormal }},
	{"slow users", 300, 0.8, func(c *crowd) { c.latency, c.ofUser = lognormal, 5 }},
	{"heavy tails", 300, 0.8, func(c *crowd) { c.latency, c.ofUser = pareto, 2 }},
	{"outages", 500, 0.8, func(c *crowd) { c.fails, c.outage, c.latency = 0.002, 0.01, lognormal }},
	{"outages, the old side is asked", 500, 0.8, func(c *crowd) { c.fails, c.outage, c.asked = 0.002, 0.01, true }},
	{"outages, the old side is asked late", 500, 0.8, func(c *crowd) { c.fails, c.outage, c.asked, c.late = 0.002, 0.02, true, 2 }},
	{"rising load", 300, 0.3, func(c *crowd) { c.latency, c.rises, c.grown = lognormal, 1.02, 0.2 }},
	{"classes", 500, 0.8, func(c *crowd) { c.common, c.class = 0.05, NotFound|Redirect }},
}

// shift adds to all but the first: the first has that much weight.
func shift(weights []float64, by float64) {
	for i := range weights[1:] {
		weights[i+1] += by
	}
}

// TestSameProgram is the promise: one program on both sides is condemned in at most alpha of the stages.
func TestSameProgram(t *testing.T) {
	const alpha = 0.05
	for _, s := range same {
		for _, share := range []float64{0.05, 0.5} {
			t.Run(fmt.Sprintf("%s, %v", s.name, setting.Share(share)), func(t *testing.T) {
				t.Parallel()
				runs, count := 40**times, 0
				by := map[string]int{}
				for run := range runs {
					c := newCrowd(seeded(run, 11), s.users, s.zipf, share)
					c.span = 50 * time.Millisecond
					s.do(c)
					if signal := judged(c, Criteria{Alpha: alpha, Tolerance: strict(), Share: setting.Share(share)}, 60); signal != "" {
						count++
						by[signal]++
					}
				}
				t.Logf("%d of %d condemned %v", count, runs, by)
				if most := mayCondemn(runs, alpha); count > most {
					t.Errorf("%d of %d condemned, chance allows %d", count, runs, most)
				}
			})
		}
	}
}

// strict tolerates nothing, which is where chance has most to say.
func strict() Tolerance {
	var t Tolerance
	none, no := setting.Growth(0), setting.Share(0)
	t.P50, t.P95, t.P99, t.FirstByte, t.Size = &none, &none, &none, &none, &no
	return t
}

// judged runs one stage and names the signal that condemned it.
func judged(c *crowd, criteria Criteria, windows int) string {
	if c.grown > 0 {
		criteria.Tolerance.tolerate(c.grown)
	}
	var w Window
	trial := NewTrial(criteria)
	for range windows {
		c.next(&w)
		if trial.Add(&w); trial.failed != "" {
			break
		}
	}
	return trial.failed
}

// tolerate allows latencies to grow.
func (t *Tolerance) tolerate(growth setting.Growth) {
	t.P50, t.P95, t.P99, t.FirstByte = &growth, &growth, &growth, &growth
}
