package mirror

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"yadokari/judge"
)

// Send sends a request to one side and reads at most maxBody bytes of the answer's body; what is
// longer is Truncated. An answer of any status is an answer; an error is that there was none. Send
// must end when ctx does, and is called from several goroutines at once. What the copy did counts for
// the new side as any first attempt does, and Send counts it: a Mirror only compares.
type Send func(ctx context.Context, side Side, r *Request, maxBody int64) (*Response, error)

// Mirror copies requests of one route to the new side and compares the answers. Its methods are safe
// for concurrent use and, Close apart, never wait for either side.
type Mirror struct {
	cfg      Config
	send     Send
	log      *slog.Logger
	comparer *comparer
	memory   *memory
	examples examples

	ctx    context.Context
	cancel context.CancelFunc
	mu     sync.Mutex // guards closed, window, and copies' Add against its Wait
	closed bool
	window judge.Comparison
	copies sync.WaitGroup

	underWay atomic.Int64
	held     atomic.Int64 // bytes of all Captures
	counts   counts
}

// New returns a Mirror that sends with send; cfg must be valid. Close it in the end.
func New(cfg Config, send Send, log *slog.Logger) *Mirror {
	ctx, cancel := context.WithCancel(context.Background())
	return &Mirror{
		cfg: cfg, send: send, log: log, comparer: newComparer(&cfg), memory: newMemory(),
		examples: examples{limit: cfg.Examples, kept: make(map[string]*Example)},
		ctx:      ctx, cancel: cancel,
	}
}

// Want tells whether a copy of the next safe request is wanted: the rate chooses it and there is
// place for one more copy. It allocates nothing. A request that is wanted is to be offered once its
// primary response is known; nothing is lost if that never happens.
func (m *Mirror) Want() bool {
	if rate := float64(m.cfg.Rate); rate < 1 && rand.Float64() >= rate {
		return false
	}
	if m.underWay.Load() >= int64(m.cfg.Concurrency) {
		m.counts.chosen.Add(1)
		m.counts.skipped.Add(1)
		return false
	}
	return true
}

// Offer hands over a request and the old side's answer to it, to be copied and compared. It never
// blocks: without a free place the request is counted as skipped. One that the old side has failed is
// copied as well, or the new side would be asked more than the old one, but compared with nothing. Both are the Mirror's from then on:
// neither the headers nor the body may be changed afterwards.
func (m *Mirror) Offer(r *Request, primary *Response) {
	m.counts.chosen.Add(1)
	if !safe(r.Method) || !fit(primary) && !primary.failed() {
		m.counts.unfit.Add(1)
		return
	}
	if !m.begin() {
		m.counts.skipped.Add(1)
		return
	}
	m.counts.copied.Add(1)
	go m.run(r, primary)
}

// begin takes a place for a copy, if there is one.
func (m *Mirror) begin() bool {
	if m.underWay.Add(1) > int64(m.cfg.Concurrency) {
		m.underWay.Add(-1)
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		m.underWay.Add(-1)
		return false
	}
	m.copies.Add(1)
	return true
}

// Collect adds what comparisons have found since the last call to into.
func (m *Mirror) Collect(into *judge.Comparison) {
	m.mu.Lock()
	defer m.mu.Unlock()
	into.Compared += m.window.Compared
	into.Different += m.window.Different
	into.Noisy += m.window.Noisy
	m.window = judge.Comparison{}
}

// Examples are the differences kept: real ones before noise, the latest seen first.
func (m *Mirror) Examples() []Example { return m.examples.list() }

// Close ends the copies under way, waits for them and takes no more. It is safe to call it twice.
func (m *Mirror) Close() {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	m.cancel()
	m.copies.Wait()
}
