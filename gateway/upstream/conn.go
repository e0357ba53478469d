package upstream

import (
	"bufio"
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	readBuffer = 16 << 10
	maxHead    = 256 << 10 // of a response
	headBuffer = 2 << 10   // a usual request head; grows when one is larger
)

// conn is one connection to one server. It carries one exchange at a time.
type conn struct {
	net.Conn
	host *Host
	in   inflow // what br reads from
	br   *bufio.Reader
	out  []byte // the request head, and a small body, are put together here and leave in one write
	idle listener

	idleSince int64 // guarded by host.mu

	// until is the instant (Transport.now) at which the present wait is over; 0 is never.
	until atomic.Int64

	mu      sync.Mutex
	ctx     context.Context // of the exchange under way; nil while idle
	aborted error           // why the sweep ended the exchange
	patient int64           // not 0: until may be put off to this instant, see Pending
}

func newConn(h *Host, c net.Conn) *conn {
	made := &conn{Conn: c, host: h, in: inflow{source: c}, out: make([]byte, 0, headBuffer)}
	made.idle.listenTo(c)
	made.br = bufio.NewReaderSize(&made.in, readBuffer)
	return made
}

// inflow bounds what a response head may take: the parser itself reads a head of any size.
type inflow struct {
	source net.Conn
	left   int // bytes the head may still take; negative: a body, unbounded
}

func (i *inflow) head() { i.left = maxHead }
func (i *inflow) body() { i.left = -1 }

// Read reads from the connection, within the bound.
func (i *inflow) Read(p []byte) (int, error) {
	if i.left < 0 {
		return i.source.Read(p)
	}
	if i.left == 0 {
		return 0, errHeadSize
	}
	n, err := i.source.Read(p[:min(len(p), i.left)])
	i.left -= n
	return n, err
}

// begin hands the connection to an exchange that lives no longer than ctx. patient is from conn.patience.
func (c *conn) begin(ctx context.Context, patient int64) {
	c.mu.Lock()
	c.ctx, c.aborted, c.patient = ctx, nil, patient
	c.mu.Unlock()
}

// end takes the connection from its exchange and says why the sweep ended it, if it did.
func (c *conn) end() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ctx, c.patient = nil, 0
	c.until.Store(0)
	return c.aborted
}

// cause is why the sweep ended the exchange under way; nil when it did not.
func (c *conn) cause() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.aborted
}

// await bounds the wait that follows: a read or write that has not ended by then fails.
func (c *conn) await(d time.Duration) {
	if d <= 0 {
		c.until.Store(0)
		return
	}
	c.until.Store(c.host.transport.now() + int64(d))
}

// check ends the exchange when its wait is over or its client is gone.
func (c *conn) check(now int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx == nil || c.aborted != nil {
		return
	}
	if err := c.ctx.Err(); err != nil {
		c.aborted = err
	} else if until := c.until.Load(); until != 0 && now >= until && c.patient != 0 {
		c.aborted = errEarly
	} else if until != 0 && now >= until {
		c.aborted = ErrSilent
	} else {
		return
	}
	c.wakeUp()
}

// abort ends the exchange under way for the given reason.
func (c *conn) abort(why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx != nil && c.aborted == nil {
		c.aborted = why
		c.wakeUp()
	}
}

// wakeUp makes whoever reads or writes return. The connection is closed by its exchange.
func (c *conn) wakeUp() { _ = c.SetDeadline(time.Unix(1, 0)) }
