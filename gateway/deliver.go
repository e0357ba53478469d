package gateway

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"yadokari/gateway/upstream"
)

const copyBuffer = 32 << 10

var copyBuffers = sync.Pool{New: func() any { b := make([]byte, copyBuffer); return &b }}

// deliver gives the response to the user. With guarded it is held back until it is whole, or too
// long, or too old, so that one that breaks off can still be answered from the old side: deliver
// then returns true with nothing delivered.
func (x *exchange) deliver(resp *upstream.Response, began time.Time, guarded bool) (again bool) {
	d := delivery{x: x, resp: resp, began: began}
	if endless(resp.Header) {
		d.timed, guarded = true, false // an event stream ends when the user leaves
		x.capture.head(resp.Header.Clone())
		x.begin()
	} else if x.placed.evidence != nil {
		d.size = newSizer(resp.Header)
	}
	if d.whole() {
		d.timed = true // it has come with its head
	}
	for name := range resp.Trailer {
		d.announced = append(d.announced, name)
	}
	buffer := copyBuffers.Get().(*[]byte)
	defer copyBuffers.Put(buffer)
	var err error
	if guarded {
		err = d.holdBack(*buffer)
	} else {
		d.commit()
		err = d.copy(*buffer)
	}
	d.stop()
	if err == nil {
		d.measure()
		return false
	}
	return x.broke(&d, err)
}

// broke decides what follows a response that broke off.
func (x *exchange) broke(d *delivery, err error) (again bool) {
	var user *userError
	switch {
	case errors.Is(err, upstream.ErrBody):
		x.served.outcome, x.void = upstream.Canceled, true
	case errors.As(err, &user) || x.r.Context().Err() != nil:
		x.served.outcome = upstream.Canceled
		x.leave()
	default:
		x.served.outcome = brokeBy(err)
	}
	if !d.committed {
		return true
	}
	x.status = 0
	// The user must not take a part for the whole: cut the connection (HTTP/1) or reset the stream.
	panic(http.ErrAbortHandler)
}

// brokeBy is the outcome of an attempt whose response broke off.
func brokeBy(err error) upstream.Outcome {
	if errors.Is(err, upstream.ErrSilent) || errors.Is(err, context.DeadlineExceeded) { // the latter: limits.requestTime
		return upstream.Timeout
	}
	return upstream.Broken
}

// endless reports whether a response is a stream of events, which must not wait for its end.
func endless(h http.Header) bool {
	kinds := h["Content-Type"]
	return len(kinds) > 0 && strings.HasPrefix(strings.ToLower(kinds[0]), "text/event-stream")
}

// delivery is one response on its way to the user.
type delivery struct {
	x         *exchange
	resp      *upstream.Response
	mu        sync.Mutex // while a response is held back, its release may come from a timer
	committed bool       // the head has gone to the user
	over      bool       // the response has ended one way or another: the timer has nothing to do
	held      []byte
	began     time.Time     // from when on the server's time counts
	waited    time.Duration // for the user, so far
	timed     bool          // the server's time is known
	size      sizer
	announced []string // names of trailers: reading the body fills resp.Trailer in, while a timer may commit
}

// stop ends the server's time, if it has not ended: what follows is the user's.
func (d *delivery) stop() {
	if !d.timed {
		d.timed = true
		d.x.served.took = time.Since(d.began) - d.waited
	}
}

// waits adds the time since then to that in which the user was waited for.
func (d *delivery) waits(since time.Time) { d.waited += time.Since(since) }

// measure notes what only the end of an answer tells of it.
func (d *delivery) measure() {
	if r := &d.x.served; d.x.placed.evidence != nil && !r.endless {
		q := d.x.asked()
		r.measure(&q, d.resp.Header, &d.size)
	}
}

// userError is a failure to write to the user.
type userError struct{ error }

// commit sends the head to the user.
func (d *delivery) commit() {
	header := d.x.w.Header()
	upstream.StripHopByHop(d.resp.Header)
	for name, values := range d.resp.Header {
		header[name] = values
	}
	if header["Content-Type"] == nil {
		header["Content-Type"] = nil // keeps net/http from guessing one
	}
	for _, name := range d.announced {
		header.Add("Trailer", name)
	}
	if d.resp.ContentLength > 0 && header["Content-Length"] == nil {
		header["Content-Length"] = []string{strconv.FormatInt(d.resp.ContentLength, 10)}
	}
	if leavesGate(d.x.r) || d.resp.Sending() || d.x.body.unblock || d.x.gateway.leaving() {
		header["Connection"] = []string{"close"}
	}
	d.x.observe(d.resp.Header)
	d.x.grant(header)
	d.x.capture.head(d.resp.Header)
	d.x.status = d.resp.StatusCode
	d.committed = true
	d.x.w.WriteHeader(d.resp.StatusCode)
}

