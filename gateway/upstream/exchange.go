package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// continueWait is how long a body is held back for a server that never says 100 (Continue);
// RFC 9110, 10.1.1, forbids waiting for ever.
const continueWait = time.Second

// staleTries is how many idle connections may turn out to be closed before a new one is made.
const staleTries = 2

// heldInHead is the largest body that is copied behind the head to leave in the same write.
const heldInHead = 4 << 10

// interimMost is how many 1xx responses a server may send before the final one.
const interimMost = 16

// Do sends one request and reads the response head. It returns a response, whose Close must be
// called, or a Failure. When ctx ends, so does the exchange, unless it is Pending by then.
func (h *Host) Do(ctx context.Context, r *Request) (*Response, *Failure) {
	for try := 0; ; try++ {
		c, reused, err := h.acquire(ctx, try >= staleTries, r.beyond)
		if err != nil {
			return nil, connectFailure(ctx, err)
		}
		if reused && !c.alive() {
			h.release(c, false)
			continue
		}
		c.begin(ctx, c.patience(r))
		resp, failure := c.exchange(r)
		if failure == nil || failure.Pending != nil {
			return resp, failure
		}
		// The server may close an idle connection at any time. Nothing of a response came, so this
		// says nothing about the server; a request that may be repeated is.
		stale := reused && failure.Outcome == Broken && failure.silent
		h.release(c, false)
		if !stale || !r.Replayable || r.Body != nil {
			return nil, failure
		}
	}
}

func connectFailure(ctx context.Context, err error) *Failure {
	if ctx.Err() != nil {
		return &Failure{Outcome: Canceled, Err: ctx.Err()}
	}
	return &Failure{Outcome: NoConnection, Err: err}
}

// exchange sends the request and reads the response head.
func (c *conn) exchange(r *Request) (*Response, *Failure) {
	var err error
	if c.out, err = r.AppendHead(c.out[:0], c.host.authority); err != nil {
		return nil, &Failure{Outcome: Broken, Err: err}
	}
	if len(r.Held) <= heldInHead {
		c.out = append(c.out, r.Held...)
	}
	wait := r.Response
	if wait <= 0 {
		wait = c.host.transport.cfg.Response
	}
	c.await(wait)
	if _, err := c.Write(c.out); err != nil {
		return nil, c.failure(err, true)
	}
	if r.Length == 0 || r.Held != nil && len(r.Held) <= heldInHead {
		return c.readHead(r, nil)
	}
	s := &sender{conn: c, request: r, wait: wait, proceed: make(chan struct{}), ended: make(chan struct{})}
	if r.Patient {
		own := *r // the caller may be done with its own before the exchange is
		s.request = &own
	}
	go s.run()
	resp, failure := c.readHead(r, s)
	if failure != nil && failure.Pending == nil {
		s.stop()
	}
	return resp, failure
}

// readHead reads responses until the final one.
func (c *conn) readHead(r *Request, s *sender) (*Response, *Failure) {
	request := http.Request{Method: r.Method}
	for range interimMost {
		c.in.head()
		if _, err := c.br.Peek(1); err != nil {
			f := c.failure(err, true)
			f.Pending = c.pending(r, s, err)
			return nil, f
		}
		if r.Patient {
			c.resume() // it has begun to answer, and may take its time to go on
		}
		resp, err := http.ReadResponse(c.br, &request) //nolint:bodyclose // Response.Close, or the next head, ends it
		if err != nil {
			return nil, c.failure(headError(err), false)
		}
		switch {
		case resp.StatusCode == http.StatusContinue:
			if s != nil {
				s.release()
			}
		case resp.StatusCode == http.StatusSwitchingProtocols && r.Upgrade != "":
			c.in.body()
			return &Response{Response: resp, conn: c}, nil
		case resp.StatusCode == http.StatusSwitchingProtocols || resp.StatusCode < 100 || resp.ProtoMajor != 1:
			return nil, &Failure{Outcome: Broken, Sent: true, Err: errMalformed}
		case resp.StatusCode < 200:
			if r.Interim != nil {
				r.Interim(resp.StatusCode, resp.Header)
			}
		default:
			c.in.body()
			if s != nil {
				s.heard.Store(true)
			}
			c.await(c.host.transport.cfg.Idle)
			return &Response{Response: resp, conn: c, sender: s}, nil
		}
	}
	return nil, &Failure{Outcome: Broken, Sent: true, Err: errMalformed}
}

// headError tells a connection that broke from bytes that are not HTTP.
func headError(err error) error {
	var network net.Error
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &network) {
		return err
	}
	return fmt.Errorf("%w: %w", errMalformed, err)
}

// failure names what ended an exchange. first says that no byte of the response had come.
func (c *conn) failure(err error, first bool) *Failure {
	f := &Failure{Outcome: Broken, Sent: true, Err: err, silent: first && !errors.Is(err, errHeadSize)}
	switch cause := c.cause(); {
	case errors.Is(cause, ErrSilent), errors.Is(cause, errEarly):
		f.Outcome, f.Err = Timeout, ErrSilent
	case cause != nil:
		f.Outcome, f.Err = Canceled, cause
	}
	return f
}
