package judge

import (
	"math"
	"time"
)

// A band encloses a quantile of one side's latency at every moment at once: the chance that the true
// quantile is ever below low, or ever above high, is at most alpha each.
//
// If x is above the true quantile q, each latency is below x with a chance of at least q; few latencies
// below x speak against that. The likelihood ratio of "the chance is r < q", averaged over many r, is
// an e-process, so x is ruled out once it reaches 1/alpha (Ville); the largest x that is ruled out is
// the lower bound, and the upper bound is its mirror image. Both follow Howard and Ramdas, "Sequential
// estimation of quantiles with applications to A/B testing and best-arm identification", Bernoulli 28
// (2022), whose bounds rest on the same counts; the mixture over r is Robbins' (1970) and has no
// constants to look up. Of the mixture only its largest term is used, which can only widen the band and
// gives the bounds in closed form. Bounds are the outer bounds of histogram buckets.
type band struct {
	estimate  int // the bucket of the estimate
	low, high int // the true quantile lies in bucket low to high; Buckets if there is no upper bound yet
}

// tilts are the shifts of the log-odds that the mixture holds: 4, 2, 1 … down to what 10^9 requests tell.
const tilts = 18

// A bander computes the bands of one quantile.
type bander struct {
	q          float64
	drift      [2][tilts]float64 // log moment generating function at -tilt and +tilt
	evidence   [tilts]float64    // ln(1/(alpha*part)) for each tilt
	sufficient uint64            // from so many latencies on there can be an upper bound
}

func newBander(q, alpha float64) bander {
	b := bander{q: q}
	need := math.Inf(1)
	for j := range tilts {
		tilt := math.Ldexp(4, -j)
		b.drift[0][j] = math.Log1p(q * math.Expm1(-tilt))
		b.drift[1][j] = math.Log1p(q * math.Expm1(tilt))
		b.evidence[j] = math.Log(float64((j+1)*(j+2)) / alpha) // parts 1/((j+1)(j+2)) sum to less than 1
		if gain := tilt - b.drift[1][j]; gain > 0 {
			need = math.Min(need, b.evidence[j]/gain)
		}
	}
	b.sufficient = uint64(math.Ceil(need))
	return b
}

// counts are how many of n latencies must at most, or at least, lie below x to rule x out.
func (b *bander) counts(n float64) (few, many float64) {
	few, many = -1, math.Inf(1)
	for j := range tilts {
		tilt := math.Ldexp(4, -j)
		few = math.Max(few, -(n*b.drift[0][j]+b.evidence[j])/tilt)
		many = math.Min(many, (n*b.drift[1][j]+b.evidence[j])/tilt)
	}
	return few, many
}

// of is the band for what h has counted.
func (b *bander) of(h *Histogram) band {
	n := float64(h.total)
	result := band{high: Buckets}
	if h.total == 0 {
		return result
	}
	few, many := b.counts(n)
	result.estimate = h.place(b.q)
	below := 0.0
	for i, c := range h.counts {
		if below <= few {
			result.low = i
		}
		if below += float64(c); below >= many {
			result.high = i
			break
		}
	}
	return result
}

// lowest and highest are the bounds of the band in nanoseconds.
func (b band) lowest() float64  { return bound(b.low) }
func (b band) highest() float64 { return bound(b.high + 1) }

// seconds turns nanoseconds into the unit of the evidence.
func seconds(ns float64) float64 { return ns / float64(time.Second) }
