package gateway

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"yadokari/gateway/upstream"
)

// upgradeOf is the protocol that a request asks to change to (RFC 9110, section 7.8); empty: none.
func upgradeOf(r *http.Request) string {
	if r.ProtoMajor != 1 || r.ContentLength != 0 {
		return "" // with a body under way the connection could not be handed over; ignoring is always allowed
	}
	values := r.Header["Upgrade"]
	if len(values) == 0 || !upstream.Names(r.Header["Connection"], "Upgrade") {
		return ""
	}
	for protocol := range strings.SplitSeq(strings.Join(values, ","), ",") {
		if strings.EqualFold(strings.TrimSpace(protocol), "h2c") {
			return "" // HTTP/2 inside the tunnel would be requests that no route, limit or log sees
		}
	}
	return values[0]
}

// leavesGate reports whether the framing gate lets everything through after this request, as it does
// after any Upgrade field, asked for in Connection or not: the connection must not carry another one.
func leavesGate(r *http.Request) bool { return len(r.Header["Upgrade"]) > 0 }

// upgrade connects the user with the server after a 101 response, until one of them ends it.
func (x *exchange) upgrade(resp *upstream.Response) {
	x.status = resp.StatusCode
	client, buffered, err := http.NewResponseController(x.w).Hijack()
	if err != nil {
		x.served.outcome = upstream.Broken
		x.fail(http.StatusBadGateway)
		return
	}
	ahead, backend, release := resp.Hijack()
	serving := x.side
	if x.fellBack {
		serving = oldSide
	}
	t := &tunnel{client: client, server: backend, idle: x.route.backendOf(serving).config.Upstream.Idle}
	defer release()
	defer t.close()
	x.begin()
	x.grant(resp.Header)
	if err := writeSwitch(buffered.Writer, resp.Response, ahead); err != nil {
		return
	}
	if serving == newSide {
		defer x.route.sessions.add(t)()
		if x.placed.leads() && !x.route.placement.Load().leads() { // rolled back before this was open
			x.route.sessions.closeAfter(x.route.config.Shift.Linger)
		}
	}
	x.gateway.tunnels.add(t)
	defer x.gateway.tunnels.remove(t)
	x.bytes = t.run(buffered.Reader)
}

// writeSwitch sends the head of the 101 response and what the server has sent after it.
func writeSwitch(w *bufio.Writer, resp *http.Response, ahead []byte) error {
	protocol := resp.Header.Get("Upgrade")
	upstream.StripHopByHop(resp.Header)
	_, _ = w.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: " + protocol + "\r\n") // Flush tells
	_ = resp.Header.Write(w)
	_, _ = w.WriteString("\r\n")
	_, _ = w.Write(ahead)
	return w.Flush()
}

// tunnel is an upgraded connection: bytes both ways.
type tunnel struct {
	client, server net.Conn
	idle           time.Duration
	heard          atomic.Int64 // when bytes last came, in either direction: UnixNano
	once           sync.Once
}

// run copies until both directions have ended, and returns how many bytes went to the user.
func (t *tunnel) run(fromClient io.Reader) int64 {
	upward := make(chan struct{})
	go func() {
		defer close(upward)
		t.pass(t.server, fromClient, t.client)
	}()
	n := t.pass(t.client, t.server, t.server)
	<-upward
	return n
}

// pass copies one direction; source is the connection below from, whose silence is bounded. The end
// of one direction is passed on, so that the other can finish; an error ends both.
func (t *tunnel) pass(to net.Conn, from io.Reader, source net.Conn) (n int64) {
	buffer := copyBuffers.Get().(*[]byte)
	defer copyBuffers.Put(buffer)
	for {
		_ = source.SetReadDeadline(time.Now().Add(t.idle)) // a connection that is closed fails at the read
		got, err := from.Read(*buffer)
		if got > 0 {
			t.heard.Store(time.Now().UnixNano())
			_ = to.SetWriteDeadline(time.Now().Add(t.idle))
			if _, err := to.Write((*buffer)[:got]); err != nil {
				t.close()
				return n
			}
			n += int64(got)
		}
		if err == nil || errors.Is(err, os.ErrDeadlineExceeded) && t.busy() {
			continue
		}
		if half, ok := to.(interface{ CloseWrite() error }); ok && err == io.EOF && half.CloseWrite() == nil {
			return n
		}
		t.close()
		return n
	}
}

// busy reports whether bytes came from either end within the idle time: many a WebSocket only listens.
func (t *tunnel) busy() bool { return time.Since(time.Unix(0, t.heard.Load())) < t.idle }

// close ends the tunnel at once.
func (t *tunnel) close() {
	t.once.Do(func() {
		_ = t.client.Close() // both ends learn by it; there is nobody to tell of an error
		_ = t.server.Close()
	})
}

// sessions are the tunnels to one side of a route.
type sessions struct {
	mu   sync.Mutex
	open map[*tunnel]struct{}
}

func (s *sessions) add(t *tunnel) (remove func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		s.open = map[*tunnel]struct{}{}
	}
	s.open[t] = struct{}{}
	return func() { s.remove(t) }
}

func (s *sessions) remove(t *tunnel) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, t)
}

// now is the tunnels that are open at this moment.
func (s *sessions) now() []*tunnel {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*tunnel, 0, len(s.open))
	for t := range s.open {
		list = append(list, t)
	}
	return list
}

// closeAfter ends, after linger, the tunnels that are open now.
func (s *sessions) closeAfter(linger time.Duration) {
	list := s.now()
	if len(list) == 0 {
		return
	}
	time.AfterFunc(linger, func() {
		for _, t := range list {
			t.close()
		}
	})
}
