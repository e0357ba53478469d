package judge

import (
	"math"
	"testing"
	"time"
)

// TestBandSufficient: with so many latencies there is an upper bound, with one fewer there is none.
func TestBandSufficient(t *testing.T) {
	for _, q := range []float64{0.5, 0.95, 0.99} {
		b := newBander(q, 0.00005)
		for n, want := range map[uint64]bool{b.sufficient - 1: false, b.sufficient: true} {
			var h Histogram
			h.Add(100, n)
			if got := !math.IsInf(b.of(&h).highest(), 1); got != want {
				t.Errorf("quantile %v of %d: bounded %v, want %v", q, n, got, want)
			}
		}
		t.Logf("quantile %v: %d", q, b.sufficient)
	}
}

// TestBandHolds: the true quantile leaves the band, ever, in at most the promised part of the runs, and
// the band closes around it.
func TestBandHolds(t *testing.T) {
	const alpha, runs = 0.05, 300
	for q, z := range map[float64]float64{0.5: 0, 0.95: 1.6448536269514722, 0.99: 2.3263478740408408} {
		truth := 80 * math.Exp(0.824*z) * float64(time.Millisecond)
		b := newBander(q, alpha)
		above, below := 0, 0
		for run := range runs {
			random := seeded(run, 11)
			var h Histogram
			high, low := false, false
			for n := range 4000 {
				h.Observe(time.Duration(lognormal(random) * float64(time.Millisecond)))
				if n%20 == 0 {
					band := b.of(&h)
					low = low || band.lowest() > truth
					high = high || band.highest() < truth
				}
			}
			if low {
				above++
			}
			if high {
				below++
			}
			if band := b.of(&h); band.highest()/band.lowest() > 2.5 {
				t.Fatalf("quantile %v of 4,000: %v to %v ns", q, band.lowest(), band.highest())
			}
		}
		if most := mayCondemn(runs, alpha); above > most || below > most {
			t.Errorf("quantile %v: %d bands above, %d below the truth of %d, chance allows %d", q, above, below, runs, most)
		}
	}
}
