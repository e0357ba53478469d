package logshipper

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	firstDelay   = 200 * time.Millisecond // the upper bound before the second attempt; it doubles
	mostDelay    = 30 * time.Second
	leastAttempt = time.Second // what an attempt has in a flush, at least
	hurryDelay   = time.Second // instead of mostDelay in a flush
	logEvery     = time.Minute
	syncAfter    = time.Second           // the longest that what was written waits to be made safe
	syncIdle     = 20 * time.Millisecond // the same when nothing follows
	syncVolume   = 64 << 20              // bytes, likewise
	doublingMax  = 8
)

// sink is where a pipe's batches go. One goroutine uses it.
type sink interface {
	// deliver makes one attempt at a batch. After an error it is called again with the same batch; progress
	// tells that a part of it was taken.
	deliver(ctx context.Context, b *batch) (progress bool, err error)
	// lazy tells that what was delivered is only safe after sync.
	lazy() bool
	// sync makes safe what was delivered. After an error all that was delivered since the last sync
	// may be gone, and is delivered again.
	sync() error
	close() error
}

// delivery says what became of a batch, or of those before.
type delivery struct {
	batch     *batch // nil: only synced
	delivered bool
	synced    bool // all that was delivered is safe
	failed    bool // what was delivered since the last sync may be gone
	retries   int64
}

// deliverAll delivers batches until the queue is closed.
func (p *pipe) deliverAll(ctx context.Context) {
	defer close(p.done)
	waiting, since := 0, time.Time{}
	for {
		var idle <-chan time.Time
		if waiting > 0 {
			idle = time.After(syncIdle)
		}
		select {
		case b, ok := <-p.queue:
			if !ok {
				if waiting > 0 {
					p.done <- p.sync()
				}
				return
			}
			d := p.deliver(ctx, b)
			if d.delivered && waiting == 0 {
				since = time.Now()
			}
			if d.delivered {
				waiting += b.n
			}
			if waiting > 0 && (!p.out.lazy() || waiting >= syncVolume || time.Since(since) >= syncAfter) {
				s := p.sync()
				d.synced, d.failed, waiting = s.synced, s.failed, 0
			}
			p.done <- d
		case <-idle:
			waiting = 0
			p.done <- p.sync()
		}
	}
}

func (p *pipe) sync() delivery {
	if err := p.out.sync(); err != nil {
		p.log.Error("log delivery: what was written is not safe, and is written again", "error", err.Error())
		return delivery{failed: true}
	}
	return delivery{synced: true}
}

// deliver tries until the batch is taken or ctx ends.
func (p *pipe) deliver(ctx context.Context, b *batch) delivery {
	d := delivery{batch: b}
	var logged time.Time
	for attempt := 0; ; attempt++ {
		progress, err := p.attempt(ctx, b)
		if err == nil {
			if !logged.IsZero() {
				p.log.Info("log delivery goes on", "retries", d.retries)
			}
			d.delivered = true
			return d
		}
		if ctx.Err() != nil {
			return d
		}
		d.retries++
		if progress {
			attempt = 0
		}
		if now := time.Now(); now.Sub(logged) >= logEvery {
			p.log.Warn("log delivery failed, and is tried again", "error", err.Error(), "retries", d.retries)
			logged = now
		}
		if !p.pause(ctx, attempt) {
			return d
		}
	}
}

// attempt makes one attempt. In a flush it gets half of the time that is left, so that one connection that hangs
// does not take all of it; that holds for an attempt that is under way when the flush begins, too.
func (p *pipe) attempt(ctx context.Context, b *batch) (progress bool, err error) {
	ctx, end := context.WithCancel(ctx)
	defer end()
	go func() {
		select {
		case <-p.hurry:
		case <-ctx.Done():
			return
		}
		if p.limit.IsZero() {
			return
		}
		timer := time.NewTimer(max(time.Until(p.limit)/2, leastAttempt))
		defer timer.Stop()
		select {
		case <-timer.C:
			end()
		case <-ctx.Done():
		}
	}()
	return p.out.deliver(ctx, b)
}

// pause waits before the next attempt: a random part of a bound that doubles ("full jitter",
// https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/), so that many agents
// that failed together do not come again together. A flush that begins ends it.
func (p *pipe) pause(ctx context.Context, attempt int) bool {
	bound, hurry := min(firstDelay<<min(attempt, doublingMax), mostDelay), p.hurry
	select {
	case <-p.hurry:
		bound, hurry = min(bound, hurryDelay), nil
	default:
	}
	timer := time.NewTimer(rand.N(bound) + time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-hurry:
	case <-ctx.Done():
		return false
	}
	return true
}
