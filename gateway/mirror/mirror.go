package mirror

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"yadokari/judge"
)

// Send sends a request to one side and reads at most maxBody bytes of the answer's body; what is
// longer is Truncated. An answer of any status is an answer; an error is that there was none. Send
// must end when ctx does, and is called from several goroutines at once.
type Send func(ctx context.Context, side Side, r *Request, maxBody int64) (*Response, error)

// ErrNobody is what Send's error wraps when there is nobody to ask: it says nothing of the side.
var ErrNobody = errors.New("the side has no server")

// Result is what both sides did with one request.
type Result struct {
	Old, New judge.Answer
	Took     time.Duration // by the copy
	// Asset says that it is the same for every user: a stylesheet, a script, a picture.
	Asset bool
	// Compared says that the two answers were compared. The rest is as in a judge.Comparison.
	Compared, Different, Noisy, Checked, Unsteady bool
	Places                                        []judge.Place
}

// Tell hears what came of a copied request. A copy that says nothing (called off, or cut by a limit that the
// user's request did not have) is not told. It is called from several goroutines at once.
type Tell func(r *Request, found Result)

// Mirror copies requests of one route to the side that has not answered them and compares the answers. Its
// methods are safe for concurrent use and, Close apart, never wait for either side.
type Mirror struct {
	cfg      Config
	send     Send
	tell     Tell
	skips    []skip
	log      *slog.Logger
	comparer *comparer
	memory   *memory
	examples examples

	ctx    context.Context
	cancel context.CancelFunc
	mu     sync.Mutex // guards closed, and copies' Add against its Wait
	closed bool
	copies sync.WaitGroup

	asking   [2]chan struct{} // by Side: one for each copy that is being sent there
	underWay atomic.Int64     // copies, those included that wait for their turn or for the user's own answer
	held     atomic.Int64     // bytes of all Captures
	drawn    atomic.Int64     // when the last sample was drawn, in nanoseconds
	counts   counts
}

// New returns a Mirror that sends with send and tells tell; cfg must be valid. Close it in the end.
func New(cfg Config, send Send, tell Tell, log *slog.Logger) *Mirror {
	ctx, cancel := context.WithCancel(context.Background())
	return &Mirror{
		cfg: cfg, send: send, tell: tell, skips: newSkips(&cfg), log: log, comparer: newComparer(&cfg), memory: newMemory(),
		examples: examples{limit: cfg.Examples, kept: make(map[string]*Example)},
		asking:   [2]chan struct{}{make(chan struct{}, cfg.Concurrency), make(chan struct{}, cfg.Concurrency)},
		ctx:      ctx, cancel: cancel,
	}
}

// Want tells whether a copy of the next safe request to the old side is wanted in the mirror stage: the rate
// chooses it and there is place for one more copy. It allocates nothing. A request that is wanted is to be
// offered once its primary response is known; nothing is lost if that never happens.
func (m *Mirror) Want() bool {
	if rate := float64(m.cfg.Rate); rate < 1 && rand.Float64() >= rate {
		return false
	}
	if m.underWay.Load() >= m.most() {
		m.counts.chosen.Add(1)
		m.counts.skipped.Add(1)
		return false
	}
	return true
}

// Offer hands over a request and one side's answer to it, to be copied and compared. It never blocks: without
// a free place the request is counted as skipped. One that the side has failed is copied as well, or
// the other side would be asked less, but compared with nothing. Both are the Mirror's from then on:
// neither the headers nor the body may be changed afterwards.
func (m *Mirror) Offer(r *Request, primary *Response) { m.offer(r, primary, false) }

// offer is Offer; placed says that the copy has its place.
func (m *Mirror) offer(r *Request, primary *Response, placed bool) {
	m.counts.chosen.Add(1)
	if !safe(r.Method) || !fit(primary) && !primary.failed() {
		m.counts.unfit.Add(1)
		if placed {
			m.underWay.Add(-1)
		}
		return
	}
	if !placed && !m.take() || !m.begin() {
		m.counts.skipped.Add(1)
		return
	}
	m.counts.copied.Add(1)
	go m.run(r, primary)
}

// inLine is how many copies there may be for each that is sent at once. A copy lasts several times as long as it keeps a side
// busy: the user's own answer comes first, and before the old side is asked again it waits.
const inLine = 4

func (m *Mirror) most() int64 { return inLine * int64(m.cfg.Concurrency) }

// take takes a place for a copy, if there is one.
func (m *Mirror) take() bool {
	if m.underWay.Add(1) > m.most() {
		m.underWay.Add(-1)
		return false
	}
	return true
}

// begin makes Close wait for one more copy. Once closed it gives the copy's place back.
func (m *Mirror) begin() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		m.underWay.Add(-1)
		return false
	}
	m.copies.Add(1)
	return true
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
