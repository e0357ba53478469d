package service

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"yadokari/admin/client"
	"yadokari/config"
)

// stuckLog is a log that takes events until it is stuck, as a pipe is whose reader has stopped.
type stuckLog struct {
	slog.Handler
	stuck *atomic.Bool
	over  context.Context
}

func (l stuckLog) Handle(context.Context, slog.Record) error {
	if l.stuck.Load() {
		<-l.over.Done()
	}
	return nil
}

func (l stuckLog) Enabled(context.Context, slog.Level) bool { return true }
func (l stuckLog) WithAttrs([]slog.Attr) slog.Handler       { return l }

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// A log that nobody reads holds up neither a change of a route, nor the rollback, nor the request whose server
// is taken out.
func TestStuckLogHoldsNobodyUp(t *testing.T) {
	old := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "vm") }))
	t.Cleanup(old.Close)
	users, admin := freeAddress(t), freeAddress(t)
	file, err := config.Parse("yadokari.yaml", fmt.Appendf(nil, `
app: tracker
gateway:
  listen: %q
  admin: %q
  state: %q
  accessLog: off
  shutdown: {deregister: 0s, drain: 1s}
  backends:
    vm: {servers: [%q]}
    containers: {servers: ["http://%s"], passive: {failures: 1}}
  routes: [{name: all, match: ["/"], shift: {}}]
`, users, admin, t.TempDir(), old.URL, freeAddress(t)), "") // nobody listens there
	if err != nil {
		t.Fatal(err)
	}
	over, end := context.WithCancel(t.Context())
	stuck := &atomic.Bool{}
	served := make(chan error, 1)
	ctx, stop := context.WithCancel(t.Context())
	go func() {
		served <- RunGateway(ctx, Options{
			Load:   func() (*config.File, error) { return file, nil },
			Logger: slog.New(stuckLog{slog.DiscardHandler, stuck, over}),
		})
	}()
	defer func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	}()
	defer end()
	calls, err := client.New(client.Options{URL: admin, Actor: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	var status struct{ State string }
	ask := func(method, path string, in any) error {
		brief, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		return calls.Do(brief, method, path, in, &status)
	}
	until(t, "the gateway does not answer", func() bool { return ask("GET", "/api/v1/routes/all", nil) == nil })
	stuck.Store(true)
	if err := ask("PUT", "/api/v1/routes/all/share", map[string]string{"share": "100%"}); err != nil {
		t.Fatalf("users are not moved: %v", err)
	}
	impatient := &http.Client{Timeout: 5 * time.Second}
	for range 25 { // one user alone: the old side has to answer twenty of them
		resp, err := impatient.Get("http://" + users)
		if err != nil {
			t.Fatalf("a user waits for the log: %v", err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("a user got %d", resp.StatusCode)
		}
	}
	until(t, "there is no rollback", func() bool {
		return ask("GET", "/api/v1/routes/all", nil) == nil && status.State == "rolled-back"
	})
}

func until(t *testing.T, what string, reached func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !reached(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(what)
		}
	}
}
