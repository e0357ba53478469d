package gateway

import (
	"sync"
	"sync/atomic"
	"time"

	"yadokari/judge"
)

// tally counts what one side of one route did. Requests add, one collector takes away.
type tally struct {
	requests, failures atomic.Uint64             // since start
	latency            atomic.Pointer[latencies] // since the last collection; nil until the first request

	collected struct{ requests, failures uint64 } // of the collector alone

	mu   sync.Mutex // the collector moves latencies to past; metrics read both
	past *durations // latencies that have been collected; nil until there are some
}

// add counts one first attempt and how long the server took for it.
func (t *tally) add(failed bool, took time.Duration) {
	if failed {
		t.failures.Add(1)
	} else {
		t.latencies().add(judge.Bucket(took))
	}
	t.requests.Add(1) // last, so that a collector never sees a request without its latency
}

// latencies are made at the first request: most of 10,000 routes see none on the new side.
func (t *tally) latencies() *latencies {
	if l := t.latency.Load(); l != nil {
		return l
	}
	t.latency.CompareAndSwap(nil, new(latencies))
	return t.latency.Load()
}

// collect adds what happened since the last call to into.
func (t *tally) collect(into *judge.Tally) {
	requests, failures := t.requests.Load(), t.failures.Load()
	if requests == t.collected.requests && failures == t.collected.failures {
		return
	}
	// A failure is counted before its request: one without is left for the next time.
	failures = min(failures, t.collected.failures+requests-t.collected.requests)
	into.Requests += requests - t.collected.requests
	into.Failures += failures - t.collected.failures
	t.collected.requests, t.collected.failures = requests, failures
	l := t.latency.Load()
	if l == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.past == nil {
		t.past = new(durations)
	}
	l.each(func(bucket int, count *atomic.Uint32) {
		n := uint64(count.Swap(0))
		into.Latency.Add(bucket, n)
		t.past.add(bucket, n)
	})
}

// durations is what the latencies since the start come to, for metrics.
func (t *tally) durations() (all durations) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.past != nil {
		all = *t.past
	}
	if l := t.latency.Load(); l != nil {
		l.each(func(bucket int, count *atomic.Uint32) { all.add(bucket, uint64(count.Load())) })
	}
	return all
}

// streak is how many first attempts have failed one after the other.
type streak struct{ atomic.Uint64 }

func (s *streak) add(failed bool) {
	switch {
	case failed:
		s.Add(1)
	case s.Load() != 0:
		s.Store(0)
	}
}
