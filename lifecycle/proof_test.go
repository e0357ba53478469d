package lifecycle

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// scene is an app that others start and stop, in a synctest bubble: files have the bubble's time.
type scene struct {
	t     *testing.T
	proof Proof
	port  atomic.Bool // answers
	fails error       // what a connection to the port fails with, if it is closed
	mails atomic.Int64
}

func newScene(t *testing.T, dir string) *scene {
	s := &scene{t: t}
	s.proof = Proof{
		Marker: filepath.Join(dir, "stopped"), Since: time.Now(), Ports: []string{"127.0.0.1:8080"},
		Files: []string{filepath.Join(dir, "*.log")}, Activity: []func() int64{s.mails.Load},
		Quiet: 2 * time.Second, Dial: s.dial,
	}
	s.fails = dialError(syscall.ECONNREFUSED)
	return s
}

func dialError(err error) error {
	return &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", err)}
}

func (s *scene) dial(context.Context, string, string) (net.Conn, error) {
	if !s.port.Load() {
		return nil, s.fails
	}
	client, server := net.Pipe()
	return client, server.Close()
}

// write gives the file what the bubble's clock says as its time.
func (s *scene) write(name, text string) {
	s.t.Helper()
	path := filepath.Join(filepath.Dir(s.proof.Marker), name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Chtimes(path, time.Time{}, time.Now()); err != nil {
		s.t.Fatal(err)
	}
}

// wait returns the evidence and how long it took to have it.
func (s *scene) wait(budget time.Duration) (Evidence, time.Duration, error) {
	ctx, cancel := context.WithTimeoutCause(s.t.Context(), budget, ErrBudget)
	defer cancel()
	start := time.Now()
	e, err := s.proof.Wait(ctx)
	return e, time.Since(start), err
}

func TestProof(t *testing.T) {
	for name, c := range map[string]struct {
		before   func(s *scene)
		by       string
		took     time.Duration
		stale    bool
		unproven bool
	}{
		"marker at once": {func(s *scene) { s.write("stopped", "") }, "marker", 0, false, false},
		"marker late": {func(s *scene) {
			s.port.Store(true)
			time.AfterFunc(9*time.Second, func() { s.port.Store(false); s.write("stopped", `{"exit":0}`) })
		}, "marker", 9 * time.Second, false, false},
		"marker, but the port answers still": {func(s *scene) {
			s.port.Store(true)
			s.write("stopped", "")
			time.AfterFunc(5*time.Second, func() { s.port.Store(false) })
		}, "marker", 5 * time.Second, false, false},
		"stale marker": {func(s *scene) {
			s.write("stopped", "")
			s.proof.Since = time.Now().Add(time.Minute)
		}, "quiet", 2 * time.Second, true, false},
		"stale marker of an app that runs": {func(s *scene) {
			s.port.Store(true)
			s.write("stopped", "")
			s.proof.Since = time.Now().Add(time.Minute)
		}, "127.0.0.1:8080 still answers", 20 * time.Second, true, true},
		"killed, no marker": {func(s *scene) {}, "quiet", 2 * time.Second, false, false},
		"writes on": {func(s *scene) {
			for i := range 10 { // once a second
				time.AfterFunc(time.Duration(i)*time.Second, func() { s.write("audit.log", strings.Repeat("x", i)) })
			}
		}, "quiet", 11 * time.Second, false, false},
		"sends mail": {func(s *scene) {
			time.AfterFunc(time.Second, func() { s.mails.Add(1) })
			time.AfterFunc(2*time.Second+500*time.Millisecond, func() { s.mails.Add(1) })
		}, "quiet", 4*time.Second + 500*time.Millisecond, false, false},
		"rotates": {func(s *scene) {
			s.write("audit.log", "x")
			time.AfterFunc(time.Second, func() {
				old := filepath.Join(filepath.Dir(s.proof.Marker), "audit.log")
				if err := os.Rename(old, strings.TrimSuffix(old, ".log")+"-1.log"); err != nil {
					s.t.Error(err)
				}
			})
		}, "quiet", 3 * time.Second, false, false},
		"marker alone, late": {func(s *scene) {
			s.proof.Ports, s.proof.Files = nil, nil
			time.AfterFunc(5*time.Second, func() { s.mails.Add(1) })
			time.AfterFunc(9*time.Second, func() { s.write("stopped", "") })
		}, "marker", 9 * time.Second, false, false},
		"marker alone, never": {func(s *scene) {
			s.proof.Ports, s.proof.Files = nil, nil
		}, "its marker is not there", 20 * time.Second, false, true},
		"marker alone, stale": {func(s *scene) {
			s.proof.Ports, s.proof.Files = nil, nil
			s.write("stopped", "")
			s.proof.Since = time.Now().Add(time.Minute)
		}, "its marker is not there", 20 * time.Second, true, true},
		"marker and port, killed":  {func(s *scene) { s.proof.Files = nil }, "quiet", 2 * time.Second, false, false},
		"marker and files, killed": {func(s *scene) { s.proof.Ports = nil }, "quiet", 2 * time.Second, false, false},
		"a full backlog is no proof": {func(s *scene) {
			s.fails = dialError(os.ErrDeadlineExceeded)
		}, "127.0.0.1:8080 is not known to be closed (dial tcp: connect: i/o timeout)", 20 * time.Second, false, true},
		"too few descriptors are no proof": {func(s *scene) {
			s.fails = dialError(syscall.EMFILE)
			s.write("stopped", "")
		}, "127.0.0.1:8080 is not known to be closed (dial tcp: connect: too many open files)", 20 * time.Second, false, true},
		"never": {func(s *scene) { s.port.Store(true) }, "127.0.0.1:8080 still answers", 20 * time.Second, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				s := newScene(t, dir)
				c.before(s)
				e, took, err := s.wait(20 * time.Second)
				near := took >= c.took && took <= c.took+2*proofPoll
				if e.By != c.by || !near || e.Stale != c.stale || e.Finished == c.unproven {
					t.Errorf("%+v after %v, %v", e, took, err)
				}
				if c.unproven && (!errors.Is(err, ErrBudget) || !strings.Contains(err.Error(), c.by)) || !c.unproven && err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestProofAgainstAPort uses a real one.
func TestProofAgainstAPort(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := Proof{Ports: []string{listener.Addr().String()}}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(ErrHurried)
	if e, err := p.Wait(ctx); e.Finished || !errors.Is(err, ErrHurried) || !strings.Contains(e.By, "still answers") {
		t.Errorf("%+v, %v", e, err)
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	if e, err := p.Wait(t.Context()); !e.Finished || e.By != "quiet" || err != nil {
		t.Errorf("%+v, %v", e, err)
	}
}

func TestProofValidate(t *testing.T) {
	for _, p := range []Proof{{Ports: []string{"8080"}}, {Ports: []string{":8080"}}, {Files: []string{"[a"}}, {Files: []string{" "}}} {
		if p.Validate() == nil {
			t.Errorf("%+v", p)
		}
	}
	if err := (&Proof{Ports: []string{"[::1]:80"}, Files: []string{"/var/log/app/*.log"}}).Validate(); err != nil {
		t.Error(err)
	}
}
