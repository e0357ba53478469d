package judge

import (
	"math"
	"math/rand/v2"
	"time"
)

// traffic makes up windows of one route. Its failures come independently, in outages that strike
// both sides, and from single users whose page fails with everything on it.
type traffic struct {
	random   *rand.Rand
	size     int     // requests a window
	share    float64 // of the new side
	old, new float64 // rates of failures
	outage   float64 // the chance that a window is within an outage; outages last 5 windows
	outages  float64 // the part of requests that fail in an outage, on both sides
	bursts   float64 // the chance, per request, that it begins a burst of failures on its side
	latency  func(*rand.Rand) float64
	slower   float64 // the new side's latencies are that many times as long

	left int // windows left of the outage
}

func seeded(run int, seed uint64) *rand.Rand { return rand.New(rand.NewPCG(uint64(run), seed)) }

// next fills w with one more window.
func (t *traffic) next(w *Window) {
	w.Reset()
	old, new := t.old, t.new
	if t.outage > 0 {
		if t.left == 0 && t.random.Float64() < t.outage {
			t.left = 5
		}
		if t.left > 0 {
			t.left--
			old, new = old+(1-old)*t.outages, new+(1-new)*t.outages
		}
	}
	n := binomial(t.random, t.size, t.share)
	t.side(&w.Old, t.size-n, old, 1)
	t.side(&w.New, n, new, t.slower)
}

func (t *traffic) side(s *Tally, requests int, rate, slower float64) {
	failures := binomial(t.random, requests, rate)
	for range binomial(t.random, requests, t.bursts) {
		// A user's burst is requests of its own: 1 to 20, 8 in the mean.
		size := min(1+int(t.random.ExpFloat64()*8), burst)
		requests += size
		failures += size
	}
	s.Requests, s.Failures = uint64(requests), uint64(failures)
	if t.latency == nil {
		return
	}
	for range requests - failures {
		s.Latency.Observe(time.Duration(t.latency(t.random) * slower * float64(time.Millisecond)))
	}
}

// binomial counts successes by jumping from one to the next: fast where they are rare.
func binomial(r *rand.Rand, n int, p float64) int {
	switch {
	case p <= 0 || n == 0:
		return 0
	case p >= 1:
		return n
	case n == 1:
		if r.Float64() < p {
			return 1
		}
		return 0
	case p > 0.5:
		return n - binomial(r, n, 1-p)
	}
	count, log := 0, math.Log1p(-p)
	for at := math.Floor(-r.ExpFloat64() / log); at < float64(n); at += 1 + math.Floor(-r.ExpFloat64()/log) {
		count++
	}
	return count
}

// lognormal has a median of 80 ms and a 95th percentile of 310 ms.
func lognormal(r *rand.Rand) float64 { return 80 * math.Exp(0.824*r.NormFloat64()) }

// pareto begins at 40 ms and has no variance: p50 64 ms, p95 295 ms, p99 863 ms.
func pareto(r *rand.Rand) float64 { return 40 * math.Pow(1-r.Float64(), -1/1.5) }

// tail is lognormal with the slowest twelfth k times as slow: only p95 and beyond are worse.
func tail(k float64) func(*rand.Rand) float64 {
	return func(r *rand.Rand) float64 {
		x := lognormal(r)
		if x > 250 {
			x *= k
		}
		return x
	}
}

// users is a crowd of which few make most requests. Each has a side for good, comes and goes.
type users struct {
	random *rand.Rand
	pace   []float64 // requests a window while here
	new    []bool
	here   []bool
	rate   float64
}

func newUsers(r *rand.Rand, n int, share, rate float64) *users {
	u := &users{random: r, pace: make([]float64, n), new: make([]bool, n), here: make([]bool, n), rate: rate}
	for i := range n {
		u.pace[i] = math.Min(0.1*math.Pow(1-r.Float64(), -1/1.1), 10)
		u.new[i] = r.Float64() < share
		u.here[i] = r.Float64() < 0.3
	}
	return u
}

func (u *users) next(w *Window) {
	w.Reset()
	for i, here := range u.here {
		if u.random.Float64() < 0.005 {
			u.here[i] = !here
		}
		if !here {
			continue
		}
		n := int(u.pace[i] + u.random.Float64())
		s := &w.Old
		if u.new[i] {
			s = &w.New
		}
		s.Requests += uint64(n)
		s.Failures += uint64(binomial(u.random, n, u.rate))
	}
}
