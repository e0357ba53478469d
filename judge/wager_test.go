package judge

import (
	"fmt"
	"math"
	"testing"
)

// gain is by what a wager's wealth at one theta is multiplied by one window.
func gain(theta, share, oldFailures, newFailures, requests, tolerance float64) float64 {
	g := wager{odds: &[5]odd{{theta, 1}}}
	g.stakes[0] = 1
	g.cash = kept(requests) // so that none enters
	g.bet(share, oldFailures, newFailures, requests, tolerance)
	return g.stakes[0]
}

func choose(n, k int, p float64) float64 {
	a, _ := math.Lgamma(float64(n + 1))
	b, _ := math.Lgamma(float64(k + 1))
	c, _ := math.Lgamma(float64(n - k + 1))
	return math.Exp(a - b - c + lnPower(p, float64(k)) + lnPower(1-p, float64(n-k)))
}

// TestWagerIsFair sums over every window that can be: where the new side fails at the old side's rate
// plus the tolerance, no bet may be expected to gain, whether failures come one by one or up to burst
// at once. This is what the promise about alpha rests on.
func TestWagerIsFair(t *testing.T) {
	for _, theta := range []float64{1.5, 4, 42, 500} {
		for _, size := range [][2]int{{0, 1}, {1, 0}, {1, 1}, {19, 1}, {20, 20}, {57, 3}, {5, 45}} {
			for _, rate := range []float64{0, 0.001, 0.05, 0.4} {
				for _, tolerance := range []float64{0, 0.001, 0.05, 0.3} {
					for _, cluster := range []int{1, 3, burst} {
						n, m := size[0], size[1]
						share := float64(m) / float64(n+m)
						worse := rate + tolerance*(1-rate) // own failures beside the common ones
						sum := 0.0
						for f := range n + 1 {
							for k := range m + 1 {
								chance := choose(n, f, rate) * choose(m, k, worse)
								sum += chance * gain(theta, share, float64(f*cluster), float64(k*cluster), float64(m*cluster), tolerance)
							}
						}
						if sum > 1+1e-9 {
							t.Errorf("theta %v, %d+%d requests, rate %v, tolerance %v, %d at once: expected gain %v",
								theta, n, m, rate, tolerance, cluster, sum)
						}
					}
				}
			}
		}
	}
}

func TestWagerStaysFinite(t *testing.T) {
	for _, x := range []float64{0, 1, 1e3, 1e19} {
		g := newWager(&sides)
		for range 3 {
			g.bet(0.05, x, x, x, 0.001)
			g.bet(0.05, 0, x, x, 0)
			g.bet(1e-19, 0, x, x, 0)
			g.bet(1, x, x, x, 1)
		}
		if v := g.value(); math.IsNaN(v) || v < 0 || v > ceiling*1.01 {
			t.Errorf("%v: e-value %v", x, v)
		}
	}
}

func TestWagerPartsSumToOne(t *testing.T) {
	for _, odds := range []*[5]odd{&sides, &multiples} {
		sum := 0.0
		for _, o := range odds {
			sum += o.part
		}
		if g := newWager(odds); math.Abs(sum-1) > 1e-12 || math.Abs(g.value()-1) > 1e-12 {
			t.Errorf("parts sum to %v, wealth is %v", sum, g.value())
		}
	}
}

func TestUrnNoticesARise(t *testing.T) {
	var u urn
	for range 1000 {
		u.put(sums{requests: 95}, sums{requests: 5})
	}
	if got := u.share(95, 5); math.Abs(got-0.05) > 0.002 {
		t.Errorf("steady share: %v", got)
	}
	if got := u.share(10, 30); got != 0.75 {
		t.Errorf("a window with 30 of 40: %v", got)
	}
	for range 20 {
		u.put(sums{requests: 1}, sums{requests: 1})
	}
	if got := u.share(0, 1); got < 0.15 {
		t.Errorf("after 20 of 40, one by one: %v", got)
	}
	if got := new(urn).share(0, 0); got != 1 {
		t.Errorf("share of nothing: %v", got)
	}
}

func TestRateBounds(t *testing.T) {
	for _, tt := range []struct{ k, n float64 }{{0, 0}, {0, 10}, {10, 10}, {3, 1000}, {1, 1e19}, {5, 3}} {
		t.Run(fmt.Sprint(tt), func(t *testing.T) {
			low, high := rateBounds(tt.k, tt.n, 0.05)
			if !(low >= 0 && high <= 1 && low <= high) {
				t.Fatalf("%v of %v: %v to %v", tt.k, tt.n, low, high)
			}
			if r := ratio(math.Min(tt.k, tt.n), tt.n); tt.n > 0 && !(low <= r && r <= high) {
				t.Errorf("%v of %v: %v to %v", tt.k, tt.n, low, high)
			}
		})
	}
	// Compared with an independent derivation: 0 of n excludes p where (1-p)^n*B(1/2,1/2)/B(1/2,n+1/2) = alpha.
	_, high := rateBounds(0, 100, 0.05)
	want := 1 - math.Pow(0.05*math.Exp(lnBeta(0.5, 100.5)-lnBeta(0.5, 0.5)), 0.01)
	if math.Abs(high-want) > 1e-9 {
		t.Errorf("0 of 100: at most %v, want %v", high, want)
	}
}
