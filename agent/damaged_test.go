package agent

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"yadokari/lifecycle"
)

// twoLeft is the scene of an agent that has stopped with two mails in its spool.
func twoLeft(t *testing.T) *scene {
	t.Helper()
	s := newScene(t)
	s.cutShort()
	s.start()
	s.ready(false)
	for range 2 {
		s.submit("waits")
	}
	s.signal(syscall.SIGTERM)
	s.end()
	return s
}

// TestDamagedMailIsNotDone: a mail that had its 250 and is damaged on the disk is not delivered, and the
// receipt that follows says so, with the place where it is.
func TestDamagedMailIsNotDone(t *testing.T) {
	for _, up := range []bool{true, false} {
		s := twoLeft(t)
		s.spoil()

		next := newScene(t)
		if next.config.Shutdown.Quiet = minQuiet; !up {
			next.cutShort()
		}
		next.config.Mail.Spool = s.config.Mail.Spool
		next.start()
		next.ready(false)
		next.signal(syscall.SIGTERM)
		r := next.end()
		a, aside := mails(t, r), filepath.Join(s.path("spool"), "damaged")
		left, where := int64(1), aside
		if !up {
			left, where = 2, s.path("spool")+" and "+aside
		}
		if r.Exit != lifecycle.ExitLeftOver || r.Complete || a.LeftOver != left || a.Where != where || a.Out["delivered"] != 2-left {
			t.Errorf("up %v: %+v", up, r)
		}
		if faults := strings.Join(a.Faults, "; "); !strings.Contains(faults, ": 1 mail") || !strings.Contains(faults, aside) {
			t.Errorf("up %v: %q", up, faults)
		}
		if files, err := os.ReadDir(aside); err != nil || len(files) != 1 {
			t.Error(files, err)
		}
	}
}

// TestDamageWithoutAMailIsTold: a part of the spool that cannot even be told to be a mail may have been one with a
// 250. The receipt counts it and names the file, and is not that of a stop that left nothing.
func TestDamageWithoutAMailIsTold(t *testing.T) {
	s := twoLeft(t)
	// Each record begins with the segment's salt, which stands in its front too.
	s.damage(func(segment []byte) int { return bytes.LastIndex(segment, segment[8:24]) })

	next := newScene(t)
	next.config.Shutdown.Quiet = minQuiet
	next.config.Mail.Spool = s.config.Mail.Spool
	next.start()
	next.ready(false)
	next.signal(syscall.SIGTERM)
	r := next.end()
	a, aside := mails(t, r), filepath.Join(s.path("spool"), "damaged")
	kept, err := os.ReadDir(aside)
	if err != nil || len(kept) != 1 {
		t.Fatal(kept, err)
	}
	faults := strings.Join(a.Faults, "; ")
	if r.Exit != lifecycle.ExitLeftOver || r.Complete || a.LeftOver != 1 || a.Where != aside || a.Out["delivered"] != 1 ||
		!strings.Contains(faults, ": 1 part") || !strings.Contains(faults, kept[0].Name()) {
		t.Errorf("%+v", r)
	}
}

// cutShort makes the stop one that delivers nothing.
func (s *scene) cutShort() {
	s.down()
	sh := &s.config.Shutdown
	sh.App, sh.Mail, sh.Grace, sh.Reserve, sh.Quiet = 0.02, 0.01, shortGrace, ampleReserve, minQuiet
}

// spoil changes one bit in the text of the last mail in the spool.
func (s *scene) spoil() {
	s.t.Helper()
	s.damage(func(segment []byte) int { return bytes.LastIndex(segment, []byte("Subject: waits")) })
}

// damage changes one bit in the byte of the spool's only segment that at chooses.
func (s *scene) damage(at func(segment []byte) int) {
	s.t.Helper()
	files, err := filepath.Glob(s.path("spool/*.mail"))
	if err != nil || len(files) != 1 {
		s.t.Fatal(files, err)
	}
	raw, err := os.ReadFile(files[0])
	if err != nil {
		s.t.Fatal(err)
	}
	chosen := at(raw)
	if chosen < 0 {
		s.t.Fatal("the file holds no mail")
	}
	raw[chosen] ^= 1
	if err := os.WriteFile(files[0], raw, 0o600); err != nil {
		s.t.Fatal(err)
	}
}
