package gateway

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"yadokari/judge"
)

// hijacked answers with raw bytes and closes.
func hijacked(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		c, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = io.WriteString(c, text)
		_ = c.Close()
	}
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(code)
		_, _ = fmt.Fprintf(w, "status %d", code)
	}
}

func hanging(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	select {
	case <-r.Context().Done():
	case <-time.After(3 * time.Second):
	}
}

// Every way in which the new side fails, against every kind of method: who answers the user, and how
// often the new side and the old side saw the request.
func TestFallback(t *testing.T) {
	const saved, kept, lost = "vm", "containers", "gateway"
	big := strings.Repeat("x", 100<<10)
	failures := map[string]struct {
		handle          http.HandlerFunc
		get, put, post  string
		bigPut          string // a body over the replay limit
		status          int    // when lost or kept
		countsAsFailure bool
	}{
		"fine":          {status(200), kept, kept, kept, kept, 200, false},
		"404":           {status(404), kept, kept, kept, kept, 404, false},
		"500":           {status(500), saved, kept, kept, kept, 500, true},
		"502":           {status(502), saved, saved, kept, kept, 502, true},
		"503":           {status(503), saved, saved, kept, kept, 503, true},
		"504":           {status(504), saved, saved, kept, kept, 504, true},
		"hangs":         {hanging, saved, saved, lost, lost, 504, true},
		"closes":        {hijacked(""), saved, saved, lost, lost, 502, true},
		"garbage":       {hijacked("SSH-2.0\r\n"), saved, saved, lost, lost, 502, true},
		"half a head":   {hijacked("HTTP/1.1 200 OK\r\nContent-"), saved, saved, lost, lost, 502, true},
		"half a body":   {hijacked("HTTP/1.1 200 OK\r\nX-Side: containers\r\nContent-Length: 100\r\n\r\nabc"), saved, saved, "cut", "cut", 200, true},
		"half a chunk":  {hijacked("HTTP/1.1 200 OK\r\nX-Side: containers\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"), saved, saved, "cut", "cut", 200, true},
		"broken chunks": {hijacked("HTTP/1.1 200 OK\r\nX-Side: containers\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), saved, saved, "cut", "cut", 200, true},
	}
	for name, f := range failures {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(c *Config) {
				b := c.Backends["containers"]
				b.Upstream.Response = 400 * time.Millisecond
				c.Backends["containers"] = b
			})
			r.share(1)
			r.new.does(f.handle)
			for _, m := range []struct{ method, body, want string }{
				{"GET", "", f.get}, {"HEAD", "", f.get}, {"OPTIONS", "", f.get},
				{"PUT", "small", f.put}, {"DELETE", "", f.put},
				{"PUT", big, f.bigPut},
				{"POST", "pay", f.post}, {"PATCH", "x", f.post}, {"LOCK", "x", f.post},
			} {
				if m.method == "HEAD" && strings.HasPrefix(name, "half a body") || m.method == "HEAD" && strings.Contains(name, "chunk") {
					continue // a response to HEAD has no body that could break off
				}
				before, oldBefore := len(r.new.requests()), len(r.old.requests())
				_ = r.window()
				a := r.do(m.method, "/x", m.body)
				who := a.header.Get("X-Side")
				switch {
				case a.err != nil:
					who = "cut"
				case who == "":
					who = lost
				}
				if who != m.want {
					t.Errorf("%s (%d bytes): answered by %s (%d %q %v), want %s", m.method, len(m.body), who, a.status, a.body, a.err, m.want)
				}
				if m.want != saved && m.want != "cut" && a.status != f.status {
					t.Errorf("%s: status %d, want %d", m.method, a.status, f.status)
				}
				if n := len(r.new.requests()) - before; n != 1 {
					t.Errorf("%s: the new side saw it %d times", m.method, n)
				}
				if n := len(r.old.requests()) - oldBefore; n > 1 || (n == 1) != (m.want == saved) {
					t.Errorf("%s: the old side saw it %d times", m.method, n)
				}
				w := r.window()
				if len(w.Events) != 1 || w.Events[0].Failed != f.countsAsFailure || (w.Events[0].Other == judge.Answered || w.Events[0].Other == judge.Overtaken) != (m.want == saved) {
					t.Errorf("%s: told %+v", m.method, w.Events)
				}
				if w.New.Requests != 1 || (w.New.Failures == 1) != f.countsAsFailure || (w.Fallbacks == 1) != (m.want == saved) || w.Old.Requests != 0 {
					t.Errorf("%s: counted %+v", m.method, w)
				}
			}
		})
	}
}

