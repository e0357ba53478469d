package upstream

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// begun is a connection to a server whose part the test plays; its waits are held against their bounds
// until the test ends.
func begun(t *testing.T) (c *conn, peer net.Conn) {
	client, peer := net.Pipe()
	transport := New(Config{Connections: 1, Response: 10 * time.Second, Idle: time.Minute, KeepAlive: time.Hour}, nil)
	h := &Host{transport: transport, conns: map[*conn]struct{}{}}
	c = newConn(h, client)
	h.conns[c] = struct{}{}
	transport.hosts[h] = struct{}{}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		transport.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		_ = h.Close()
		_ = client.Close()
		_ = peer.Close()
		<-done
	})
	return c, peer
}

// first sends a request that is waited for two seconds at first, of ten.
func first(c *conn, ctx context.Context, r *Request) (*Response, *Failure) {
	r.Method, r.Target, r.Response, r.Patient = "GET", "/", 2*time.Second, true
	c.begin(ctx, c.patience(r))
	return c.exchange(r)
}

// slow answers with the parts, each after that time.
func slow(peer net.Conn, after time.Duration, parts ...string) {
	go func() {
		_, _ = io.Copy(io.Discard, peer)
	}()
	go func() {
		for _, part := range parts {
			time.Sleep(after)
			_, _ = io.WriteString(peer, part)
		}
	}()
}

const hello = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

// A server that is silent at first has the whole time all the same, and its connection is used again.
func TestPendingExchangeGoesOn(t *testing.T) {
	for name, r := range map[string]Request{
		"no body": {}, "small": {Length: 3, Held: []byte("pay")}, "large": {Length: 9000, Held: []byte(strings.Repeat("x", 9000))},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				c, peer := begun(t)
				slow(peer, 9*time.Second, hello)
				_, failure := first(c, t.Context(), &r)
				if failure == nil || failure.Pending == nil || failure.Outcome != Timeout || !failure.Sent {
					t.Fatalf("got %+v", failure)
				}
				if waited := time.Since(began); waited < 2*time.Second || waited > 2*time.Second+2*sweepEvery {
					t.Errorf("waited %v", waited)
				}
				r = Request{} // its caller has gone on to something else
				resp, failure := failure.Pending.Await(t.Context())
				if failure != nil {
					t.Fatal(failure)
				}
				text, err := io.ReadAll(resp)
				if err != nil || string(text) != "hello" || time.Since(began) != 9*time.Second {
					t.Errorf("got %q, %v after %v", text, err, time.Since(began))
				}
				resp.Close()
				if len(c.host.idle) != 1 {
					t.Error("the connection was not kept")
				}
			})
		})
	}
}

// The whole time counts from the beginning.
func TestPendingExchangeEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		c, peer := begun(t)
		slow(peer, 0)
		_, failure := first(c, t.Context(), &Request{})
		_, failure = failure.Pending.Await(t.Context())
		if failure == nil || failure.Outcome != Timeout || failure.Pending != nil {
			t.Fatalf("got %+v", failure)
		}
		if waited := time.Since(began); waited < 10*time.Second || waited > 10*time.Second+2*sweepEvery {
			t.Errorf("waited %v", waited)
		}
		if len(c.host.conns) != 0 {
			t.Error("the connection is left")
		}
	})
}

// It lives no longer than whoever waits for it then, and may outlive the one who began it.
func TestPendingExchangeHasALifeOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, peer := begun(t)
		slow(peer, 0)
		request, leave := context.WithCancel(t.Context())
		_, failure := first(c, request, &Request{})
		leave()
		life, end := context.WithCancel(t.Context())
		time.AfterFunc(3*time.Second, end)
		began := time.Now()
		_, failure = failure.Pending.Await(life)
		if failure == nil || failure.Outcome != Canceled || !errors.Is(failure, context.Canceled) {
			t.Fatalf("got %+v", failure)
		}
		if waited := time.Since(began); waited < 3*time.Second {
			t.Errorf("ended after %v", waited)
		}
	})
}

// What is not silent at the end of the first wait is no pending exchange: a server that has begun to answer has the whole
// time, a client that has left and a connection that has broken have ended it.
func TestWhatIsNotPending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, parts := range [][]string{
			{"H", hello[1:]},
			{"HTTP/1.1 103 Early Hints\r\n\r\n", "HTTP/1.1 103 Early Hints\r\n\r\n", hello},
		} {
			c, peer := begun(t)
			slow(peer, 1900*time.Millisecond, parts...)
			resp, failure := first(c, t.Context(), &Request{})
			if failure != nil {
				t.Fatalf("%q: %v", parts, failure)
			}
			if text, err := io.ReadAll(resp); err != nil || string(text) != "hello" {
				t.Errorf("%q: got %q, %v", parts, text, err)
			}
			resp.Close()
		}
		c, peer := begun(t)
		slow(peer, time.Second, "H")
		if _, failure := first(c, t.Context(), &Request{}); failure == nil || failure.Outcome != Timeout || failure.Pending != nil {
			t.Errorf("half a head: got %+v", failure)
		}
		c.host.release(c, false)

		c, peer = begun(t)
		slow(peer, 0)
		ctx, leave := context.WithTimeout(t.Context(), time.Second)
		defer leave()
		if _, failure := first(c, ctx, &Request{}); failure == nil || failure.Outcome != Canceled || failure.Pending != nil {
			t.Errorf("client gone: got %+v", failure)
		}
		c.host.release(c, false)

		c, peer = begun(t)
		go func() { _, _ = io.CopyN(io.Discard, peer, 10) }() // it does not take the whole request
		if _, failure := first(c, t.Context(), &Request{}); failure == nil || failure.Outcome != Timeout || failure.Pending != nil {
			t.Errorf("not sent: got %+v", failure)
		}
		c.host.release(c, false)
	})
}

// A first wait as long as the backend's own leaves nothing to wait for.
func TestFirstWaitIsTheWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, peer := begun(t)
		slow(peer, 0)
		r := &Request{Method: "GET", Target: "/", Response: 10 * time.Second, Patient: true}
		c.begin(t.Context(), c.patience(r))
		if _, failure := c.exchange(r); failure == nil || failure.Outcome != Timeout || failure.Pending != nil {
			t.Errorf("got %+v", failure)
		}
		c.host.release(c, false)
	})
}

// A pending exchange counts among the connections until it is closed.
func TestPendingExchangeTakesUpAConnection(t *testing.T) {
	h := open(t, scripted(t, func(_ int, c net.Conn) { _ = readHead(c); _, _ = io.Copy(io.Discard, c) }),
		func(c *Config) { c.Connections, c.Connect = 1, 500*time.Millisecond })
	r := &Request{Method: "GET", Target: "/", Response: 100 * time.Millisecond, Patient: true}
	_, failure := h.Do(t.Context(), r)
	if failure == nil || failure.Pending == nil {
		t.Fatalf("got %+v", failure)
	}
	if _, second := h.Do(t.Context(), r); second == nil || !errors.Is(second, ErrBusy) {
		t.Errorf("beside it: %+v", second)
	}
	failure.Pending.Close()
	_, failure = h.Do(t.Context(), r)
	if failure == nil || failure.Pending == nil {
		t.Fatalf("after it: %+v", failure)
	}
	failure.Pending.Close()
}
