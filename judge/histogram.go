package judge

import (
	"math"
	"time"
)

// Histogram is an empirical distribution of latencies with bounded relative error: its buckets grow
// geometrically, each about 4.5 % wider than the one before, from 50 microseconds to 10 minutes.
// What is shorter or longer counts in the first or the last bucket. A latency read back from the
// middle of its bucket is at most 2.3 % off. The zero value is empty and ready; memory is taken once,
// with the first latency, and kept by Reset. A Histogram is not safe for concurrent use.
type Histogram struct {
	counts []uint64
	total  uint64
}

const (
	shortest = 50 * time.Microsecond
	longest  = 10 * time.Minute

	perOctave = 15.7               // buckets from a latency to its double
	origin    = 15.610257449579825 // scale(shortest)
)

// Buckets is the number of buckets of a Histogram; Bucket returns 0 to Buckets-1. The first holds
// what is shorter than 50 microseconds, the last what takes 10 minutes or more.
const Buckets = 372

// The scale of the buckets is the binary logarithm, for speed with a cubic between powers of two
// that is steepest, compared with the logarithm, by 1 % too little: Masson, Rim, Lee, "DDSketch: a fast
// and fully-mergeable quantile sketch with relative-error guarantees", VLDB 2019 (its mapping with
// cubic interpolation).
const (
	cubic  = 6.0 / 35
	square = -3.0 / 5
	linear = 10.0 / 7
)

// scale grows with x, which must be above 0, by 1 from any power of two to the next.
func scale(x float64) float64 {
	const mantissa, one = 1<<52 - 1, 1023 << 52
	bits := math.Float64bits(x)
	m := math.Float64frombits(bits&mantissa|one) - 1
	return float64(int(bits>>52)-1023) + ((cubic*m+square)*m+linear)*m
}

// unscale is the inverse of scale, by Newton's method: the cubic is close to a line.
func unscale(y float64) float64 {
	whole := math.Floor(y)
	part := y - whole
	m := part
	for range 6 {
		m -= (((cubic*m+square)*m+linear)*m - part) / ((3*cubic*m+2*square)*m + linear)
	}
	return math.Ldexp(1+m, int(whole))
}

// Bucket is the place of d in a Histogram, for callers that count in arrays of their own. It neither
// allocates nor touches memory.
func Bucket(d time.Duration) int {
	if d < shortest {
		return 0
	}
	if d >= longest {
		return Buckets - 1
	}
	return min(1+int((scale(float64(d))-origin)*perOctave), Buckets-2)
}

// bound is the lower bound of a bucket in nanoseconds, and the upper bound of the one before it.
func bound(bucket int) float64 {
	switch {
	case bucket <= 0:
		return 0
	case bucket >= Buckets:
		return math.Inf(1)
	case bucket == Buckets-1:
		return float64(longest)
	}
	return unscale(origin + float64(bucket-1)/perOctave)
}

// Middle is the latency that stands for all in the given bucket, at most 2.3 % off but for the first
// and the last, whose inner bound it is.
func Middle(bucket int) time.Duration { return middle(bucket) }

// middle is the latency that stands for all in a bucket: at most half a bucket off, in ratio.
func middle(bucket int) time.Duration {
	switch {
	case bucket <= 0:
		return shortest
	case bucket >= Buckets-1:
		return longest
	}
	return time.Duration(math.Sqrt(bound(bucket) * bound(bucket+1)))
}

// Add counts n latencies in the given bucket. A bucket below 0 or above Buckets-1 is taken for the
// first or the last. Counts stop at the largest uint64.
func (h *Histogram) Add(bucket int, n uint64) {
	if n == 0 {
		return
	}
	if h.counts == nil {
		h.counts = make([]uint64, Buckets)
	}
	place := &h.counts[min(max(bucket, 0), Buckets-1)]
	*place = plus(*place, n)
	h.total = plus(h.total, n)
}

// Observe counts one latency.
func (h *Histogram) Observe(d time.Duration) { h.Add(Bucket(d), 1) }

// Merge adds all that from has counted.
func (h *Histogram) Merge(from *Histogram) {
	if from.total == 0 {
		return
	}
	if h.counts == nil {
		h.counts = make([]uint64, Buckets)
	}
	for i, n := range from.counts {
		h.counts[i] = plus(h.counts[i], n)
	}
	h.total = plus(h.total, from.total)
}

// Count is the number of latencies counted.
func (h *Histogram) Count() uint64 { return h.total }

// Reset forgets all latencies and keeps the memory.
func (h *Histogram) Reset() {
	clear(h.counts)
	h.total = 0
}

// Quantile is the latency that the part q (0 to 1) of all latencies does not exceed, within the
// error of a bucket; 0 when nothing was counted.
func (h *Histogram) Quantile(q float64) time.Duration {
	if h.total == 0 {
		return 0
	}
	return middle(h.place(q))
}

// place is the bucket in which quantile q lies.
func (h *Histogram) place(q float64) int {
	rank := math.Ceil(q * float64(h.total))
	below := uint64(0)
	last := 0
	for i, n := range h.counts {
		if n == 0 {
			continue
		}
		last = i
		if below = plus(below, n); float64(below) >= rank {
			break
		}
	}
	return last
}

// plus adds without wrapping around.
func plus(a, b uint64) uint64 {
	if a > math.MaxUint64-b {
		return math.MaxUint64
	}
	return a + b
}
