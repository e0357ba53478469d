package gateway

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"yadokari/gateway/balance"
	"yadokari/judge"
	"yadokari/setting"
	"yadokari/shift"
)

// rig is a running gateway with a server on each side.
type rig struct {
	*Gateway
	t        *testing.T
	base     string
	log      string
	client   *http.Client
	old, new *recorder
	stop     func() error
}

// recorder is one side: it counts and answers as it is told.
type recorder struct {
	*httptest.Server
	mu     sync.Mutex
	handle http.HandlerFunc
	seen   []string
}

func newRecorder(t *testing.T, name string) *recorder {
	t.Helper()
	r := &recorder{handle: func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, name) }}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		r.mu.Lock()
		handle := r.handle
		r.seen = append(r.seen, q.Method+" "+q.RequestURI)
		r.mu.Unlock()
		w.Header().Set("X-Side", name)
		handle(w, q)
	}))
	t.Cleanup(r.Server.Close)
	return r
}

// does makes the side answer with h from now on.
func (r *recorder) does(h http.HandlerFunc) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.handle = h
}

// requests are those seen so far.
func (r *recorder) requests() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.seen...)
}

func backendAt(urls ...string) Backend {
	var b Backend
	setting.Defaults(&b)
	b.Balance = balance.Config{Servers: urls, SlowStart: 0, Passive: balance.Passive{Failures: 0, Eject: time.Second}}
	b.Upstream.Response = 2 * time.Second
	return b
}

func defaults() Config {
	var c Config
	setting.Defaults(&c)
	c.Listen, c.AccessLog = "127.0.0.1:0", "off"
	c.Shutdown = Shutdown{Deregister: 0, Drain: 2 * time.Second}
	c.Sticky.Cookie = "SESSION"
	c.Fallback.Timeout = 300 * time.Millisecond
	return c
}

func moving(name string, patterns ...string) Route {
	var r Route
	setting.Defaults(&r)
	r.Name, r.Match, r.Shift = name, patterns, &shift.Config{}
	setting.Defaults(r.Shift)
	r.Shift.Linger = 50 * time.Millisecond
	return r
}

// newRig starts a gateway with one moving route for everything, changed by the given functions.
func newRig(t *testing.T, changes ...func(*Config)) *rig {
	t.Helper()
	r := &rig{t: t, old: newRecorder(t, "vm"), new: newRecorder(t, "containers")}
	c := defaults()
	c.State = t.TempDir()
	c.Backends = map[string]Backend{"vm": backendAt(r.old.URL), "containers": backendAt(r.new.URL)}
	c.Routes = []Route{moving("all", "/")}
	r.log = filepath.Join(c.State, "access.log")
	c.AccessLog = r.log
	for _, change := range changes {
		change(&c)
	}
	r.start(c)
	return r
}

func (r *rig) start(c Config) {
	r.t.Helper()
	life, end := context.WithCancel(context.Background())
	g, err := New(life, c, slog.New(slog.DiscardHandler))
	if err != nil {
		r.t.Fatal(err)
	}
	r.Gateway = g
	ctx, cancel := context.WithCancel(life)
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx, life) }()
	for g.Addr() == nil {
		select {
		case err := <-done:
			r.t.Fatal(err)
		case <-time.After(time.Millisecond):
		}
	}
	scheme := "http://"
	if c.TLS != nil {
		scheme = "https://"
	}
	r.base = scheme + g.Addr().String()
	r.client = &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: 100},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       10 * time.Second,
	}
	r.stop = sync.OnceValue(func() error {
		cancel()
		err := <-done
		end()
		g.Close()
		return err
	})
	r.t.Cleanup(func() {
		r.client.CloseIdleConnections()
		if err := r.stop(); err != nil {
			r.t.Errorf("stop: %v", err)
		}
	})
}

// share moves the route "all".
func (r *rig) share(s setting.Share) {
	r.t.Helper()
	if err := r.Apply("all", shift.Placement{Share: s}); err != nil {
		r.t.Fatal(err)
	}
}

// answer is what a user got.
type answer struct {
	status int
	body   string
	header http.Header
	err    error // of the transport or of reading the body
}

func (r *rig) do(method, path, body string, header ...string) answer {
	r.t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	q, err := http.NewRequest(method, r.base+path, reader)
	if err != nil {
		r.t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			q.Host = header[i+1]
		}
		q.Header.Add(header[i], header[i+1])
	}
	resp, err := r.client.Do(q)
	if err != nil {
		return answer{err: err}
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	return answer{status: resp.StatusCode, body: string(text), header: resp.Header, err: err}
}

// window is what the route "all" did since the last call.
func (r *rig) window() *judge.Window {
	var w judge.Window
	r.Collect("all", &w)
	return &w
}

// failed are the events of the new side that failed.
func failed(w *judge.Window) (list []judge.Event) {
	for _, e := range w.Events {
		if e.New && e.Failed {
			list = append(list, e)
		}
	}
	return list
}

// count is 1 for what is so.
func count(is bool) int {
	if is {
		return 1
	}
	return 0
}

// raw sends bytes and reads until the gateway closes, or the deadline.
func (r *rig) raw(text string) string {
	r.t.Helper()
	c, err := net.Dial("tcp", r.Addr().String())
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(time.Second))
	_, _ = io.WriteString(c, text)
	out, _ := io.ReadAll(c)
	return string(out)
}
