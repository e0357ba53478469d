package tracker

import (
	"io"
	"net"
	"net/textproto"
	"strings"
	"sync"
	"testing"
)

// sink is an SMTP server that keeps what it accepts. answer decides, for each mail, by its whole
// text and how many attempts there were before, what is said at the end of the data.
type sink struct {
	address string
	answer  func(text string, attempt int) string

	mu       sync.Mutex
	attempts int
	accepted []string
}

func newSink(t *testing.T, answer func(text string, attempt int) string) *sink {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &sink{address: listener.Addr().String(), answer: answer}
	var all sync.WaitGroup
	t.Cleanup(func() {
		_ = listener.Close()
		all.Wait()
	})
	all.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			all.Go(func() { s.serve(textproto.NewConn(conn)) })
		}
	})
	return s
}

func (s *sink) serve(conn *textproto.Conn) {
	defer conn.Close()
	_ = conn.PrintfLine("220 sink")
	for {
		line, err := conn.ReadLine()
		if err != nil {
			return
		}
		switch verb, _, _ := strings.Cut(line, " "); verb {
		case "DATA":
			_ = conn.PrintfLine("354 go on")
			text, err := io.ReadAll(conn.DotReader())
			if err != nil {
				return
			}
			_ = conn.PrintfLine("%s", s.take(string(text)))
		case "QUIT":
			_ = conn.PrintfLine("221 bye")
			return
		default:
			_ = conn.PrintfLine("250 ok")
		}
	}
}

func (s *sink) take(text string) string {
	s.mu.Lock()
	attempt := s.attempts
	s.attempts++
	s.mu.Unlock()
	answer := "250 ok"
	if s.answer != nil {
		answer = s.answer(text, attempt)
	}
	if strings.HasPrefix(answer, "250") {
		s.mu.Lock()
		s.accepted = append(s.accepted, text)
		s.mu.Unlock()
	}
	return answer
}

// ids are the Message-IDs of what was accepted.
func (s *sink) ids() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []string
	for _, text := range s.accepted {
		_, rest, _ := strings.Cut(text, "\nMessage-ID: ")
		id, _, _ := strings.Cut(rest, "\n")
		ids = append(ids, id)
	}
	return ids
}
