package client

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"yadokari/admin"
)

// serve runs a real admin port with handlers.
func serve(t *testing.T, cfg admin.Config, add func(*admin.Server)) string {
	t.Helper()
	cfg.Listen = "127.0.0.1:0"
	s, err := admin.New(cfg, admin.Options{Logger: slog.New(slog.DiscardHandler), Registry: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	add(s)
	listener, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, listener) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return listener.Addr().String()
}

type set struct {
	Share string `json:"share"`
}

func TestDo(t *testing.T) {
	address := serve(t, admin.Config{}, func(s *admin.Server) {
		s.Handle("POST /api/v1/set", admin.Operator, admin.JSON(func(r *http.Request) (any, error) {
			var in set
			if err := admin.ReadJSON(r, &in); err != nil {
				return nil, err
			}
			if in.Share == "" {
				return nil, &admin.Error{Status: 409, Code: "no-share", Message: "no share is given", Remedy: "write 5%"}
			}
			return map[string]string{"share": in.Share, "by": admin.Caller(r.Context()).Name}, nil
		}))
	})
	c, err := New(Options{URL: address, Actor: "kim"})
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]string
	if err := c.Do(t.Context(), "POST", "/api/v1/set", set{"5%"}, &out); err != nil || out["share"] != "5%" || out["by"] != "kim" {
		t.Errorf("got %v, %v", out, err)
	}
	for name, tc := range map[string]struct {
		path string
		in   any
		want Error
	}{
		"the API's own": {"/api/v1/set", set{}, Error{Status: 409, Code: "no-share", Message: "no share is given", Remedy: "write 5%"}},
		"not there":     {"/api/v1/nothing", nil, Error{Status: 404, Code: "not-found"}},
	} {
		err := c.Do(t.Context(), "POST", tc.path, tc.in, nil)
		var got *Error
		if !errors.As(err, &got) || got.Status != tc.want.Status || got.Code != tc.want.Code || tc.want.Message != "" && *got != tc.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDoWithTokenFile(t *testing.T) {
	dir := t.TempDir()
	callers, mine := filepath.Join(dir, "callers"), filepath.Join(dir, "mine")
	for path, text := range map[string]string{callers: "ann viewer 0123456789abcdef", mine: "0123456789abcdef\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	address := serve(t, admin.Config{TokenFile: callers}, func(s *admin.Server) {
		s.Handle("GET /who", admin.Viewer, admin.JSON(func(r *http.Request) (any, error) { return admin.Caller(r.Context()).Name, nil }))
	})
	c, err := New(Options{URL: "http://" + address, TokenFile: mine})
	if err != nil {
		t.Fatal(err)
	}
	var who string
	if err := c.Do(t.Context(), "GET", "/who", nil, &who); err != nil || who != "ann" {
		t.Errorf("got %q, %v", who, err)
	}
}

func TestDoWithoutAServer(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	c, err := New(Options{URL: address})
	if err != nil {
		t.Fatal(err)
	}
	err = c.Do(t.Context(), "GET", "/", nil, nil)
	var got *Error
	if !errors.As(err, &got) || got.Code != "unreachable" || !strings.Contains(got.Message, address) || got.Remedy == "" {
		t.Errorf("got %v", err)
	}
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	c, _ = New(Options{URL: other.URL})
	if err = c.Do(t.Context(), "GET", "/", nil, nil); !errors.As(err, &got) || got.Code != "bad-answer" {
		t.Errorf("another server: %v", err)
	}
}

// The token goes nowhere but to the admin port.
func TestRedirectIsNotFollowed(t *testing.T) {
	asked := false
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	defer elsewhere.Close()
	from := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusFound))
	defer from.Close()
	c, err := New(Options{URL: from.URL, Token: "0123456789abcdef"})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Do(t.Context(), "GET", "/", nil, nil); err == nil || asked {
		t.Errorf("followed: %v, %v", asked, err)
	}
}