// copy sends the body on as it comes and flushes whenever nothing more has arrived yet.
func (d *delivery) copy(buffer []byte) error {
	for {
		n, err := d.resp.Read(buffer)
		if err != nil {
			d.stop()
		}
		if n > 0 {
			if err := d.pass(buffer[:n], err == nil && d.resp.Pausing()); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			d.trailers()
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// pass is write, with the user's time kept apart from the server's.
func (d *delivery) pass(p []byte, flush bool) error {
	if !d.timed {
		defer d.waits(time.Now())
	}
	return d.write(p, flush)
}

func (d *delivery) write(p []byte, flush bool) error {
	d.bound(d.x.table.config.Limits.Idle)
	if len(p) > 0 { // an answer that has no body (204, 304) refuses to take even none
		if _, err := d.x.w.Write(p); err != nil {
			return &userError{err}
		}
	}
	d.x.bytes += int64(len(p))
	d.size.add(p)
	d.x.capture.add(p)
	if flush {
		if f, ok := d.x.w.(http.Flusher); ok {
			f.Flush()
		}
		d.bound(0) // it is the server that is waited for now
	}
	return nil
}

// bound is how long the user of an HTTP/2 stream may take to read what is written next; 0: any time. One who opens
// no window would be waited for without an end, and the connection below sees no write.
func (d *delivery) bound(wait time.Duration) {
	if d.x.r.ProtoMajor != 2 {
		return
	}
	until := time.Time{}
	if wait > 0 {
		until = time.Now().Add(wait)
	}
	_ = http.NewResponseController(d.x.w).SetWriteDeadline(until) // every HTTP/2 stream can
}

func (d *delivery) trailers() {
	for name, values := range d.resp.Trailer {
		d.x.w.Header()[http.TrailerPrefix+name] = values
	}
}

// holdBack reads the response up to the limits of a replacement before the user sees any of it.
func (d *delivery) holdBack(buffer []byte) error {
	bounds := &d.x.table.config.Fallback
	if d.whole() {
		// All of it has arrived with the head: reading it cannot wait.
		return d.holdUntil(buffer, int(bounds.Response))
	}
	release := time.AfterFunc(bounds.Hold, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if !d.committed && !d.over {
			_ = d.let(true) // a user who is gone is found at the next write
		}
	})
	err := d.holdUntil(buffer, int(bounds.Response))
	release.Stop()
	d.mu.Lock()
	d.over = true
	d.mu.Unlock()
	return err
}

func (d *delivery) whole() bool {
	return d.resp.Body == http.NoBody || d.resp.ContentLength >= 0 && d.resp.ContentLength <= int64(d.resp.Buffered())
}

func (d *delivery) holdUntil(buffer []byte, most int) error {
	for {
		n, err := d.resp.Read(buffer)
		if err != nil {
			d.stop()
		}
		ended := errors.Is(err, io.EOF)
		if err := d.take(buffer[:n], most, ended, err != nil); err != nil {
			return err
		}
		if ended {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// take holds one more part, or sends it on once the response is released. ended releases it.
func (d *delivery) take(p []byte, most int, ended, last bool) error {
	if !d.timed {
		defer d.waits(time.Now()) // also for a timer that writes
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.committed {
		if ended && len(d.held) == 0 { // the usual case: one part, and that is all
			d.commit()
			err := d.write(p, false)
			d.trailers()
			return err
		}
		d.held = append(d.held, p...)
		if !ended && len(d.held) <= most {
			return nil
		}
		err := d.let(!ended)
		if ended {
			d.trailers()
		}
		return err
	}
	if len(p) > 0 {
		if err := d.write(p, !last && d.resp.Pausing()); err != nil {
			return err
		}
	}
	if ended {
		d.trailers()
	}
	return nil
}

// let sends the head and what is held to the user. d.mu is held.
func (d *delivery) let(flush bool) error {
	d.commit()
	held := d.held
	d.held = nil
	return d.write(held, flush)
}
