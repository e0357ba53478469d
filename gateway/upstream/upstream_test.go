package upstream

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// open returns a Host for a server at address, with short bounds.
func open(t *testing.T, address string, change func(*Config)) *Host {
	t.Helper()
	cfg := Config{Connect: time.Second, Response: 2 * time.Second, Idle: 2 * time.Second, KeepAlive: time.Minute, Connections: 8}
	if change != nil {
		change(&cfg)
	}
	transport := New(cfg, nil)
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	go transport.Run(ctx)
	base, err := url.Parse("http://" + address)
	if err != nil {
		t.Fatal(err)
	}
	h := transport.Open(base, address)
	t.Cleanup(func() { _ = h.Close() })
	return h
}

func server(t *testing.T, handle http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(handle)
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// scripted answers each connection with raw bytes after it has read a request head.
func scripted(t *testing.T, answer func(n int, c net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for n := 0; ; n++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				answer(n, c)
			}()
		}
	}()
	return l.Addr().String()
}

func readHead(c net.Conn) string {
	br := bufio.NewReader(c)
	var head strings.Builder
	for {
		line, err := br.ReadString('\n')
		head.WriteString(line)
		if err != nil || line == "\r\n" {
			return head.String()
		}
	}
}

func get(t *testing.T, h *Host, r *Request) (int, string, *Failure) {
	t.Helper()
	resp, failure := h.Do(t.Context(), r)
	if failure != nil {
		return 0, "", failure
	}
	defer resp.Close()
	body, err := io.ReadAll(resp)
	if err != nil {
		return resp.StatusCode, string(body), &Failure{Outcome: Broken, Err: err}
	}
	return resp.StatusCode, string(body), nil
}

func TestConnectionIsUsedAgain(t *testing.T) {
	var conns atomic.Int32
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Method+" "+r.RequestURI+" "+r.Host)
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			conns.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	h := open(t, s.Listener.Addr().String(), nil)
	for range 5 {
		status, body, failure := get(t, h, &Request{Method: "GET", Target: "/a%2fb?x=1", Host: "app.example", Replayable: true})
		if failure != nil || status != 200 || body != "GET /a%2fb?x=1 app.example" {
			t.Fatalf("got %d %q, %v", status, body, failure)
		}
	}
	if n := conns.Load(); n != 1 {
		t.Fatalf("%d connections for five requests in a row", n)
	}
}

func TestHeadersThatEndAtTheConnectionAreLeftOut(t *testing.T) {
	var got http.Header
	h := open(t, server(t, func(_ http.ResponseWriter, r *http.Request) { got = r.Header.Clone() }), nil)
	header := http.Header{
		"Connection": {"keep-alive, X-Private"}, "X-Private": {"1"}, "Keep-Alive": {"5"}, "Te": {"gzip"},
		"X-Kept": {"a", "b"}, "X-Skipped": {"no"}, "Proxy-Authorization": {"secret"},
	}
	_, _, failure := get(t, h, &Request{
		Method: "GET", Target: "/", Header: header, Extra: []byte("X-Extra: yes\r\n"),
		Skip: func(name string) bool { return name == "X-Skipped" },
	})
	if failure != nil {
		t.Fatal(failure)
	}
	if len(got) != 2 || got.Get("X-Extra") != "yes" || strings.Join(got["X-Kept"], ",") != "a,b" {
		t.Fatalf("the server got %v", got)
	}
}

func TestTargetThatWouldBreakTheRequestLine(t *testing.T) {
	h := open(t, server(t, func(http.ResponseWriter, *http.Request) { t.Error("the request was sent") }), nil)
	for _, target := range []string{"/a b", "/a\r\nX: y", "/\x7f", "/\t"} {
		if _, _, failure := get(t, h, &Request{Method: "GET", Target: target}); failure == nil || !errors.Is(failure.Err, errTarget) {
			t.Errorf("%q: %v", target, failure)
		}
	}
}