func TestNewRefuses(t *testing.T) {
	for _, o := range []Options{{URL: "ftp://h"}, {URL: "http://"}, {URL: "http://u:p@h"}, {URL: "http://h\x00"},
		{URL: "h:1", TokenFile: "/nonexistent"}, {URL: "https://h", CA: "/nonexistent"}, {URL: "https://h", Cert: "/nonexistent"}} {
		if _, err := New(o); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
}

// A stream that breaks off is taken up where it ended.
func TestStreamComesBack(t *testing.T) {
	var after []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		after = append(after, r.Header.Get("Last-Event-ID"))
		switch len(after) {
		case 1:
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprint(w, "id: 1\nevent: shift\ndata: a\n\nid: 2\ndata: b\n\nid: 3\ndata: half")
		case 2:
			w.WriteHeader(http.StatusBadGateway) // a balancer without a backend
		case 3:
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprint(w, "id: 3\ndata: c\n\n")
		default:
			admin.WriteError(w, &admin.Error{Status: 401, Code: "unknown-token", Message: "the token is gone"})
		}
	}))
	defer server.Close()
	c, err := New(Options{URL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	err = c.Stream(t.Context(), "/events", "0", func(e Event) error {
		got = append(got, e.ID+" "+e.Name+" "+string(e.Data))
		return nil
	})
	var refused *Error
	if !errors.As(err, &refused) || refused.Code != "unknown-token" {
		t.Errorf("ended with %v", err)
	}
	if fmt.Sprint(got) != "[1 shift a 2 message b 3 message c]" || fmt.Sprint(after) != "[0 2 2 3]" {
		t.Errorf("events %q after %q", got, after)
	}
}

func TestStreamEndsWhenTold(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, "data: a\n\n")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}))
	defer server.Close()
	c, err := New(Options{URL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	enough := errors.New("enough")
	if err := c.Stream(t.Context(), "/", "", func(Event) error { return enough }); err != enough {
		t.Errorf("the caller's error: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := c.Stream(ctx, "/", "", func(Event) error { cancel(); return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("the context's error: %v", err)
	}
}

// dialer makes the client's connections net.Pipes to a server that a test plays.
func dialer(c *Client, play func(net.Conn)) {
	c.http.Transport.(*http.Transport).DialContext = func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go play(theirs)
		return ours, nil
	}
}

// A stream without events or heartbeats is dead and is taken up anew.
func TestStreamNoticesSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := New(Options{URL: "http://127.0.0.1:1"})
		if err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		var began []time.Time
		dialer(c, func(conn net.Conn) {
			mu.Lock()
			began = append(began, time.Now())
			second := len(began) == 2
			mu.Unlock()
			buffer := make([]byte, 4096)
			conn.Read(buffer)
			fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
			for range 10 { // heartbeats keep it
				time.Sleep(15 * time.Second)
				fmt.Fprint(conn, ":\n\n")
			}
			if second {
				fmt.Fprint(conn, "data: x\n\n")
			}
			conn.Read(buffer) // until the client gives up
			conn.Close()
		})
		enough := errors.New("enough")
		if err := c.Stream(t.Context(), "/", "", func(Event) error { return enough }); err != enough {
			t.Fatal(err)
		}
		mu.Lock()
		defer mu.Unlock()
		if gap := began[1].Sub(began[0]); gap < 150*time.Second+silence || gap > 150*time.Second+silence+maxWait {
			t.Errorf("given up after %v", gap)
		}
		c.http.CloseIdleConnections()
	})
}

func FuzzEvents(f *testing.F) {
	f.Add([]byte("id: 1\nevent: a\ndata: b\ndata: c\n\n"))
	f.Add([]byte("\ufeffdata:x\r\rdata\r\n\r\n:comment\n\nid\n"))
	f.Add([]byte("data: \x00\nid: \x00\n\nretry: 5\nfoo: bar\n\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		collect := func(text string) (list []string) {
			err := parseEvents(strings.NewReader(text), "0", func() {}, func(e Event) error {
				list = append(list, fmt.Sprintf("%q %q %q", e.ID, e.Name, e.Data))
				return nil
			})
			if err == nil {
				t.Fatal("a stream that ends is no error")
			}
			return list
		}
		whole := collect(string(text))
		// the same events, whatever the line ends
		unix := strings.ReplaceAll(strings.ReplaceAll(string(text), "\r\n", "\n"), "\r", "\n")
		if got := collect(unix); fmt.Sprint(got) != fmt.Sprint(whole) {
			t.Fatalf("%q with LF, %q before", got, whole)
		}
		if got := collect(strings.ReplaceAll(unix, "\n", "\r\n")); fmt.Sprint(got) != fmt.Sprint(whole) {
			t.Fatalf("%q with CR LF, %q before", got, whole)
		}
	})
}

func TestEventsAreNotHeldBack(t *testing.T) {
	split := splitLines()
	for _, step := range []struct {
		data    string
		advance int
		token   string
		has     bool
	}{{"a\r", 2, "a", true}, {"\nb\r", 3, "b", true}, {"\r", 1, "", true}, {"\n", 1, "", false}, {"c", 0, "", false}} {
		advance, token, err := split([]byte(step.data), false)
		if advance != step.advance || string(token) != step.token || (token != nil) != step.has || err != nil {
			t.Errorf("%q: %d, %q, %v", step.data, advance, token, err)
		}
	}
}
