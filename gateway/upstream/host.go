package upstream

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// Host keeps the connections to one server. Its methods are safe for concurrent use.
type Host struct {
	transport *Transport
	address   string
	authority string
	tls       *tls.Config // nil: plain HTTP

	mu      sync.Mutex
	conns   map[*conn]struct{} // all of them, in use and idle
	idle    []*conn            // the one used last is the next to be used
	dialing int
	waiting []chan struct{} // who waits for a connection to be free, first come first
	closed  bool
}

// Close closes idle connections now and the others when their exchange has ended.
func (h *Host) Close() error {
	h.mu.Lock()
	h.closed = true
	idle := h.idle
	h.idle = nil
	for _, c := range idle {
		delete(h.conns, c)
	}
	gone := len(h.conns)+h.dialing == 0
	h.mu.Unlock()
	if gone {
		h.transport.forget(h)
	}
	for _, c := range idle {
		_ = c.Close() // idle: there is nothing to lose
	}
	return nil
}

// acquire returns a connection for one exchange, and whether it has been used before. fresh demands
// a new one, beyond does not wait for one to be free.
func (h *Host) acquire(ctx context.Context, fresh, beyond bool) (c *conn, reused bool, err error) {
	var over <-chan time.Time
	for {
		h.mu.Lock()
		if h.closed {
			h.mu.Unlock()
			return nil, false, errClosed
		}
		if n := len(h.idle); n > 0 && !fresh {
			c := h.idle[n-1]
			h.idle = h.idle[:n-1]
			h.mu.Unlock()
			return c, true, nil
		}
		if beyond || len(h.conns)+h.dialing < h.transport.cfg.Connections {
			h.dialing++
			h.mu.Unlock()
			c, err := h.dial(ctx)
			return c, false, err
		}
		if n := len(h.idle); n > 0 { // all slots are taken, some by idle connections: give the oldest up
			oldest := h.idle[0]
			h.idle = h.idle[1:]
			delete(h.conns, oldest)
			h.mu.Unlock()
			_ = oldest.Close()
			continue
		}
		free := make(chan struct{})
		h.waiting = append(h.waiting, free)
		h.mu.Unlock()
		if over == nil {
			over = time.After(h.transport.cfg.Connect)
		}
		select {
		case <-free:
		case <-ctx.Done():
			h.giveUp(free)
			return nil, false, ctx.Err()
		case <-over:
			h.giveUp(free)
			return nil, false, ErrBusy
		}
	}
}

func (h *Host) dial(ctx context.Context) (*conn, error) {
	c, err := h.connect(ctx)
	h.mu.Lock()
	h.dialing--
	if err == nil {
		h.conns[c] = struct{}{}
	} else {
		h.wake()
	}
	gone := h.closed && len(h.conns)+h.dialing == 0
	h.mu.Unlock()
	if gone {
		h.transport.forget(h)
	}
	return c, err
}

func (h *Host) connect(ctx context.Context) (*conn, error) {
	plain, err := h.transport.dialer.DialContext(ctx, "tcp", h.address)
	if err != nil {
		return nil, err
	}
	if h.tls == nil {
		return newConn(h, plain), nil
	}
	handshake, cancel := context.WithTimeout(ctx, h.transport.cfg.Connect)
	defer cancel()
	secured := tls.Client(plain, h.tls)
	if err := secured.HandshakeContext(handshake); err != nil {
		_ = plain.Close()
		return nil, fmt.Errorf("TLS with %s: %w", h.address, err)
	}
	return newConn(h, secured), nil
}

// release takes a connection back. reusable says that the exchange left it between two responses.
func (h *Host) release(c *conn, reusable bool) {
	reusable = c.end() == nil && reusable && c.br.Buffered() == 0
	h.mu.Lock()
	if reusable && !h.closed {
		c.idleSince = h.transport.now()
		h.idle = append(h.idle, c)
	} else {
		delete(h.conns, c)
		reusable = false
	}
	h.wake()
	gone := h.closed && len(h.conns)+h.dialing == 0
	h.mu.Unlock()
	if gone {
		h.transport.forget(h)
	}
	if !reusable {
		_ = c.Close() // its exchange has ended; nothing is written any more
	}
}

// wake lets the first in the queue try again. h.mu is held.
func (h *Host) wake() {
	if len(h.waiting) > 0 {
		close(h.waiting[0])
		h.waiting = h.waiting[1:]
	}
}

// giveUp leaves the queue; a turn that came at the same moment is passed on.
func (h *Host) giveUp(free chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i, w := range h.waiting {
		if w == free {
			h.waiting = append(h.waiting[:i:i], h.waiting[i+1:]...)
			return
		}
	}
	h.wake()
}

// sweep ends exchanges whose wait is over and closes connections idle for too long.
func (h *Host) sweep(now int64) {
	var stale []net.Conn
	h.mu.Lock()
	oldest := now - int64(h.transport.cfg.KeepAlive)
	for len(h.idle) > 0 && h.idle[0].idleSince < oldest {
		stale = append(stale, h.idle[0])
		delete(h.conns, h.idle[0])
		h.idle = h.idle[1:]
	}
	for c := range h.conns {
		c.check(now)
	}
	h.mu.Unlock()
	for _, c := range stale {
		_ = c.Close() // idle: there is nothing to lose
	}
}

// Check asks the server for path as a request would, with host as Host header unless it is empty. It
// returns nil for a status from 200 to 399.
func (h *Host) Check(ctx context.Context, path, host string) error {
	r := &Request{Method: "GET", Target: path, Host: host, Replayable: true, beyond: true, Extra: []byte("User-Agent: yadokari-health\r\n")}
	resp, failure := h.Do(ctx, r)
	if failure != nil {
		return failure
	}
	defer resp.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp, checkBody)) // so that the connection can be used again
	if resp.StatusCode < 200 || resp.StatusCode > 399 {
		return fmt.Errorf("GET %s: status %d", path, resp.StatusCode)
	}
	return nil
}

// checkBody is how much of the answer to a check is read.
const checkBody = 64 << 10