func TestBodies(t *testing.T) {
	h := open(t, server(t, func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		_, _ = io.Copy(w, r.Body)
		w.(http.Flusher).Flush()
		w.Header().Set(http.TrailerPrefix+"X-Sum", r.Trailer.Get("X-Sum"))
	}), nil)
	big := strings.Repeat("0123456789", 20_000)
	unblock := func() {}
	for name, r := range map[string]*Request{
		"held small":     {Held: []byte("hello"), Length: 5},
		"held large":     {Held: []byte(big), Length: int64(len(big))},
		"streamed":       {Body: strings.NewReader(big), Length: int64(len(big)), Unblock: unblock},
		"chunked":        {Body: strings.NewReader(big), Length: -1, Unblock: unblock},
		"chunked, empty": {Body: strings.NewReader(""), Length: -1, Unblock: unblock},
		"expect":         {Body: strings.NewReader(big), Length: int64(len(big)), Unblock: unblock, Expect: true},
		"trailer": {Body: strings.NewReader("x"), Length: -1, Unblock: unblock,
			Trailer: http.Header{"X-Sum": {"7"}}},
	} {
		want := big
		switch name {
		case "held small":
			want = "hello"
		case "chunked, empty":
			want = ""
		case "trailer":
			want = "x"
		}
		r.Method, r.Target = "POST", "/"
		resp, failure := h.Do(t.Context(), r)
		if failure != nil {
			t.Errorf("%s: %v", name, failure)
			continue
		}
		body, err := io.ReadAll(resp)
		if err != nil || string(body) != want {
			t.Errorf("%s: %d bytes, %v; want %d", name, len(body), err, len(want))
		}
		if name == "trailer" && resp.Trailer.Get("X-Sum") != "7" {
			t.Errorf("trailer: %v", resp.Trailer)
		}
		resp.Close()
	}
}

func TestExpectIsAnsweredWithoutTheBody(t *testing.T) {
	h := open(t, scripted(t, func(_ int, c net.Conn) {
		readHead(c)
		_, _ = io.WriteString(c, "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")
		_, _ = io.Copy(io.Discard, c)
	}), nil)
	body := &blockingBody{unblocked: make(chan struct{})}
	resp, failure := h.Do(t.Context(), &Request{
		Method: "PUT", Target: "/", Body: body, Length: 1 << 20, Expect: true, Unblock: body.unblock,
	})
	if failure != nil || resp.StatusCode != 401 {
		t.Fatalf("got %v, %v", resp, failure)
	}
	resp.Close()
	if body.reads.Load() != 0 {
		t.Fatal("the body was read although the server refused it")
	}
}

// blockingBody is a client that sends nothing until it is unblocked.
type blockingBody struct {
	unblocked chan struct{}
	reads     atomic.Int32
}

func (b *blockingBody) Read([]byte) (int, error) {
	b.reads.Add(1)
	<-b.unblocked
	return 0, errors.New("unblocked")
}

func (b *blockingBody) unblock() { close(b.unblocked) }

func TestEarlyAnswerEndsTheUpload(t *testing.T) {
	h := open(t, scripted(t, func(_ int, c net.Conn) {
		readHead(c)
		_, _ = io.WriteString(c, "HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig")
		_, _ = io.Copy(io.Discard, c)
	}), nil)
	body := &blockingBody{unblocked: make(chan struct{})}
	resp, failure := h.Do(t.Context(), &Request{Method: "POST", Target: "/", Body: body, Length: -1, Unblock: body.unblock})
	if failure != nil || resp.StatusCode != 413 || !resp.Sending() {
		t.Fatalf("got %v, %v", resp, failure)
	}
	text, err := io.ReadAll(resp)
	resp.Close() // returns although the client never sends a byte
	if err != nil || string(text) != "big" {
		t.Fatalf("body %q, %v", text, err)
	}
}

