package mirror

import "io"

// Capture collects the first part of a primary response's body while it is passed on to the user. All
// captures of a Mirror together hold at most four times what its copies may: slow responses to many
// users must not fill the memory. What finds no place is counted as skipped when it is offered.
// End every Capture with Offer or Drop. It belongs to one goroutine.
type Capture struct {
	mirror    *Mirror
	body      []byte
	truncated bool
	full      bool // the captures' common bound was reached
}

// Capture begins to collect a primary response.
func (m *Mirror) Capture() *Capture { return &Capture{mirror: m} }

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
		c.Drop()
		c.full = true
		return n, nil
	}
	c.body = append(c.body, p...)
	return n, nil
}

// Offer offers the request with what was captured, like Mirror.Offer, and ends the capture. The
// primary's Body and Truncated are set from the capture.
func (c *Capture) Offer(r *Request, primary *Response) {
	m := c.mirror
	if c.full {
		m.counts.chosen.Add(1)
		m.counts.skipped.Add(1)
		return
	}
	primary.Body, primary.Truncated = c.body, c.truncated
	m.held.Add(-int64(len(c.body)))
	c.body = nil
	m.Offer(r, primary)
}

// Drop ends the capture of a response that is not to be compared.
func (c *Capture) Drop() {
	c.mirror.held.Add(-int64(len(c.body)))
	c.body = nil
}

var _ io.Writer = (*Capture)(nil)
