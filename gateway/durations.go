package gateway

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"yadokari/judge"
)

// durationBounds are the upper bounds of the histogram that prometheus gets, in seconds.
var durationBounds = [...]float64{0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30}

// durations is a coarse histogram of latencies, made from the fine one that requests fill.
type durations struct {
	counts [len(durationBounds) + 1]uint64 // the last is what is longer than every bound
	sum    float64                         // in seconds
}

// coarse is, for each bucket of a judge.Histogram, its place in durations and its latency in seconds. A
// latency within 2.3 % of a bound may be counted on its other side.
var coarse = sync.OnceValue(func() *[judge.Buckets]struct {
	place   int
	seconds float64
} {
	made := new([judge.Buckets]struct {
		place   int
		seconds float64
	})
	for i := range made {
		made[i].seconds = judge.Middle(i).Seconds()
		for made[i].place < len(durationBounds) && made[i].seconds > durationBounds[made[i].place] {
			made[i].place++
		}
	}
	return made
})

// add counts n latencies of the given bucket of a judge.Histogram.
func (d *durations) add(bucket int, n uint64) {
	if n == 0 {
		return
	}
	of := &coarse()[bucket]
	d.counts[of.place] += n
	d.sum += float64(n) * of.seconds
}

// metric is the histogram as prometheus wants it, each bucket holding those below it too.
func (d *durations) metric(desc *prometheus.Desc, labels ...string) prometheus.Metric {
	buckets := make(map[float64]uint64, len(durationBounds))
	below := uint64(0)
	for i, bound := range durationBounds {
		below += d.counts[i]
		buckets[bound] = below
	}
	return prometheus.MustNewConstHistogram(desc, below+d.counts[len(durationBounds)], d.sum, buckets, labels...)
}