func TestInterimResponses(t *testing.T) {
	h := open(t, scripted(t, func(_ int, c net.Conn) {
		readHead(c)
		_, _ = io.WriteString(c, "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	}), nil)
	var hints []string
	status, body, failure := get(t, h, &Request{Method: "GET", Target: "/", Interim: func(status int, h http.Header) {
		hints = append(hints, http.StatusText(status)+" "+h.Get("Link"))
	}})
	if failure != nil || status != 200 || body != "ok" || len(hints) != 1 || hints[0] != "Early Hints </a.css>" {
		t.Fatalf("got %d %q %q, %v", status, body, hints, failure)
	}
}

func TestFailures(t *testing.T) {
	answers := map[string]struct {
		bytes   string
		outcome Outcome
	}{
		"nothing":           {"", Broken},
		"not http":          {"SSH-2.0-x\r\n", Broken},
		"half a head":       {"HTTP/1.1 200 OK\r\nContent-Le", Broken},
		"endless interim":   {strings.Repeat("HTTP/1.1 103 Hints\r\n\r\n", 100), Broken},
		"unasked upgrade":   {"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n", Broken},
		"body too short":    {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", Broken},
		"bad chunk":         {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", Broken},
		"lengths disagree":  {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", Broken},
		"head without end":  {"HTTP/1.1 200 OK\r\n" + strings.Repeat("X-Y: "+strings.Repeat("z", 1000)+"\r\n", 400), Broken},
		"line without end":  {"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("z", 400_000), Broken},
		"version from 1999": {"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n", Broken},
	}
	for name, answer := range answers {
		h := open(t, scripted(t, func(_ int, c net.Conn) {
			readHead(c)
			_, _ = io.WriteString(c, answer.bytes)
		}), nil)
		_, _, failure := get(t, h, &Request{Method: "GET", Target: "/", Replayable: true})
		if failure == nil || failure.Outcome != answer.outcome {
			t.Errorf("%s: %v", name, failure)
		}
	}
}

func TestNoConnection(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	_, _, failure := get(t, open(t, address, nil), &Request{Method: "POST", Target: "/"})
	if failure == nil || failure.Outcome != NoConnection || failure.Sent {
		t.Fatalf("got %+v", failure)
	}
}

func TestSilenceIsATimeout(t *testing.T) {
	h := open(t, scripted(t, func(_ int, c net.Conn) { _, _ = io.Copy(io.Discard, c) }), nil)
	_, _, failure := get(t, h, &Request{Method: "GET", Target: "/", Response: 10 * time.Millisecond})
	if failure == nil || failure.Outcome != Timeout || !failure.Sent {
		t.Fatalf("got %+v", failure)
	}
}

func TestSilenceInTheBody(t *testing.T) {
	h := open(t, scripted(t, func(_ int, c net.Conn) {
		readHead(c)
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
		_, _ = io.Copy(io.Discard, c)
	}), func(c *Config) { c.Idle = 10 * time.Millisecond })
	_, body, failure := get(t, h, &Request{Method: "GET", Target: "/"})
	if failure == nil || !errors.Is(failure.Err, ErrSilent) || body != "abc" {
		t.Fatalf("got %q, %v", body, failure)
	}
}

func TestClientThatLeavesEndsTheExchange(t *testing.T) {
	h := open(t, scripted(t, func(_ int, c net.Conn) { _, _ = io.Copy(io.Discard, c) }), nil)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, cancel)
	_, failure := h.Do(ctx, &Request{Method: "GET", Target: "/"})
	if failure == nil || failure.Outcome != Canceled {
		t.Fatalf("got %v", failure)
	}
}

// closing answers one request on each connection and closes it a moment later, as a server does whose
// keep-alive time is over.
func closing(t *testing.T, closed chan<- struct{}, requests *atomic.Int32) string {
	return scripted(t, func(_ int, c net.Conn) {
		readHead(c)
		requests.Add(1)
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		_ = c.Close()
		closed <- struct{}{}
	})
}

func TestIdleConnectionThatWasClosed(t *testing.T) {
	for name, r := range map[string]*Request{
		"replayable":       {Method: "GET", Target: "/", Replayable: true},
		"never sent twice": {Method: "POST", Target: "/", Held: []byte("pay"), Length: 3},
	} {
		var requests atomic.Int32
		closed := make(chan struct{}, 10)
		h := open(t, closing(t, closed, &requests), nil)
		for i := range 3 {
			if status, _, failure := get(t, h, r); failure != nil || status != 200 {
				t.Fatalf("%s: request %d: %v", name, i, failure)
			}
			<-closed
			time.Sleep(5 * time.Millisecond) // lets the end of the connection arrive
		}
		if n := requests.Load(); n != 3 {
			t.Errorf("%s: the server saw %d requests, want 3", name, n)
		}
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	release := make(chan struct{})
	var most, now atomic.Int32
	h := open(t, server(t, func(w http.ResponseWriter, _ *http.Request) {
		if n := now.Add(1); n > most.Load() {
			most.Store(n)
		}
		<-release
		now.Add(-1)
		_, _ = io.WriteString(w, "ok")
	}), func(c *Config) { c.Connections = 2; c.Connect = 5 * time.Second })
	failures := make(chan *Failure, 6)
	for range 6 {
		go func() {
			_, _, failure := get(t, h, &Request{Method: "GET", Target: "/"})
			failures <- failure
		}()
	}
	for now.Load() < 2 {
		time.Sleep(time.Millisecond)
	}
	close(release)
	for range 6 {
		if failure := <-failures; failure != nil {
			t.Error(failure)
		}
	}
	if most.Load() > 2 {
		t.Fatalf("%d connections at once, the bound is 2", most.Load())
	}
}

func TestHijack(t *testing.T) {
	h := open(t, scripted(t, func(_ int, c net.Conn) {
		readHead(c)
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhi")
		_, _ = io.Copy(c, c)
	}), nil)
	resp, failure := h.Do(t.Context(), &Request{Method: "GET", Target: "/", Upgrade: "echo"})
	if failure != nil || resp.StatusCode != 101 {
		t.Fatalf("got %v, %v", resp, failure)
	}
	ahead, c, release := resp.Hijack()
	defer release()
	if !bytes.Equal(ahead, []byte("hi")) {
		t.Fatalf("ahead %q", ahead)
	}
	_, _ = io.WriteString(c, "ping")
	got := make([]byte, 4)
	if _, err := io.ReadFull(c, got); err != nil || string(got) != "ping" {
		t.Fatalf("echo %q, %v", got, err)
	}
}

func FuzzResponseHead(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"))
	f.Add([]byte("HTTP/1.1 103 Hints\r\n\r\nHTTP/1.0 204 No\r\n\r\n"))
	f.Fuzz(func(t *testing.T, answer []byte) {
		client, peer := net.Pipe()
		go func() {
			_, _ = io.Copy(io.Discard, peer)
		}()
		go func() {
			_, _ = peer.Write(answer)
			_ = peer.Close()
		}()
		transport := New(Config{Connections: 1, Response: time.Second, Idle: time.Second}, nil)
		c := newConn(&Host{transport: transport, conns: map[*conn]struct{}{}}, client)
		c.begin(t.Context(), 0)
		resp, failure := c.exchange(&Request{Method: "GET", Target: "/"})
		if failure == nil {
			_, _ = io.Copy(io.Discard, resp)
			resp.Close()
		}
		_ = client.Close()
	})
}

// A server that is removed while a connection to it is being made keeps its bounds.
func TestHostClosedWhileAConnectionIsMade(t *testing.T) {
	h := open(t, scripted(t, func(_ int, c net.Conn) { _ = readHead(c); time.Sleep(time.Second) }), func(c *Config) { c.Response = 100 * time.Millisecond })
	h.mu.Lock()
	h.dialing++ // as acquire does before it lets go of the lock
	h.mu.Unlock()
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	c, err := h.dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c.begin(t.Context(), 0)
	_, failure := c.exchange(&Request{Method: "GET", Target: "/", Replayable: true})
	if failure == nil || failure.Outcome != Timeout {
		t.Fatalf("got %v", failure)
	}
	h.release(c, false)
	h.transport.mu.Lock()
	defer h.transport.mu.Unlock()
	if _, there := h.transport.hosts[h]; there {
		t.Fatal("the transport still watches a server that is gone")
	}
}

// The bound of a response that came before the request body was sent is that of a body.
func TestSilenceAfterAnEarlyAnswer(t *testing.T) {
	h := open(t, server(t, func(w http.ResponseWriter, q *http.Request) {
		control := http.NewResponseController(w)
		_ = control.EnableFullDuplex()
		_, _ = io.WriteString(w, "a")
		_ = control.Flush()
		_, _ = io.Copy(io.Discard, q.Body)
		time.Sleep(500 * time.Millisecond)
		_, _ = io.WriteString(w, "b")
	}), func(c *Config) { c.Response, c.Idle = 200*time.Millisecond, 5*time.Second })
	body, client := io.Pipe()
	resp, failure := h.Do(t.Context(), &Request{Method: "POST", Target: "/", Length: -1, Body: body, Unblock: func() { _ = body.Close() }})
	if failure != nil {
		t.Fatal(failure)
	}
	defer resp.Close()
	_, _ = client.Write([]byte("x"))
	_ = client.Close()
	if got, err := io.ReadAll(resp); err != nil || string(got) != "ab" {
		t.Fatalf("got %q, %v", got, err)
	}
}
