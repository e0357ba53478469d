package gateway

import (
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"yadokari/gateway/framing"
	"yadokari/setting"
)

// dial connects to the gateway and sends text; reads fail after 5 s.
func (r *rig) dial(text string) net.Conn {
	r.t.Helper()
	c, err := net.Dial("tcp", r.Addr().String())
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = c.Close() })
	_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.WriteString(c, text); err != nil {
		r.t.Fatal(err)
	}
	return c
}

// What a client does wrong with its body is answered so, and does not count against the new side.
func TestBodiesThatClientsDoNotFinish(t *testing.T) {
	const held = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345"
	part := strings.Repeat("x", 1000)
	const streamed = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n"
	const chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
	for name, c := range map[string]struct {
		text   string
		leave  bool
		status string
		limit  setting.Size
	}{
		"silent, held":     {held, false, "408", 0},
		"silent, streamed": {streamed + part, false, "408", 0},
		"too long":         {chunked + "20000\r\n" + strings.Repeat("x", 0x20000) + "\r\n", false, "413", 100 << 10},
		"no chunk":         {chunked + "5\r\nhello\r\nzz\r\n", false, "400", 0},
		"left, streamed":   {streamed + part, true, "", 0},
		"left, chunked":    {chunked + "5\r\nhel", true, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(g *Config) { g.Limits.Idle, g.Limits.Body = 200*time.Millisecond, c.limit })
			r.share(1)
			r.new.does(func(_ http.ResponseWriter, q *http.Request) { _, _ = io.Copy(io.Discard, q.Body) })
			conn := r.dial(c.text)
			if c.leave {
				time.Sleep(20 * time.Millisecond) // the request has begun to be sent on
				_ = conn.Close()
			} else {
				out, err := io.ReadAll(conn)
				if err != nil && len(out) == 0 || !strings.HasPrefix(string(out), "HTTP/1.1 "+c.status) {
					t.Errorf("got %q, %v: the connection should have been closed", out, err)
				}
			}
			eventually(t, "the request goes on", func() bool { return r.inFlight.Load() == 0 })
			if w := r.window(); w.New.Failures != 0 || len(failed(w)) != 0 {
				t.Errorf("counted %+v", w)
			}
		})
	}
}

// A refused request whose body does not come frees its place.
func TestRefusedRequestIsNotWaitedFor(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Limits.InFlight, c.Limits.HeaderTime = 0, 200*time.Millisecond })
	out, err := io.ReadAll(r.dial("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345"))
	if err != nil || !strings.HasPrefix(string(out), "HTTP/1.1 503") {
		t.Fatalf("got %q, %v", out, err)
	}
	eventually(t, "the access log does not know the request", func() bool {
		text, _ := os.ReadFile(r.log)
		return strings.Contains(string(text), `"target":"/"`) && strings.Contains(string(text), `"status":503`)
	})
	if w := r.window(); w.Old.Requests+w.New.Requests > 0 {
		t.Errorf("counted %+v", w)
	}
}

// What the framing gate ends is counted by reason.
func TestRejections(t *testing.T) {
	r := newRig(t)
	for _, text := range []string{"GET / HTTP/1.1\r\nHost : a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"} {
		_, _ = io.ReadAll(r.dial(text)) // the answer is net/http's 400
	}
	if n := r.rejected.counts(); n[framing.ReasonNameSpace] != 1 || n[framing.ReasonHostAgain] != 1 {
		t.Errorf("counted %v", n)
	}
}

// A tester whose backend is none of the route's is left out of the verdict.
func TestOverrideWithAnUnknownBackend(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("sixteen characters"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, func(c *Config) { c.Override = &Override{Header: "X-Side", SecretFile: secret} })
	r.share(1)
	if a := r.do("GET", "/", "", "X-Side", "nobody:sixteen characters"); a.body != "vm" {
		t.Errorf("got %+v", a)
	}
	if w := r.window(); w.Old.Requests+w.New.Requests > 0 {
		t.Errorf("counted %+v", w)
	}
}

