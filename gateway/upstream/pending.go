package upstream

import (
	"context"
	"errors"
	"os"
	"time"
)

// errEarly ends a wait that may be taken up again.
var errEarly = errors.New("the server has been silent for a part of the time it may take")

// Pending is an exchange whose request has been sent, while its server has been silent for as long as
// Request.Response. It still has its connection. End it with Await or Close.
type Pending struct {
	conn    *conn
	request Request // what is left of it to be known
	sender  *sender
}

// Await waits on, until the server has been silent for as long as its backend's Response, counted from when
// the request began to be sent. From now on it is ctx that the exchange lives no longer than. The result is that of
// Host.Do; interim responses are dropped.
func (p *Pending) Await(ctx context.Context) (*Response, *Failure) {
	c := p.conn
	c.under(ctx)
	c.resume()
	resp, failure := c.readHead(&p.request, p.sender)
	if failure != nil {
		p.Close()
	}
	return resp, failure
}

// Close ends the exchange, and costs the connection.
func (p *Pending) Close() {
	if p.sender != nil {
		p.sender.stop()
	}
	p.conn.host.release(p.conn, false)
}

// patience is the instant until which the server may be silent after a first wait is over; 0: none.
func (c *conn) patience(r *Request) int64 {
	if whole := c.host.transport.cfg.Response; r.Patient && r.Response > 0 && r.Response < whole && r.Body == nil {
		return c.host.transport.now() + int64(whole)
	}
	return 0
}

// pending is what to go on with when the first wait is over; nil when it was something else that ended it, or
// when the request has not been sent to its end.
func (c *conn) pending(r *Request, s *sender, err error) *Pending {
	if !errors.Is(err, os.ErrDeadlineExceeded) || !errors.Is(c.cause(), errEarly) || s != nil && !s.whole.Load() {
		return nil
	}
	return &Pending{conn: c, request: Request{Method: r.Method}, sender: s}
}

// under puts ctx in the place of the context before.
func (c *conn) under(ctx context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ctx = ctx
}

// resume takes the bound of a first wait away, in favour of the whole one.
func (c *conn) resume() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.patient == 0 {
		return
	}
	if errors.Is(c.aborted, errEarly) {
		c.aborted = nil
		_ = c.SetDeadline(time.Time{})
	}
	c.until.Store(c.patient)
	c.patient = 0
}
