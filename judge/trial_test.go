package judge

import (
	"flag"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"yadokari/setting"
)

// crowd makes up windows of one route: users of very different diligence, each on the side of his key.
type crowd struct {
	random   *rand.Rand
	share    float64
	users    []uint64
	weight   []float64 // cumulative
	size     int       // requests a window
	fails    float64   // the rate of failures on both sides
	worse    float64   // of the new side's own
	class    Class
	classes  float64 // of the new side's own answers of class
	changes  float64 // of requests, on both sides
	refuses  float64 // of these, on both sides, with class
	refused  bool    // on the new side all of them
	latency  func(*rand.Rand) float64
	slower   float64
	span     time.Duration
	answered bool // failures of the new side are answered by the old one
	asked    bool // the old side is asked when the new one has failed, in the same state

	broken int     // the first so many users' requests fail always
	ofUser float64 // latency grows by up to that factor from user to user
	common float64 // the rate of class on both sides
	outage float64 // the chance that a window is the first of five in which half of all requests fail
	left   int     // windows left of it
	late   int     // so many windows later the old side's answer to what the new one has failed is known
	told   [][]Event
	rises  float64 // latency grows by that factor from window to window
	load   float64
	grown  setting.Growth // is tolerated
	began  int64
}

// times is how many times the usual number of simulated stages is run.
var times = flag.Int("runs", 1, "how many times the usual number of simulated stages")

func seeded(run int, seed uint64) *rand.Rand { return rand.New(rand.NewPCG(uint64(run), seed)) }

// newCrowd is n users, the k-th of them with a k^-exponent part of the requests.
func newCrowd(r *rand.Rand, n int, exponent, share float64) *crowd {
	c := &crowd{random: r, share: share, users: make([]uint64, n), weight: make([]float64, n), size: 100}
	sum := 0.0
	for i := range n {
		c.users[i] = r.Uint64()
		sum += math.Pow(float64(i+1), -exponent)
		c.weight[i] = sum
	}
	return c
}

func (c *crowd) next(w *Window) {
	w.Reset()
	w.Span = c.span
	if c.left--; c.left < 0 && c.random.Float64() < c.outage {
		c.left = 5
	}
	if c.load = max(c.load, 1); c.rises > 0 {
		c.load *= c.rises
	}
	c.told = append(c.told, nil)
	for range c.size {
		at, _ := slices.BinarySearch(c.weight, c.random.Float64()*c.weight[len(c.weight)-1])
		user := c.users[at]
		c.add(w, at, user, float64(user>>11)/(1<<53) < c.share)
	}
	if len(c.told) > c.late {
		w.Events = append(w.Events, c.told[0]...)
		c.told = c.told[1:]
	}
}

func (c *crowd) add(w *Window, at int, user uint64, new bool) {
	c.began++
	e := Event{User: user, Began: c.began, New: new, Answer: Answer{First: 100, Last: 100, Size: -1}}
	e.Failed = c.random.Float64() < c.fails || at < c.broken || c.left > 0 && c.random.Float64() < 0.5
	took := 1.0
	if c.latency != nil {
		took = c.load * c.latency(c.random) * (1 + c.ofUser*float64(mix(user)>>11)/(1<<53))
	}
	if c.random.Float64() < c.common {
		e.Class = c.class
	}
	if e.Changes = c.random.Float64() < c.changes; e.Changes && (new && c.refused || c.random.Float64() < c.refuses) {
		e.Class |= c.class
	}
	tally := &w.Old
	if new {
		tally = &w.New
		c.alter(&e, &took)
	}
	if e.Failed {
		e.Answer = Answer{Failed: true, First: -1, Last: -1, Size: -1}
	} else if c.latency != nil {
		e.First = int16(Bucket(time.Duration(took * float64(time.Millisecond))))
		e.Last = e.First
	}
	if e.Failed && new {
		e.Other = c.other(at)
	}
	tally.Count(&e.Answer)
	if new && e.Failed && c.late > 0 {
		// The outage may be over by then.
		if e.Other == FailedToo && c.left <= c.late && at >= c.broken {
			e.Other = Answered
		}
		c.told[len(c.told)-1] = append(c.told[len(c.told)-1], e)
		return
	}
	w.Events = append(w.Events, e)
}

