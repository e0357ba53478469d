package browse

import (
	"context"
	"sync"
	"time"
)

// pacer hands out the moments at which requests may begin, evenly spread.
type pacer struct {
	mu   sync.Mutex
	gap  time.Duration // zero: no limit
	next time.Time
}

// maxCatchUp is how far behind the rate a load may be and still make up for it: a longer stall of the
// other side is not followed by a flood.
const (
	maxCatchUp  = 100 * time.Millisecond
	catchUpMost = 20 // requests
)

func newPacer(rate float64) *pacer {
	p := &pacer{}
	if rate > 0 {
		p.gap = time.Duration(float64(time.Second) / rate)
	}
	return p
}

// wait waits for the caller's moment; it is false when ctx ended first.
func (p *pacer) wait(ctx context.Context) bool {
	if p.gap == 0 {
		return ctx.Err() == nil
	}
	return pause(ctx, time.Until(p.slot(time.Now())))
}

func (p *pacer) slot(now time.Time) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	oldest := now.Add(-min(maxCatchUp, p.gap*catchUpMost))
	if p.next.IsZero() {
		p.next = now
	} else if p.next.Before(oldest) {
		p.next = oldest
	}
	slot := p.next
	p.next = slot.Add(p.gap)
	return slot
}

func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
