package gateway

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"yadokari/gateway/framing"
	"yadokari/shift"
)

// failing is a listener whose first calls find no file descriptor left.
type failing struct {
	net.Listener
	left int
}

func (f *failing) Accept() (net.Conn, error) {
	if f.left--; f.left >= 0 {
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
	return f.Listener.Accept()
}

func TestConnectionsAreAcceptedAgainOnceThereAreDescriptors(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	limits := defaults().Limits
	f := newFront(&failing{Listener: l, left: 3}, &limits, nil, framing.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go f.run(ctx)
	defer func() { _ = f.Close() }()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	got, err := f.Accept()
	if err != nil {
		t.Fatal(err)
	}
	_ = got.Close()
}

// A route that loses its new side while it mirrors goes on being served.
func TestReloadTakesTheNewSideFromAMirroringRoute(t *testing.T) {
	r := newRig(t)
	if err := r.Apply("all", shift.Placement{Mirror: true}); err != nil {
		t.Fatal(err)
	}
	c := *r.table.Load().config
	c.Routes = []Route{moving("all", "/")}
	c.Routes[0].Shift = nil
	if err := r.Reload(c); err != nil {
		t.Fatal(err)
	}
	if a := r.do("GET", "/", ""); a.err != nil || a.status != 200 {
		t.Fatalf("got %+v", a)
	}
}

// A new side that hangs on copies is a new side that fails.
func TestCopyThatTakesTooLongCounts(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Routes[0].Mirror.Timeout = 100 * time.Millisecond })
	if err := r.Apply("all", shift.Placement{Mirror: true}); err != nil {
		t.Fatal(err)
	}
	r.new.does(func(_ http.ResponseWriter, q *http.Request) { <-q.Context().Done() })
	if a := r.do("GET", "/", ""); a.status != 200 {
		t.Fatalf("got %+v", a)
	}
	eventually(t, "the copy was not counted as a failure", func() bool { return r.window().New.Failures == 1 })
}

// What a client does wrong must not count against the new side: a few of it in a row would send everybody back.
func TestTargetThatCannotBeSentOnIsTheClientsFault(t *testing.T) {
	r := newRig(t, func(c *Config) { c.H2C = true })
	r.share(1)
	client := h2c(t)
	q, err := http.NewRequest("GET", r.base+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	q.URL.Opaque = "/a b"
	resp, err := client.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if w := r.window(); resp.StatusCode != 400 || w.New.Requests != 0 || w.Fallbacks != 0 {
		t.Fatalf("status %d, counted %+v", resp.StatusCode, w)
	}
}

func TestStatusThatIsNone(t *testing.T) {
	r := newRig(t)
	r.share(1)
	r.new.does(func(w http.ResponseWriter, _ *http.Request) {
		c, b, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = b.WriteString("HTTP/1.1 042 X\r\nContent-Length: 0\r\n\r\n")
		_ = b.Flush()
		_ = c.Close()
	})
	if a := r.do("GET", "/", ""); a.err != nil || a.body != "vm" {
		t.Fatalf("got %+v", a)
	}
}

func TestOldClientsGetNoInterimResponse(t *testing.T) {
	r := newRig(t)
	r.old.does(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)
		_, _ = io.WriteString(w, "vm")
	})
	if out := r.raw("GET / HTTP/1.0\r\nHost: a\r\n\r\n"); strings.Contains(out, " 103 ") || !strings.HasSuffix(out, "vm") {
		t.Fatalf("got %q", out)
	}
}

// h2c is a client that speaks HTTP/2 without TLS.
func h2c(t *testing.T) *http.Client {
	t.Helper()
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: protocols}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 10 * time.Second}
}

// eventually waits until done, and fails with what is wrong when it takes 5 s.
func eventually(t *testing.T, wrong string, done func() bool) {
	t.Helper()
	for range 5000 {
		if done() {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatal(wrong)
}

// What has come of a torn chunk goes on to the user at once.
func TestTornChunkIsPassedOn(t *testing.T) {
	r := newRig(t)
	next := make(chan struct{})
	r.old.does(func(w http.ResponseWriter, _ *http.Request) {
		c, b, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		defer func() { _ = c.Close() }()
		_, _ = b.WriteString("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r")
		_ = b.Flush()
		<-next
		_, _ = b.WriteString("\n0\r\n\r\n")
		_ = b.Flush()
	})
	resp, err := r.client.Get(r.base + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	got := make([]byte, 5)
	if _, err := io.ReadFull(resp.Body, got); err != nil {
		t.Fatalf("got %q, %v before the rest came", got, err)
	}
	close(next)
	if rest, err := io.ReadAll(resp.Body); err != nil || len(rest) != 0 {
		t.Fatalf("got %q, %v", rest, err)
	}
}

// CGI and what follows it take _ for -, and some servers take trailers for headers.
func TestClaimsInDisguise(t *testing.T) {
	for _, peers := range [][]string{nil, {"127.0.0.1"}} {
		r := newRig(t, func(c *Config) { c.TrustedPeers = peers })
		seen := make(chan string, 2)
		r.old.does(func(_ http.ResponseWriter, q *http.Request) {
			_, _ = io.Copy(io.Discard, q.Body)
			seen <- fmt.Sprint(q.Header, q.Trailer)
		})
		if a := r.do("GET", "/", "", "X_Forwarded_For", "203.0.113.9", "X-Forwarded_Proto", "gopher"); a.status != 200 {
			t.Fatalf("got %+v", a)
		}
		if got := <-seen; strings.Contains(got, "203.0.113.9") || strings.Contains(got, "gopher") {
			t.Errorf("the server saw %s", got)
		}
		out := r.raw("POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-Sum: 1\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n")
		if !strings.Contains(out, " 200 ") {
			t.Fatalf("got %q", out)
		}
		if got := <-seen; strings.Contains(got, "203.0.113.9") || !strings.Contains(got, "X-Sum:[1]") {
			t.Errorf("the server saw %s", got)
		}
	}
}
