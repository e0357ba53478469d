package tracker

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"time"
)

// Mail says how mail about changed issues leaves this copy.
type Mail struct {
	// Via is smtp, sendmail, or empty for no mail.
	Via string
	// Address is the SMTP server, host:port or unix:PATH.
	Address string
	// Command is the sendmail program and its arguments; -i -f SENDER -- RECIPIENTS follow them.
	Command []string
	// From is the sender's address. Empty: tracker@tracker.example.
	From string
	// To are the recipients of every mail. Empty: the issue's author at the sender's domain.
	To []string
	// Log is the path of a file that gets one line for each mail with what became of it, written when
	// it is known. Empty: none.
	Log string
	// Workers is how many mails are sent at a time. Zero: 2.
	Workers int
	// Queue is how many mails wait in memory at most. Zero: 10,000.
	Queue int
	// Retry is the pause before a mail that was not accepted for now is tried again; it doubles up to
	// 16 times this. Zero: 500 ms.
	Retry time.Duration
	// Timeout is how long one attempt may take. Zero: 30 s.
	Timeout time.Duration
}

func (m Mail) check() error {
	switch {
	case m.Via == "":
		return nil
	case m.Via == "smtp" && m.Address == "":
		return errors.New("tracker: mail via smtp needs an address")
	case m.Via == "sendmail" && len(m.Command) == 0:
		return errors.New("tracker: mail via sendmail needs a command")
	case m.Via != "smtp" && m.Via != "sendmail":
		return fmt.Errorf("tracker: mail via %q: smtp and sendmail are known", m.Via)
	}
	for _, address := range append([]string{m.normal().From}, m.To...) {
		if parsed, err := mail.ParseAddress(address); err != nil || parsed.Address != address {
			return fmt.Errorf("tracker: %q is not a mail address", address)
		}
	}
	return nil
}

func (m Mail) normal() Mail {
	if m.From == "" {
		m.From = "tracker@tracker.example"
	}
	if m.Workers <= 0 {
		m.Workers = 2
	}
	if m.Queue <= 0 {
		m.Queue = 10_000
	}
	if m.Retry <= 0 {
		m.Retry = 500 * time.Millisecond
	}
	if m.Timeout <= 0 {
		m.Timeout = 30 * time.Second
	}
	return m
}

// message is a mail that waits to be sent.
type message struct {
	id   string // Message-ID, with its angle brackets
	from string
	to   []string
	text []byte // header and body, lines ended by CRLF
}

// mailAbout queues a mail that says what a user did to an issue.
func (s *Server) mailAbout(i Issue, user, did, words string) {
	if s.config.Mail.Via == "" {
		return
	}
	from := s.mail.config.From
	to := s.mail.config.To
	if len(to) == 0 {
		_, domain, _ := strings.Cut(from, "@")
		to = []string{i.Author + "@" + domain}
	}
	m := message{id: s.mail.newID(i.ID), from: from, to: to}
	m.text = compose(m, fmt.Sprintf("[#%d] %s", i.ID, i.Title), s.config.Version,
		fmt.Sprintf("%s %s.\n\n%s\n\n-- \n%s\n", user, did, words, i.URL()), time.Now())
	s.mail.enqueue(m)
}

// compose writes a mail (RFC 5322, RFC 2045). The body is quoted-printable, so that any text passes
// through any server unchanged.
func compose(m message, subject, build, body string, now time.Time) []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out, "From: Tracker <%s>\r\nTo: %s\r\n", m.from, strings.Join(m.to, ",\r\n "))
	fmt.Fprintf(&out, "Subject: %s\r\n", mime.QEncoding.Encode("utf-8", subject))
	fmt.Fprintf(&out, "Date: %s\r\nMessage-ID: %s\r\n", now.Format(time.RFC1123Z), m.id)
	fmt.Fprintf(&out, "X-Tracker-Build: %s\r\nAuto-Submitted: auto-generated\r\n", build)
	out.WriteString("MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n" +
		"Content-Transfer-Encoding: quoted-printable\r\n\r\n")
	encoded := quotedprintable.NewWriter(&out)
	_, _ = encoded.Write([]byte(body)) // into memory
	_ = encoded.Close()
	return out.Bytes()
}

// newID makes a Message-ID that no other mail has: a retry keeps it, so that a receiver can tell a
// mail that came twice from two mails.
func (q *mailer) newID(issue int64) string {
	_, domain, _ := strings.Cut(q.config.From, "@")
	return fmt.Sprintf("<issue-%d.%s@%s>", issue, rand.Text(), domain)
}