// alter is what the new side does worse.
func (c *crowd) alter(e *Event, took *float64) {
	e.Failed = e.Failed || c.random.Float64() < c.worse
	if c.random.Float64() < c.classes {
		e.Class = c.class
	}
	if c.slower > 0 {
		*took *= c.slower
	}
}

// other is what the old side does with a request that the new one has failed.
func (c *crowd) other(at int) Other {
	switch {
	case c.answered:
		return Answered
	case !c.asked:
		return NotAsked
	case at < c.broken || c.left > 0 && c.random.Float64() < 0.5 || c.random.Float64() < c.fails:
		return FailedToo
	}
	return Answered
}

func lognormal(r *rand.Rand) float64 { return 80 * math.Exp(0.824*r.NormFloat64()) }

func defaults() Tolerance {
	var t Tolerance
	setting.Defaults(&t)
	return t
}

// needed runs trials until they fail and returns the new side's requests and users it took, sorted.
func needed(runs int, c Criteria, begin func(run int) *crowd) (requests, users []int) {
	var w Window
	for run := range runs {
		trial, crowd := NewTrial(c), begin(run)
		for trial.failed == "" && trial.new.Requests < 40000 {
			crowd.next(&w)
			trial.Add(&w)
		}
		n := int(trial.new.Requests)
		if trial.failed == "" {
			n = math.MaxInt
		}
		_, new := trial.usual.served()
		requests, users = append(requests, n), append(users, int(new))
	}
	slices.Sort(requests)
	slices.Sort(users)
	return
}

func TestDetect(t *testing.T) {
	for _, n := range []int{5000} {
		for _, sh := range []float64{0.05, 0.25} {
			for _, worse := range []float64{1, 0.2, 0.05, 0.01} {
				r, u := needed(3**times, Criteria{Tolerance: defaults(), Share: setting.Share(sh)}, func(run int) *crowd {
					c := newCrowd(seeded(run, 3), n, 0.8, sh)
					c.size, c.fails, c.worse = 20, 0.001, worse
					return c
				})
				t.Logf("%d users, share %v, fails %v: median %d p95 %d requests; %d users", n, sh, worse, r[len(r)/2], r[len(r)*95/100], u[len(u)/2])
			}
		}
	}
}

func TestDetectLatency(t *testing.T) {
	for _, slower := range []float64{1.2, 1.5, 2} {
		for _, tol := range []setting.Growth{0, 0.2} {
			if slower < 2 && tol > 0 && *times == 1 {
				continue // takes long to tell nothing
			}
			r, u := needed(3**times, Criteria{Tolerance: Tolerance{P95: &tol}, Share: 0.25}, func(run int) *crowd {
				c := newCrowd(seeded(run, 3), 5000, 0.8, 0.25)
				c.size, c.latency, c.slower = 400, lognormal, slower
				return c
			})
			t.Logf("slower %v tol %v: median %d p95 %d requests; %d users", slower, tol, r[len(r)/2], r[len(r)*95/100], u[len(u)/2])
		}
	}
}

// pareto begins at 40 ms and has no variance: p50 64 ms, p95 295 ms, p99 863 ms.
func pareto(r *rand.Rand) float64 { return 40 * math.Pow(1-r.Float64(), -1/1.5) }

// TestLate: a long good time must not shield a side that breaks then.
func TestLate(t *testing.T) {
	var w Window
	var needed []int
	for run := range 6 * *times {
		trial := NewTrial(Criteria{Tolerance: defaults(), Share: 0.05})
		c := newCrowd(seeded(run, 4), 5000, 0.8, 0.05)
		c.size, c.fails = 500, 0.001
		for range 1000 {
			c.next(&w)
			trial.Add(&w)
		}
		if trial.failed != "" {
			t.Fatalf("run %d: condemned while good", run)
		}
		before := trial.new.Requests
		for c.size, c.worse = 20, 0.2; trial.failed == "" && trial.new.Requests < before+5000; {
			c.next(&w)
			trial.Add(&w)
		}
		needed = append(needed, int(trial.new.Requests-before))
	}
	slices.Sort(needed)
	t.Logf("20 %% failing after 25,000 good requests: median %d, most %d", needed[len(needed)/2], needed[len(needed)-1])
	if needed[len(needed)-1] > 300 {
		t.Errorf("20 %% failing after a good time: %d requests", needed[len(needed)-1])
	}
}
