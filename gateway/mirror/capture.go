package mirror

import (
	"io"
	"math/rand/v2"
	"time"
)

// Capture collects the first part of a primary response's body while it is passed on to the user. All
// captures of a Mirror together hold at most four times what its copies may: slow responses to many
// users must not fill the memory. What finds no place is counted as skipped when it is offered.
// End every Capture with Offer or Drop. It belongs to one goroutine.
type Capture struct {
	mirror    *Mirror
	placed    bool // the copy's place is taken already
	body      []byte
	truncated bool
	full      bool // the captures' common bound was reached
}

// Capture begins to collect a primary response.
func (m *Mirror) Capture() *Capture { return &Capture{mirror: m} }

// Sample is Capture for a moved user's request, of which the old side is to get a copy; nil: no copy is wanted.
// Whether one is, and that there is place for it, is decided before the request is sent: good and
// failed answers have the same chance to be compared. With always it is not left to chance.
func (m *Mirror) Sample(now time.Time, always bool) *Capture {
	if m.cfg.Moved == 0 || !always && !m.draw(now) {
		return nil
	}
	if !m.take() {
		m.counts.chosen.Add(1)
		m.counts.skipped.Add(1)
		return nil
	}
	return &Capture{mirror: m, placed: true}
}

// sampleEvery is the time between requests that are drawn for a copy: 20 a second tell as much as thousands.
const sampleEvery = 50 * time.Millisecond

// draw draws one request, unless another was a moment ago.
func (m *Mirror) draw(now time.Time) bool {
	if rate := float64(m.cfg.Moved); rate < 1 && rand.Float64() >= rate {
		return false
	}
	at, last := now.UnixNano(), m.drawn.Load()
	return at-last >= int64(sampleEvery) && m.drawn.CompareAndSwap(last, at)
}

// Write keeps what there is place for. It takes all of p and never fails.
func (c *Capture) Write(p []byte) (int, error) {
	n := len(p)
	if left := int(c.mirror.cfg.Body) - len(c.body); len(p) > left {
		p, c.truncated = p[:left], true
	}
	if len(p) == 0 || c.full {
		return n, nil
	}
	m := c.mirror
	if m.held.Add(int64(len(p))) > 4*int64(m.cfg.Concurrency)*int64(m.cfg.Body) {
		m.held.Add(-int64(len(p)))
		c.empty()
		c.full = true
		return n, nil
	}
	c.body = append(c.body, p...)
	return n, nil
}

// Offer offers the request with what was captured, like Mirror.Offer, and ends the capture. The
// primary's Body and Truncated are set from the capture. A sample for which there was no room is compared
// without its body: leaving it out would leave out good answers only.
func (c *Capture) Offer(r *Request, primary *Response) {
	m := c.mirror
	if c.full && !c.placed {
		m.counts.chosen.Add(1)
		m.counts.skipped.Add(1)
		return
	}
	primary.Body, primary.Truncated = c.body, c.truncated || c.full || primary.Truncated
	c.empty()
	placed := c.placed
	c.placed = false
	m.offer(r, primary, placed)
}

// Drop ends the capture of a response that is not to be compared.
func (c *Capture) Drop() {
	c.empty()
	if c.placed {
		c.placed = false
		c.mirror.underWay.Add(-1)
	}
}

func (c *Capture) empty() {
	c.mirror.held.Add(-int64(len(c.body)))
	c.body = nil
}

var _ io.Writer = (*Capture)(nil)
