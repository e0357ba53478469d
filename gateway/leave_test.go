package gateway

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// A user who leaves frees what works for him, and counts for how long he waited, not as a failure.
func TestUserWhoLeavesEndsTheAttempt(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Fallback.Timeout = 10 * time.Second })
	r.share(1)
	entered, left := make(chan struct{}), make(chan struct{})
	r.new.does(func(_ http.ResponseWriter, q *http.Request) {
		close(entered)
		<-q.Context().Done()
		close(left)
	})
	c, err := net.Dial("tcp", r.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_, _ = fmt.Fprint(c, "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
	<-entered
	_ = c.Close()
	<-left
	for i := 0; ; i++ {
		if w := r.window(); w.New.Requests == 1 {
			if w.New.Failures != 0 || w.Fallbacks != 0 || len(r.old.requests()) != 0 {
				t.Fatalf("counted %+v", w)
			}
			return
		}
		if i > 1000 {
			t.Fatal("the request was not counted")
		}
		time.Sleep(time.Millisecond)
	}
}

// A user who sends the next request without waiting gets both answers, in order.
func TestPipelinedRequests(t *testing.T) {
	r := newRig(t)
	r.old.does(func(w http.ResponseWriter, q *http.Request) {
		time.Sleep(5 * time.Millisecond) // the second request arrives meanwhile
		_, _ = fmt.Fprint(w, "answer to ", q.URL.Path)
	})
	out := r.raw("GET /one HTTP/1.1\r\nHost: a\r\n\r\nGET /two HTTP/1.1\r\nHost: a\r\n\r\nGET /three HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	want := []string{"answer to /one", "answer to /two", "answer to /three"}
	at := 0
	for _, text := range want {
		i := strings.Index(out[at:], text)
		if i < 0 {
			t.Fatalf("no %q after byte %d of %q", text, at, out)
		}
		at += i
	}
}
