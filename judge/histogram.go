package judge

import (
	"math"
	"time"
)

// Histogram is an empirical distribution of latencies with bounded relative error: its buckets grow
// geometrically, each growth times as wide as the one before, from 50 microseconds to 10 minutes.
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

	logShortest = 10.819778284410283   // ln of shortest in nanoseconds
	logGrowth   = 0.044016885416774225 // ln of the ratio of neighbouring bounds, 1.045
)

// Buckets is the number of buckets of a Histogram; Bucket returns 0 to Buckets-1. The first holds
// what is shorter than 50 microseconds, the last what takes 10 minutes or more.
const Buckets = 373

// Bucket is the place of d in a Histogram, for callers that count in arrays of their own. It neither
// allocates nor touches memory.
func Bucket(d time.Duration) int {
	if d < shortest {
		return 0
	}
	if d >= longest {
		return Buckets - 1
	}
	return min(1+int((math.Log(float64(d))-logShortest)*(1/logGrowth)), Buckets-2)
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
	return math.Exp(logShortest + float64(bucket-1)*logGrowth)
}

// middle is the latency that stands for all in a bucket: at most half a bucket off, in ratio.
func middle(bucket int) time.Duration {
	switch {
	case bucket <= 0:
		return shortest
	case bucket >= Buckets-1:
		return longest
	}
	return time.Duration(math.Exp(logShortest + (float64(bucket)-0.5)*logGrowth))
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
