package gateway

import (
	"context"
	"encoding/pem"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"yadokari/gateway/balance"
)

// hold lets the old side answer /held only when release is called.
func (r *rig) hold() (held <-chan struct{}, release func()) {
	began, over := make(chan struct{}), make(chan struct{})
	r.old.does(func(w http.ResponseWriter, q *http.Request) {
		if q.URL.Path == "/held" {
			began <- struct{}{}
			<-over
		}
		_, _ = io.WriteString(w, "vm")
	})
	return began, sync.OnceFunc(func() { close(over) })
}

// TestWaitSeesRequestsOfBeforeAReload: a deploy script that waits for a host must not begin while a request
// that was sent before a reload is still under way there.
func TestWaitSeesRequestsOfBeforeAReload(t *testing.T) {
	r := newRig(t)
	held, release := r.hold()
	defer release()
	var user sync.WaitGroup
	user.Go(func() {
		if a := r.do("GET", "/held", ""); a.status != http.StatusOK {
			t.Errorf("got %+v", a)
		}
	})
	<-held
	for range 2 {
		c := *r.table.Load().config
		c.Backends = maps.Clone(c.Backends)
		changed := c.Backends["vm"]
		changed.Upstream.Connect++
		c.Backends["vm"] = changed
		if err := r.Reload(c); err != nil {
			t.Fatal(err)
		}
	}
	id := r.Servers()["vm"][0].ID
	if err := r.Drain("vm", id); err != nil {
		t.Fatal(err)
	}
	brief, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := r.WaitIdle(brief, "vm", id); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("with a request under way: %v", err)
	}
	release()
	if err := r.WaitIdle(t.Context(), "vm", id); err != nil {
		t.Error(err)
	}
	user.Wait()
}

// TestBusyServerIsNotTakenOut: connections that are all in use say that a server has much to do, not that it
// cannot be reached.
func TestBusyServerIsNotTakenOut(t *testing.T) {
	r := newRig(t, func(c *Config) {
		vm := c.Backends["vm"]
		vm.Upstream.Connections, vm.Upstream.Connect, vm.Upstream.Response = 1, 20*time.Millisecond, time.Minute
		vm.Balance.Passive.Failures, vm.Balance.Passive.Eject = 1, time.Hour
		c.Backends["vm"] = vm
	})
	held, release := r.hold()
	defer release()
	var user sync.WaitGroup
	user.Go(func() { r.do("GET", "/held", "") })
	<-held
	if a := r.do("GET", "/", ""); a.status != http.StatusBadGateway {
		t.Errorf("with every connection in use: %+v", a)
	}
	if s := r.Servers()["vm"][0]; s.Ejected {
		t.Errorf("a busy server was taken out: %+v", s)
	}
	release()
	user.Wait()
}

// TestDrainDuringAReload: a reload may take seconds, for names to be looked up. A host that a deploy script takes
// out meanwhile stays out.
func TestDrainDuringAReload(t *testing.T) {
	r := newRig(t)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := syscall.Mkfifo(ca, 0o600); err != nil { // reading it takes until somebody writes
		t.Fatal(err)
	}
	c := *r.table.Load().config
	c.Backends = maps.Clone(c.Backends)
	changed := c.Backends["vm"]
	changed.Upstream.CA = ca
	c.Backends["vm"] = changed
	var both sync.WaitGroup
	both.Go(func() {
		if err := r.Reload(c); err != nil {
			t.Error(err)
		}
	})
	slow, err := os.OpenFile(ca, os.O_WRONLY, 0) // returns once the reload reads
	if err != nil {
		t.Fatal(err)
	}
	id := r.Servers()["vm"][0].ID
	both.Go(func() {
		if err := r.Drain("vm", id); err != nil {
			t.Error(err)
		}
	})
	time.Sleep(50 * time.Millisecond) // the drain is done, or waits
	_, err = slow.Write(authority(t))
	if err := errors.Join(err, slow.Close()); err != nil {
		t.Fatal(err)
	}
	both.Wait()
	if s := r.Servers()["vm"][0]; !s.Drained {
		t.Errorf("the server gets requests again: %+v", s)
	}
	if drained, err := r.drains.load(); err != nil || !slices.Contains(drained["vm"], id) {
		t.Errorf("kept for a restart: %v, %v", drained, err)
	}
}

// authority is the certificate of some authority, as PEM.
func authority(t *testing.T) []byte {
	t.Helper()
	s := httptest.NewTLSServer(http.NotFoundHandler())
	defer s.Close()
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
}

// TestBusyServerIsNotUnhealthy: the same of its health check, which does not take its turn with requests.
func TestBusyServerIsNotUnhealthy(t *testing.T) {
	r := newRig(t, func(c *Config) {
		vm := c.Backends["vm"]
		vm.Upstream.Connections, vm.Upstream.Response = 1, time.Minute
		vm.Balance.Health = &balance.Health{Path: "/", Every: 10 * time.Millisecond, Timeout: 500 * time.Millisecond, Fall: 1, Rise: 1}
		c.Backends["vm"] = vm
	})
	held, release := r.hold()
	defer release()
	var user sync.WaitGroup
	user.Go(func() { r.do("GET", "/held", "") })
	<-held
	checked := len(r.old.requests())
	eventually(t, "no check ends", func() bool { return len(r.old.requests()) > checked+2 })
	if s := r.Servers()["vm"][0]; s.Health != "healthy" {
		t.Errorf("a busy server is %s: %s", s.Health, s.LastError)
	}
	release()
	user.Wait()
}