// Nothing was sent, so that any method may follow.
func TestFallbackWithoutConnection(t *testing.T) {
	r := newRig(t)
	r.share(1)
	r.new.Close()
	for _, method := range []string{"GET", "PUT", "POST", "PATCH", "LOCK"} {
		body := "pay"
		if method == "GET" {
			body = ""
		}
		if a := r.do(method, "/x", body); a.body != "vm" {
			t.Errorf("%s: got %d %q %v", method, a.status, a.body, a.err)
		}
	}
	w := r.window()
	if w.New.Failures != 5 || len(failed(w)) != 5 || w.Fallbacks != 5 {
		t.Errorf("counted %+v", w)
	}
}

// A streamed upload that could not be connected has not been read, so it can go to the old side whole.
func TestLargeUploadWithoutConnection(t *testing.T) {
	r := newRig(t)
	r.share(1)
	r.new.Close()
	var got int64
	r.old.does(func(w http.ResponseWriter, q *http.Request) { got, _ = io.Copy(io.Discard, q.Body) })
	if a := r.do("POST", "/x", strings.Repeat("x", 3<<20)); a.status != 200 || got != 3<<20 {
		t.Fatalf("status %d, %v; the old side got %d bytes", a.status, a.err, got)
	}
}

func TestNoFallbackOnceTheUserHasSeenBytes(t *testing.T) {
	r := newRig(t)
	r.share(1)
	r.new.does(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000000")
		_, _ = w.Write(make([]byte, 200<<10)) // more than is held back
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})
	a := r.do("GET", "/x", "")
	if a.err == nil {
		t.Fatalf("the user took %d bytes for the whole", len(a.body))
	}
	if n := len(r.old.requests()); n != 0 {
		t.Fatalf("the old side saw %d requests", n)
	}
	if w := r.window(); w.New.Failures != 1 {
		t.Fatalf("counted %+v", w)
	}
}

// A response that dribbles is let go after fallback.hold, so that a stream is a stream.
func TestHeldResponseIsReleased(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Fallback.Hold = 10 * time.Millisecond })
	r.share(1)
	release := make(chan struct{})
	r.new.does(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "first\n")
		w.(http.Flusher).Flush()
		<-release
		_, _ = io.WriteString(w, "second\n")
	})
	resp, err := r.client.Get(r.base + "/x")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	first := make([]byte, 6)
	if _, err := io.ReadFull(resp.Body, first); err != nil || string(first) != "first\n" {
		t.Fatalf("got %q, %v", first, err)
	}
	close(release)
	if rest, err := io.ReadAll(resp.Body); err != nil || string(rest) != "second\n" {
		t.Fatalf("got %q, %v", rest, err)
	}
}

// The old side's own failures are the user's, as they were before there was a gateway.
func TestOldSideIsPassedOnAsItIs(t *testing.T) {
	r := newRig(t)
	r.old.does(status(500))
	if a := r.do("GET", "/x", ""); a.status != 500 || a.body != "status 500" {
		t.Fatalf("got %+v", a)
	}
	r.old.Close()
	if a := r.do("GET", "/x", ""); a.status != 502 {
		t.Fatalf("got %+v", a)
	}
	if w := r.window(); w.Old.Requests != 2 || w.Old.Failures != 2 || w.New.Requests != 0 {
		t.Fatalf("counted %+v", w)
	}
}

// A bound on the whole request leaves the old side time to answer in place of a new one that hangs.
func TestFallbackWithinRequestTime(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Limits.RequestTime = time.Second })
	r.share(1)
	r.new.does(func(_ http.ResponseWriter, q *http.Request) { <-q.Context().Done() })
	if a := r.do("GET", "/", ""); a.status != 200 || a.body != "vm" {
		t.Errorf("got %+v", a)
	}
	if w := r.window(); w.New.Failures != 1 || w.Fallbacks != 1 {
		t.Errorf("counted %+v", w)
	}
}
