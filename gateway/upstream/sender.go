package upstream

import (
	"errors"
	"sync/atomic"
	"time"
)

// sender writes a body while the response is awaited, which may come before the server has read all of it.
type sender struct {
	conn    *conn
	request *Request
	wait    time.Duration // for the response head once the body is sent
	proceed chan struct{} // closed by a 100 (Continue)
	ended   chan struct{} // closed when run has returned
	opened  atomic.Bool   // proceed has been closed
	heard   atomic.Bool   // the response head has come, and its body has a bound of its own
	whole   atomic.Bool   // the body was read and sent to its end
	stopped atomic.Bool   // nobody waits for the rest
}

// release lets the body go.
func (s *sender) release() {
	if !s.opened.Swap(true) {
		close(s.proceed)
	}
}

// stop ends the sender and waits until it no longer reads the body.
func (s *sender) stop() {
	s.stopped.Store(true)
	s.release()
	_ = s.conn.SetWriteDeadline(time.Unix(1, 0)) // the connection is not used again
	if s.request.Unblock != nil {
		s.request.Unblock()
	}
	<-s.ended
}

func (s *sender) run() {
	defer close(s.ended)
	if s.request.Held != nil {
		s.writeHeld()
		return
	}
	c := s.conn
	idle := c.host.transport.cfg.Idle
	if s.request.Expect {
		select {
		case <-s.proceed:
		case <-time.After(continueWait):
		}
	}
	if s.stopped.Load() {
		return // the final response came in place of the 100
	}
	c.await(idle)
	err := s.copyBody(idle)
	var client *bodyError
	switch {
	case err == nil:
		s.whole.Store(true)
		s.awaitHead()
	case s.stopped.Load():
	case errors.As(err, &client):
		c.abort(client) // the server waits for the rest, which will not come
	default:
		s.awaitHead() // the server stopped reading; it may have answered
	}
}

// writeHeld sends a body that is at hand: nobody else is waited for, so the bound of the whole wait for the
// response head, which has begun, stands. A server that stopped reading may have answered.
func (s *sender) writeHeld() {
	if _, err := s.conn.Write(s.request.Held); err == nil {
		s.whole.Store(true)
	}
}

// awaitHead bounds the wait for the response head, unless that has come while the body was sent.
func (s *sender) awaitHead() {
	if !s.heard.Load() {
		s.conn.await(s.wait)
	}
}

// awaitClient takes the server's bound away while the client is waited for, which has one of its own.
func (s *sender) awaitClient() {
	if !s.heard.Load() {
		s.conn.await(0)
	}
}

// bodyError is a body that could not be read from the client.
type bodyError struct{ error }

func (e *bodyError) Unwrap() []error { return []error{ErrBody, e.error} }
