package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"yadokari/gateway/framing"
)

// front accepts users' connections: within a number, with the TLS handshake done, each behind the
// framing gate, and none blocked in a write for longer than the idle time.
type front struct {
	net.Listener
	options  framing.Options
	tls      *tls.Config // nil: plain HTTP
	patience time.Duration
	stall    time.Duration
	slots    chan struct{}
	ready    chan net.Conn
	failed   chan error
	welcomes sync.WaitGroup // connections that are accepted and not yet passed on
	clock    atomic.Int64   // seconds since start, for connections that write

	logger     *slog.Logger // nil: says nothing
	complained int64        // when, in seconds of clock from 1; 0: never

	mu    sync.Mutex
	conns map[*userConn]struct{}
}

func newFront(l net.Listener, limits *Limits, secure *tls.Config, options framing.Options) *front {
	return &front{
		Listener: l, options: options, tls: secure, patience: limits.HeaderTime, stall: limits.Idle,
		slots: make(chan struct{}, limits.Connections), ready: make(chan net.Conn), failed: make(chan error, 1),
		conns: map[*userConn]struct{}{},
	}
}

// run accepts connections until the listener is closed, and cuts those that are stuck until ctx ends.
func (f *front) run(ctx context.Context) {
	go f.accept(ctx)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			f.cutStuck(f.clock.Add(1))
		}
	}
}

func (f *front) accept(ctx context.Context) {
	for {
		f.slots <- struct{}{}
		c, err := f.Listener.Accept()
		if passing(err) {
			<-f.slots
			f.complain(err)
			after(ctx, acceptAgain)
			continue
		}
		if err != nil {
			<-f.slots
			f.welcomes.Wait() // whoever got in is served
			f.failed <- err
			return
		}
		user := f.track(c)
		f.welcomes.Go(func() { f.welcome(ctx, user) })
	}
}

// acceptAgain is the pause after the system could not accept a connection.
const acceptAgain = 20 * time.Millisecond

// complain logs that connections cannot be accepted, once every ten seconds at most. One goroutine
// calls it.
func (f *front) complain(err error) {
	now := f.clock.Load() + 1
	if f.logger == nil || f.complained != 0 && now-f.complained < 10 {
		return
	}
	f.complained = now
	f.logger.Error("a connection could not be accepted; trying again (is LimitNOFILE large enough?)", "error", err)
}

// passing reports an error of Accept that goes away: no file descriptor or memory is left for the
// moment, or the peer has gone already. The listener is as good as before.
func passing(err error) bool {
	for _, e := range [...]syscall.Errno{
		syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED, syscall.EPROTO, syscall.EINTR, syscall.EPERM,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// Accept returns the next connection whose handshake is done.
func (f *front) Accept() (net.Conn, error) {
	select {
	case c := <-f.ready:
		return c, nil
	case err := <-f.failed:
		f.failed <- err // net/http asks once more after some errors
		return nil, err
	}
}

func (f *front) welcome(ctx context.Context, c *userConn) {
	made := f.secure(ctx, c)
	if made == nil {
		_ = c.Close() // a handshake that failed: the peer has been told by TLS, or is gone
		return
	}
	select {
	case f.ready <- made:
	case <-ctx.Done():
		_ = c.Close()
	}
}

func (f *front) secure(ctx context.Context, c *userConn) net.Conn {
	if f.tls == nil {
		return framing.NewConn(c, f.options)
	}
	handshake, cancel := context.WithTimeout(ctx, f.patience)
	defer cancel()
	secured := tls.Server(c, f.tls)
	if err := secured.HandshakeContext(handshake); err != nil {
		return nil
	}
	if secured.ConnectionState().NegotiatedProtocol == "h2" {
		return secured // net/http speaks HTTP/2 to a *tls.Conn only; exchange.clean looks at what its requests become
	}
	c.writing.Store(silent) // the handshake was no answer
	return framing.NewTLSConn(secured, f.options)
}

func (f *front) track(c net.Conn) *userConn {
	u := &userConn{Conn: c, front: f}
	u.writing.Store(silent)
	if f.tls == nil && !f.options.AllowH2C { // a byte for net/http must be one of the socket, and no frame of HTTP/2
		u.watch = newWatch(c)
	}
	f.mu.Lock()
	f.conns[u] = struct{}{}
	f.mu.Unlock()
	return u
}

// cutStuck closes connections whose peer has not read for too long.
func (f *front) cutStuck(now int64) {
	oldest := now - int64(f.stall/time.Second)
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.conns {
		if since := c.writing.Load(); since > 0 && since < oldest {
			_ = c.Conn.Close() // the write that is stuck returns the error
		}
	}
}

// settle returns when the first request of every connection is being answered, or ctx ends.
func (f *front) settle(ctx context.Context) {
	for ctx.Err() == nil && f.unanswered() {
		after(ctx, 5*time.Millisecond)
	}
}

func (f *front) unanswered() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.conns {
		if c.writing.Load() == silent {
			return true
		}
	}
	return false
}

// open is the number of connections at this moment.
func (f *front) open() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.conns)
}

// userConn is a user's connection that knows since when a write has been under way.
type userConn struct {
	net.Conn
	front   *front
	watch   *watch       // nil: not possible, or HTTP/2 may be spoken
	writing atomic.Int64 // in seconds of front.clock, from 1; 0: no write; silent: never one
	once    sync.Once
}

// silent is userConn.writing of a connection on which no answer has begun yet.
const silent = -1

// Read reads. While a request is served net/http waits for one byte, to learn that the user has left
// (or sends the next request); that wait is left to the kernel.
func (c *userConn) Read(p []byte) (int, error) {
	if len(p) == 1 && c.watch != nil {
		return c.watch.read(p)
	}
	return c.Conn.Read(p)
}

// Write writes and lets the front see how long it takes.
func (c *userConn) Write(p []byte) (int, error) {
	c.writing.Store(c.front.clock.Load() + 1)
	n, err := c.Conn.Write(p)
	c.writing.Store(0)
	return n, err
}

// CloseWrite ends the direction to the user.
func (c *userConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.Conn.Close()
}

// Close closes the connection and makes room for another.
func (c *userConn) Close() error {
	c.once.Do(func() {
		c.front.mu.Lock()
		delete(c.front.conns, c)
		c.front.mu.Unlock()
		<-c.front.slots
	})
	return c.Conn.Close()
}