// A user of HTTP/2 who never opens the window of a stream is cut off like one who does not read.
func TestStreamThatIsNotRead(t *testing.T) {
	r := newRig(t, func(c *Config) { c.H2C, c.Limits.Idle = true, 200*time.Millisecond })
	const (
		settings = "\x00\x00\x06\x04\x00\x00\x00\x00\x00" + "\x00\x04\x00\x00\x00\x00" // INITIAL_WINDOW_SIZE 0
		headers  = "\x00\x00\x06\x01\x05\x00\x00\x00\x01" + "\x82\x86\x84\x41\x01a"    // GET http://a/
	)
	c := r.dial("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + settings + headers)
	for head := make([]byte, 9); ; {
		if _, err := io.ReadFull(c, head); err != nil {
			t.Fatalf("the stream was not ended: %v", err)
		}
		if head[3] == 3 { // RST_STREAM
			return
		}
		if _, err := io.CopyN(io.Discard, c, int64(head[0])<<16|int64(head[1])<<8|int64(head[2])); err != nil {
			t.Fatal(err)
		}
	}
}

// A user who is slow is no server that is silent: neither a body that trickles in nor an answer that is read
// late ends a request, or counts against the side.
func TestSlowUserIsNotTheServersSilence(t *testing.T) {
	r := newRig(t, func(c *Config) {
		b := c.Backends["containers"]
		b.Upstream.Idle = 500 * time.Millisecond
		c.Backends["containers"] = b
		c.Fallback.Request = 0
	})
	r.share(1)
	const much = 16 << 20 // more than sockets hold
	r.new.does(func(w http.ResponseWriter, q *http.Request) {
		body, err := io.ReadAll(q.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		if len(body) == 4 {
			_, _ = w.Write([]byte("all of it"))
			return
		}
		w.Header().Set("Content-Length", strconv.Itoa(much))
		_, _ = w.Write(make([]byte, much))
	})
	for name, head := range map[string]string{"length": "Content-Length: 4\r\n\r\n%s", "chunks": "Transfer-Encoding: chunked\r\n\r\n4\r\n%s\r\n0\r\n\r\n"} {
		before, after, _ := strings.Cut(head, "%s")
		c := r.dial("POST /" + name + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + before + "ab")
		time.Sleep(1200 * time.Millisecond)
		if _, err := io.WriteString(c, "cd"+after); err != nil {
			t.Fatal(err)
		}
		if out, err := io.ReadAll(c); err != nil || !strings.Contains(string(out), "all of it") {
			t.Errorf("%s: got %q, %v", name, out, err)
		}
	}
	c := r.dial("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	time.Sleep(1200 * time.Millisecond)
	if out, err := io.ReadAll(c); err != nil || len(out) < much {
		t.Errorf("got %d bytes, %v", len(out), err)
	}
	if w := r.window(); w.New.Failures > 0 || w.New.Requests != 3 {
		t.Errorf("counted %+v", w)
	}
}

// A small body for which the client waits to be asked can be sent again all the same.
func TestFallbackOfARequestThatExpects(t *testing.T) {
	r := newRig(t)
	r.share(1)
	r.new.does(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	r.old.does(func(w http.ResponseWriter, q *http.Request) { _, _ = io.Copy(w, q.Body) })
	c := r.dial("PUT /f HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
	asked := make([]byte, len("HTTP/1.1 100 Continue\r\n\r\n"))
	if _, err := io.ReadFull(c, asked); err != nil || !strings.Contains(string(asked), " 100 ") {
		t.Fatalf("got %q, %v", asked, err)
	}
	if _, err := io.WriteString(c, "12345"); err != nil {
		t.Fatal(err)
	}
	if out, err := io.ReadAll(c); err != nil || !strings.HasSuffix(string(out), "12345") {
		t.Errorf("got %q, %v", out, err)
	}
	if w := r.window(); w.New.Failures != 1 || w.Fallbacks != 1 {
		t.Errorf("counted %+v", w)
	}
}
