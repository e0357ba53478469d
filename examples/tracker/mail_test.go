package tracker

import (
	"io"
	"log/slog"
	"mime"
	"mime/quotedprintable"
	"net/http"
	"net/mail"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// changesWithMail makes changes in a copy and stops it.
func changesWithMail(t *testing.T, m Mail, changes func(*visitor)) (MailCounts, error) {
	t.Helper()
	s, err := New(t.Context(), Config{Data: t.TempDir(), Mail: m, Grace: 5 * time.Second}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	v := visit(t, "http://tracker.test")
	v.Transport = direct{s.Handler()}
	token, err := s.store.NewSession(t.Context(), "alice", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	v.Jar = oneCookie(token)
	changes(v)
	err = s.Close()
	return s.mail.counts(), err
}

func TestMailOfEachChange(t *testing.T) {
	log := filepath.Join(t.TempDir(), "mail.log")
	s := newSink(t, nil)
	counts, err := changesWithMail(t, Mail{Via: "smtp", Address: s.address, Log: log}, func(v *visitor) {
		v.post("/issues", "title", "Größe ändern", "body", ".\r\n.. a\r\nbare\nline").want(http.StatusSeeOther)
		v.post("/issues/41/comments", "body", strings.Repeat("long ", 300)).want(http.StatusSeeOther)
		v.post("/issues/41/state", "state", "done").want(http.StatusSeeOther)
		v.post("/board/41/move", "column", "open").want(http.StatusSeeOther)
	})
	if want := (MailCounts{Queued: 4, Accepted: 4}); err != nil || counts != want {
		t.Fatalf("%+v, %v", counts, err)
	}
	compareWithLog(t, s, log, 4)
	for _, text := range s.accepted {
		m, err := mail.ReadMessage(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
		if err != nil || subject != "[#41] Größe ändern" || m.Header.Get("To") != "alice@tracker.example" {
			t.Errorf("header %v, %v", m.Header, err)
		}
		if _, err := m.Header.Date(); err != nil {
			t.Error(err)
		}
		body, err := io.ReadAll(quotedprintable.NewReader(m.Body))
		if err != nil || !strings.Contains(string(body), "alice ") || !strings.Contains(string(body), "/issues/41") {
			t.Errorf("body %q, %v", body, err)
		}
	}
}

// compareWithLog wants the log to name exactly the mails that the sink accepted, each once.
func compareWithLog(t *testing.T, s *sink, log string, want int) {
	t.Helper()
	var logged []string
	for _, e := range readLines[MailEntry](t, log) {
		if e.Outcome == MailAccepted {
			logged = append(logged, e.ID)
		}
	}
	got := s.ids()
	slices.Sort(logged)
	slices.Sort(got)
	if !slices.Equal(logged, got) || len(slices.Compact(got)) != want {
		t.Errorf("logged %v, accepted %v, want %d", logged, got, want)
	}
}

func TestMailIsTriedAgain(t *testing.T) {
	log := filepath.Join(t.TempDir(), "mail.log")
	s := newSink(t, func(text string, attempt int) string {
		switch {
		case strings.Contains(text, "hopeless"):
			return "550 no such user"
		case attempt < 3:
			return "451 later"
		}
		return "250 ok"
	})
	counts, err := changesWithMail(t, Mail{Via: "smtp", Address: s.address, Log: log, Retry: time.Millisecond, Workers: 1}, func(v *visitor) {
		for _, title := range []string{"one", "hopeless", "two"} {
			v.post("/issues", "title", title).want(http.StatusSeeOther)
		}
	})
	if want := (MailCounts{Queued: 3, Accepted: 2, Refused: 1, Retried: 3}); err != nil || counts != want {
		t.Errorf("%+v, %v", counts, err)
	}
	compareWithLog(t, s, log, 2)
}

func TestMailThatIsLeftIsSaid(t *testing.T) {
	log := filepath.Join(t.TempDir(), "mail.log")
	s, err := New(t.Context(), Config{Data: t.TempDir(), Grace: time.Millisecond,
		Mail: Mail{Via: "smtp", Address: "127.0.0.1:1", Log: log, Queue: 2, Workers: 1}}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for n := range int64(5) {
		s.mailAbout(Issue{ID: n + 1, Author: "alice"}, "alice", "tried", "")
	}
	err = s.Close()
	counts := s.mail.counts()
	if err == nil || counts.Queued != 5 || counts.Left+counts.Refused != 5 || counts.Left < 2 || counts.Refused < 2 || counts.Waiting != 0 {
		t.Errorf("%+v, %v", counts, err)
	}
	if got := len(readLines[MailEntry](t, log)); got != 5 {
		t.Errorf("%d log lines", got)
	}
}

func TestSendmailCommand(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "sendmail")
	script := "#!/bin/sh\ncd " + dir + " || exit 1\ncat > mail.$$\n" +
		"if grep -q hopeless mail.$$; then exit 67; fi\n" +
		"if [ ! -e tried ]; then touch tried; rm mail.$$; echo busy >&2; exit 75; fi\necho \"$@\" > args\nmv mail.$$ done\n"
	if err := os.WriteFile(program, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	counts, err := changesWithMail(t, Mail{Via: "sendmail", Command: []string{program, "-x"}, Workers: 1, Retry: time.Millisecond}, func(v *visitor) {
		v.post("/issues", "title", "by program").want(http.StatusSeeOther)
		v.post("/issues", "title", "hopeless").want(http.StatusSeeOther)
	})
	if want := (MailCounts{Queued: 2, Accepted: 1, Refused: 1, Retried: 1}); err != nil || counts != want {
		t.Errorf("%+v, %v", counts, err)
	}
	args, err := os.ReadFile(filepath.Join(dir, "args"))
	if err != nil || string(args) != "-x -i -f tracker@tracker.example -- alice@tracker.example\n" {
		t.Errorf("arguments %q, %v", args, err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "done"))
	if err != nil || !strings.Contains(string(text), "Subject: [#41] by program\n") || strings.Contains(string(text), "\r") {
		t.Errorf("mail %q, %v", text, err)
	}
}
