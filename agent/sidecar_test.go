package agent

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"yadokari/lifecycle"
)

// A stop that is to be cut short soon, and even so has time to leave things safe on a busy machine.
const (
	shortGrace   = 30 * time.Second
	ampleReserve = 0.95
)

func (s *scene) mark(text string) {
	s.t.Helper()
	if err := os.WriteFile(s.path("stopped"), []byte(text), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

// TestSidecarTakesMailUntilTheMarker has nothing but the marker to go by: an app that is quiet meanwhile may
// be at work.
func TestSidecarTakesMailUntilTheMarker(t *testing.T) {
	s := newScene(t)
	s.config.Shutdown.Quiet, s.config.Shutdown.Files = minQuiet, nil
	s.start()
	s.ready(false)
	if code, text := s.get("/readyz"); code != http.StatusOK {
		t.Errorf("%d %s", code, text)
	}
	s.signal(syscall.SIGTERM)
	s.line("phase began")
	if code, text := s.get("/readyz"); code != http.StatusServiceUnavailable || !strings.Contains(text, "stopping") {
		t.Errorf("%d %s", code, text)
	}
	time.Sleep(4 * minQuiet)
	s.submit("after SIGTERM")
	s.mark(`{"exit": 4}`)
	r := s.end()
	a := mails(t, r)
	if r.Exit != 0 || a.Out["delivered"] != 1 || !r.Complete || r.App.Evidence.By != "marker" || *r.App.Mark.Exit != 4 || r.App.LateMark || len(r.Phases) != 2 {
		t.Errorf("%+v, %+v", r, r.App)
	}
}

func TestSidecarBesideAnAppThatWasKilled(t *testing.T) {
	s := newScene(t)
	s.config.Shutdown.Quiet = minQuiet
	s.start()
	s.ready(false)
	s.submit("its last")
	s.signal(syscall.SIGTERM)
	r := s.end()
	if a := mails(t, r); r.Exit != 0 || r.App.Evidence.By != "quiet" || a.Out["delivered"] != 1 || r.App.Mark != nil {
		t.Errorf("%+v", r)
	}
}

func TestSidecarDoesNotRemoveAMarkerAndDoesNotBelieveAnOldOne(t *testing.T) {
	s := newScene(t)
	s.mark("")
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(s.path("stopped"), old, old); err != nil {
		t.Fatal(err)
	}
	s.config.Shutdown.Quiet = minQuiet
	s.start()
	s.ready(false)
	if _, err := os.Stat(s.path("stopped")); err != nil {
		t.Error(err)
	}
	s.signal(syscall.SIGTERM)
	if r := s.end(); r.App.Evidence.By != "quiet" || !r.App.Evidence.Stale || r.App.LateMark {
		t.Errorf("%+v", r.App.Evidence)
	}
}

// TestMarkerThatComesTooLate comes while mail is tried, after the app was given up for its port that answers.
func TestMarkerThatComesTooLate(t *testing.T) {
	for _, stale := range []bool{false, true} {
		s := newScene(t)
		if stale {
			s.mark("")
			old := time.Now().Add(-time.Hour)
			if err := os.Chtimes(s.path("stopped"), old, old); err != nil {
				t.Fatal(err)
			}
		}
		port, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer port.Close()
		s.down() // so that mail takes all of its time
		sh := &s.config.Shutdown
		sh.Ports = []string{port.Addr().String()}
		sh.Grace, sh.App, sh.Mail, sh.Reserve, sh.Quiet = time.Minute, 0.02, 0.1, 0.85, minQuiet
		s.start()
		s.ready(false)
		s.submit("waits")
		s.signal(syscall.SIGTERM)
		s.line(`"phase":"mail"`)
		s.mark(`{"exit": 5}`)
		r := s.end()
		if !r.App.LateMark || r.App.Mark == nil || r.App.Mark.Exit == nil || *r.App.Mark.Exit != 5 || r.App.Evidence.Finished || r.App.Evidence.Stale != stale {
			t.Errorf("stale %v: %+v, %+v", stale, r.App, r.App.Evidence)
		}
	}
}

// TestWhatIsLeftOver is a stop without a mail server: the mail stays in the spool, the exit code says so,
// and the next agent delivers it.
func TestWhatIsLeftOver(t *testing.T) {
	s := newScene(t)
	s.down()
	s.config.Shutdown.App, s.config.Shutdown.Mail = 0.02, 0.01
	s.config.Shutdown.Grace, s.config.Shutdown.Reserve, s.config.Shutdown.Quiet = shortGrace, ampleReserve, minQuiet
	s.start()
	s.ready(false)
	for range 3 {
		s.submit("waits")
	}
	if code, text := s.get("/api/v1/mail/queue"); code != http.StatusOK || !strings.Contains(text, `"total":3`) {
		t.Errorf("%d %s", code, text)
	}
	if code, text := s.get("/api/v1/mail/queue/ffff"); code != http.StatusNotFound || !strings.Contains(text, `"code":"no-such-mail"`) {
		t.Errorf("%d %s", code, text)
	}
	if code, text := s.get("/metrics"); code != http.StatusOK || !strings.Contains(text, "yadokari_mail_queue_messages 3") || !strings.Contains(text, "yadokari_agent_stopping 0") {
		t.Errorf("%d %s", code, text)
	}
	s.signal(syscall.SIGTERM)
	r := s.end()
	if a := mails(t, r); r.Exit != lifecycle.ExitLeftOver || a.LeftOver != 3 || a.Where != s.path("spool") || r.Level != "WARN" || r.Complete {
		t.Errorf("%+v", r)
	}
	next := newScene(t)
	next.config.Mail.Spool = s.config.Mail.Spool
	next.start()
	next.ready(false)
	next.signal(syscall.SIGTERM)
	r = next.end()
	if a := mails(t, r); r.Exit != 0 || a.In["recovered"] != 3 || a.Out["delivered"] != 3 || len(next.sink.Mails()) != 3 {
		t.Errorf("%+v", r)
	}
}

func TestQueueInMemory(t *testing.T) {
	for _, leftover := range []bool{false, true} {
		s := newScene(t)
		s.down()
		s.config.Mail.Spool = ""
		if leftover {
			s.config.Mail.Leftover.Dir = s.path("leftover")
		}
		s.config.Shutdown.App, s.config.Shutdown.Mail = 0.02, 0.01
		s.config.Shutdown.Grace, s.config.Shutdown.Reserve, s.config.Shutdown.Quiet = shortGrace, ampleReserve, minQuiet
		s.start()
		s.ready(false)
		s.submit("waits")
		s.signal(syscall.SIGTERM)
		r := s.end()
		a := mails(t, r)
		switch {
		case !leftover && (r.Exit != lifecycle.ExitLost || a.Lost != 1 || r.Level != "ERROR"):
			t.Errorf("%+v", r)
		case leftover && (r.Exit != lifecycle.ExitLeftOver || a.LeftOver != 1 || filepath.Dir(a.Where) != s.path("leftover")):
			t.Errorf("%+v", r)
		}
	}
}

// TestSecondTermHurries is what the kubelet does at the end of a pod's grace period.
func TestSecondTermHurries(t *testing.T) {
	s := newScene(t)
	s.down()
	s.config.Shutdown.Grace = 10 * time.Minute
	s.start()
	s.ready(false)
	s.submit("waits")
	s.signal(syscall.SIGTERM)
	s.line("phase began")
	s.signal(syscall.SIGTERM)
	r := s.end()
	if a := mails(t, r); r.Exit != lifecycle.ExitLeftOver || a.LeftOver != 1 || r.Seconds > 60 {
		t.Errorf("%+v", r)
	}
	for _, step := range r.Phases {
		if step.Outcome != lifecycle.CutShort || !strings.Contains(step.Error, "hurried") {
			t.Errorf("%+v", step)
		}
	}
}

func TestStopThatDoesNotFitIntoThePod(t *testing.T) {
	s := newScene(t)
	file := s.path("grace")
	if err := os.WriteFile(file, []byte("30\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, byFile := range []bool{true, false} {
		if s.env = []string{"AGENT_POD=30"}; byFile {
			s.env, s.config.Shutdown.PodGraceFile = nil, file
		} else {
			s.config.Shutdown.PodGraceFile = ""
		}
		s.start()
		for s.lines.Scan() {
			t.Error(s.lines.Text())
		}
		if err := s.cmd.Wait(); err == nil || s.cmd.ProcessState.ExitCode() != 2 || !strings.Contains(s.stderr(), "make it 62, or the grace period 28s") {
			t.Errorf("%v: %s", err, s.stderr())
		}
		if _, err := os.Stat(s.path("spool")); err == nil {
			t.Error("something was opened")
		}
	}
}
