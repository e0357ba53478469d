package history

import (
	"math"
	"slices"
	"time"

	"yadokari/judge"
)

// count is how many latencies fell into one bucket of a judge.Histogram.
type count struct {
	bucket uint16
	n      uint32
}

// tally is a judge.Tally that keeps only the buckets in use, sorted.
type tally struct {
	requests, failures uint64
	latency            []count
}

func (t *tally) add(from *judge.Tally) {
	t.requests += from.Requests
	t.failures += from.Failures
	if from.Latency.Count() == 0 {
		return
	}
	for bucket, n := range from.Latency.All() {
		t.put(uint16(bucket), n)
	}
}

func (t *tally) merge(from *tally) {
	t.requests += from.requests
	t.failures += from.failures
	for _, c := range from.latency {
		t.put(c.bucket, uint64(c.n))
	}
}

func (t *tally) put(bucket uint16, n uint64) {
	at, found := slices.BinarySearchFunc(t.latency, bucket, func(c count, b uint16) int { return int(c.bucket) - int(b) })
	if !found {
		t.latency = slices.Insert(t.latency, at, count{bucket: bucket})
	}
	t.latency[at].n += uint32(min(n, math.MaxUint32-uint64(t.latency[at].n)))
}

// reset forgets everything and keeps the memory.
func (t *tally) reset() { t.requests, t.failures, t.latency = 0, 0, t.latency[:0] }

// side is the tally as a chart shows it.
func (t *tally) side() Side {
	s := Side{Requests: clamp(t.requests), Failures: clamp(t.failures)}
	var total uint64
	for _, c := range t.latency {
		total += uint64(c.n)
	}
	if total > 0 {
		s.P50, s.P95, s.P99 = t.quantile(0.50, total), t.quantile(0.95, total), t.quantile(0.99, total)
	}
	return s
}

// quantile is in milliseconds, taken from the middle (in ratio) of the bucket, as judge does.
func (t *tally) quantile(q float64, total uint64) float32 {
	rank, below := math.Ceil(q*float64(total)), 0.0
	bucket := 0
	for _, c := range t.latency {
		bucket = int(c.bucket)
		if below += float64(c.n); below >= rank {
			break
		}
	}
	from, to := judge.Span(bucket)
	if from == 0 {
		from = to // the first bucket: shorter than can be told apart
	}
	return float32(math.Sqrt(float64(from)*float64(to)) / float64(time.Millisecond))
}

func clamp(n uint64) uint32 { return uint32(min(n, math.MaxUint32)) }
