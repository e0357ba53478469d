package upstream

import (
	"math"
	"math/rand/v2"
	"net"
	"net/netip"
	"time"
)

// endpoint is one address of the mail server. Guarded by Pool.mu but for addr.
type endpoint struct {
	addr      netip.AddrPort
	idle      []*Conn // the one used last is at the end
	open      int     // connections, and attempts at them
	busy      int     // of those, the ones in use
	trying    int     // attempts at connections, under way
	gone      bool    // the name no longer stands for it
	failures  int     // in a row
	downUntil time.Time
	cause     error // of the last failure
	mails     int64 // delivered, whatever the answers

	latency   float64 // seconds a mail takes, smoothed
	latencyAt time.Time
}

// Half-life of what is known of an address's latency. It must fade, or an address that was slow once
// would never be asked again.
const halfLife = 10 * time.Second

// weight of a new observation in the latency.
const weight = 0.3

// cost is the expected wait at an address: its latency for us and those there before us. Picking the least is
// join-the-shortest-queue with unequal servers, which gives a slow one less and a dead one nothing.
func (e *endpoint) cost(now time.Time) float64 {
	known := e.latency * math.Exp2(-float64(now.Sub(e.latencyAt))/float64(halfLife))
	return float64(e.busy+1) * (known + 1e-4) // a tenth of a millisecond: without it, unknown addresses would not count their queue
}

func (e *endpoint) observe(took time.Duration, now time.Time) {
	if e.latencyAt.IsZero() {
		e.latency = took.Seconds()
	} else {
		e.latency += weight * (took.Seconds() - e.latency)
	}
	e.latencyAt = now
	e.failures, e.cause, e.downUntil = 0, nil, time.Time{}
	e.mails++
}

// fail takes the address out for a while that doubles from failure to failure.
func (e *endpoint) fail(cause error, now time.Time, most time.Duration) {
	if now.Before(e.downUntil) {
		return // others have failed at the same time
	}
	e.failures++
	e.cause = cause
	delay := min(most, time.Second<<min(e.failures-1, 20))
	e.downUntil = now.Add(delay/2 + rand.N(delay/2+1))
}

// usable tells whether a connection may be opened there now. After a failure one at a time is. A delivery under
// way does not count as one: it may hang long after the server is back.
func (e *endpoint) usable(now time.Time) bool {
	return !e.gone && !now.Before(e.downUntil) && (e.failures == 0 || e.trying == 0)
}

// deadlineWriter gives every write the same time.
type deadlineWriter struct {
	net.Conn
	timeout time.Duration
}

func (w deadlineWriter) Write(b []byte) (int, error) {
	if err := w.Conn.SetWriteDeadline(time.Now().Add(w.timeout)); err != nil {
		return 0, err
	}
	return w.Conn.Write(b)
}
