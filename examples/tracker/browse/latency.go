package browse

import (
	"math"
	"time"
)

// Latency is a distribution of times, each known to within 5 %, from 10 µs to about 100 s.
type Latency struct {
	counts [latencyBuckets]int64
	sum    int64
}

const (
	latencyBuckets = 170
	latencyLeast   = 10 * time.Microsecond
	latencyGrowth  = 1.1
)

// Count is how many times there are.
func (l Latency) Count() int64 { return l.sum }

// Quantile is the time that the part q of the requests did not exceed, 0 < q <= 1. Without requests it
// is zero.
func (l Latency) Quantile(q float64) time.Duration {
	rank := int64(math.Ceil(q * float64(l.sum)))
	for bucket, n := range l.counts {
		if rank -= n; rank <= 0 && l.sum > 0 {
			// The middle of the bucket, by ratio.
			return time.Duration(float64(latencyLeast) * math.Pow(latencyGrowth, float64(bucket)-0.5))
		}
	}
	return 0
}

// Merge adds the times of other.
func (l *Latency) Merge(other Latency) {
	for i, n := range other.counts {
		l.counts[i] += n
	}
	l.sum += other.sum
}

func (l *Latency) add(d time.Duration) {
	bucket := math.Ceil(math.Log(float64(max(d, latencyLeast))/float64(latencyLeast)) / math.Log(latencyGrowth))
	l.counts[min(int(bucket), latencyBuckets-1)]++
	l.sum++
}
