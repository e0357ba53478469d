package gateway

import (
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"yadokari/shift"
)

// switching answers with 101 and then does as it is told with the connection.
func switching(then func(io.ReadWriter)) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		c, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		defer func() { _ = c.Close() }()
		_, _ = buffered.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		_ = buffered.Flush()
		then(buffered)
	}
}

func echoing(c io.ReadWriter) { _, _ = io.Copy(writeThrough{c}, c) }

// writeThrough flushes what it writes.
type writeThrough struct{ io.Writer }

func (w writeThrough) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	return n, errors.Join(err, w.Writer.(interface{ Flush() error }).Flush())
}

// Bytes in one direction keep a tunnel open: many users of a WebSocket only listen.
func TestTunnelThatIsBusyInOneDirection(t *testing.T) {
	r := newRig(t, func(c *Config) {
		b := c.Backends["vm"]
		b.Upstream.Idle = time.Second
		c.Backends["vm"] = b
	})
	r.old.does(switching(func(c io.ReadWriter) {
		for range 60 { // longer together than one direction may be silent, each pause much shorter
			_, _ = writeThrough{c}.Write([]byte("x"))
			time.Sleep(20 * time.Millisecond)
		}
	}))
	c, _ := r.dialUpgrade("echo")
	defer func() { _ = c.Close() }()
	if got, err := io.ReadAll(c); err != nil || len(got) != 60 {
		t.Fatalf("%d of 60 bytes, %v", len(got), err)
	}
}

// A tunnel that the old side has opened in place of the new one is not the rollback's business.
func TestTunnelOfTheOldSideOutlivesARollback(t *testing.T) {
	r := newRig(t)
	r.share(1)
	r.new.does(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	r.old.does(switching(echoing))
	c, _ := r.dialUpgrade("echo")
	defer func() { _ = c.Close() }()
	r.share(0)
	_ = c.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("the connection ended: %v", err)
	}
}

// A rollback ends the tunnels of listed keys, and those that were being opened, too.
func TestRollbackFindsEveryTunnel(t *testing.T) {
	t.Run("listed keys", func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.Sticky = Sticky{Ahead: []string{"127.0.0.1"}} })
		if err := r.Apply("all", shift.Placement{Mirror: true, Ahead: true}); err != nil {
			t.Fatal(err)
		}
		r.new.does(switching(echoing))
		c, _ := r.dialUpgrade("echo")
		defer func() { _ = c.Close() }()
		r.share(0)
		if _, err := io.ReadAll(c); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("being opened", func(t *testing.T) {
		r := newRig(t)
		r.share(1)
		open := switching(echoing)
		r.new.does(func(w http.ResponseWriter, q *http.Request) {
			r.share(0)
			open(w, q)
		})
		c, _ := r.dialUpgrade("echo")
		defer func() { _ = c.Close() }()
		if _, err := io.ReadAll(c); err != nil {
			t.Fatal(err)
		}
	})
}

// Requests inside an HTTP/2 tunnel would be seen by no route, limit or log; a body under way cannot be
// handed over. Both are answered as if no upgrade had been asked for.
func TestUpgradesThatAreNotPassedOn(t *testing.T) {
	r := newRig(t)
	seen := make(chan http.Header, 2)
	r.old.does(func(_ http.ResponseWriter, q *http.Request) { seen <- q.Header })
	for name, text := range map[string]string{
		"h2c":  "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket, h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
		"body": "POST / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	} {
		if out := r.raw(text); !strings.Contains(out, " 200 ") {
			t.Errorf("%s: got %q", name, out)
		}
		if h := <-seen; h.Get("Upgrade") != "" || h.Get("Http2-Settings") != "" || h.Get("Connection") == "Upgrade" {
			t.Errorf("%s: the server saw %v", name, h)
		}
	}
}

// Trailers may arrive at the very moment a held response is released by its timer.
func TestReleaseWhileTrailersArrive(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Fallback.Hold = 5 * time.Millisecond })
	r.share(1)
	r.new.does(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		_, _ = io.WriteString(w, "part")
		_ = http.NewResponseController(w).Flush()
		time.Sleep(5 * time.Millisecond)
		w.Header().Set("X-Sum", "1")
	})
	for range 30 {
		if a := r.do("GET", "/", ""); a.err != nil || a.body != "part" {
			t.Fatalf("got %+v", a)
		}
	}
}
