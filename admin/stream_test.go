package admin

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// pipes is a listener whose connections are net.Pipes: they have deadlines, and time that a test
// decides. A pipe holds nothing, so a client that does not read is slow at once.
type pipes struct {
	accept chan net.Conn
	closed chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.accept:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}
func (p *pipes) Close() error   { close(p.closed); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8081} }

func (p *pipes) dial(t *testing.T) net.Conn {
	ours, theirs := net.Pipe()
	p.accept <- theirs
	t.Cleanup(func() { ours.Close() })
	return ours
}

// serveStream serves handler's stream at /events until the test ends or stop is called.
func serveStream(t *testing.T, handler func(*EventStream)) (p *pipes, s *Server, stop func()) {
	t.Helper()
	s, err := New(Config{Listen: "127.0.0.1:0"}, Options{Logger: slog.New(slog.DiscardHandler), Registry: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	s.Handle("GET /events", Viewer, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		stream, err := Stream(w, r)
		if err != nil {
			WriteError(w, err)
			return
		}
		defer stream.Close()
		handler(stream)
	}))
	p = &pipes{make(chan net.Conn), make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, p) }()
	return p, s, func() {
		t.Helper()
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Serve: %v", err)
		}
	}
}

const askEvents = "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n"

func TestStreamSendsEventsAndHeartbeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, s, stop := serveStream(t, func(e *EventStream) {
			if err := e.Send("42", "shift", map[string]string{"text": "a\nb"}); err != nil {
				t.Error(err)
			}
			if err := e.Send("4\n3", "", 1); err == nil {
				t.Error("a line break in an id went out")
			}
			<-e.Done()
		})
		conn := p.dial(t)
		go io.WriteString(conn, askEvents)
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(answer.Body)
		expect := func(want ...string) {
			t.Helper()
			for _, w := range want {
				if !lines.Scan() || lines.Text() != w {
					t.Fatalf("got %q (%v), want %q", lines.Text(), lines.Err(), w)
				}
			}
		}
		expect(": yadokari", "", "id: 42", "event: shift", `data: {"text":"a\nb"}`, "")
		began := time.Now()
		for range 20 { // five minutes: longer than a request or a plain answer may take
			expect(":", "")
		}
		if took := time.Since(began); took != 20*heartbeat {
			t.Errorf("20 heartbeats in %v", took)
		}
		if s.streams.Load() != 1 {
			t.Errorf("%d streams", s.streams.Load())
		}
		go io.Copy(io.Discard, answer.Body)
		began = time.Now()
		stop() // must not wait for the client
		if took := time.Since(began); took >= stopTime {
			t.Errorf("stopping took %v", took)
		}
		if s.streams.Load() != 0 || s.inFlight.Load() != 0 {
			t.Errorf("%d streams, %d requests left", s.streams.Load(), s.inFlight.Load())
		}
	})
}

// A client that does not read is dropped after the time that one write may take.
func TestStreamDropsSlowClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan error, 1)
		p, s, stop := serveStream(t, func(e *EventStream) {
			for {
				if err := e.Send("", "", strings.Repeat("x", 1<<10)); err != nil {
					ended <- err
					return
				}
			}
		})
		conn := p.dial(t)
		began := time.Now()
		if _, err := io.WriteString(conn, askEvents); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(conn, make([]byte, 4<<10)); err != nil {
			t.Fatal(err)
		}
		err := <-ended // and reads no more
		if took := time.Since(began); took != writeTime {
			t.Errorf("dropped after %v", took)
		}
		var timeout net.Error
		if !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("ended with %v", err)
		}
		conn.Close()
		synctest.Wait()
		if s.streams.Load() != 0 {
			t.Error("the stream is still counted")
		}
		stop()
	})
}

func TestStreamEndsWithItsClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan struct{})
		p, _, stop := serveStream(t, func(e *EventStream) {
			<-e.Done()
			if err := e.Send("", "", 1); err == nil {
				t.Error("an event went to nobody")
			}
			close(ended)
		})
		conn := p.dial(t)
		io.WriteString(conn, askEvents)
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(answer.Body, make([]byte, len(": yadokari\n\n"))); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		conn.Close()
		<-ended
		if took := time.Since(began); took != 0 {
			t.Errorf("noticed after %v", took)
		}
		stop()
	})
}

func TestInFlightIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _, stop := serveStream(t, func(e *EventStream) { <-e.Done() })
		for range maxInFlight {
			conn := p.dial(t)
			io.WriteString(conn, askEvents)
			go io.Copy(io.Discard, conn)
		}
		synctest.Wait()
		ask := func(path string) int {
			conn := p.dial(t)
			go io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
			answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			io.Copy(io.Discard, answer.Body)
			return answer.StatusCode
		}
		if status := ask("/events"); status != http.StatusServiceUnavailable {
			t.Errorf("one too many: %d", status)
		}
		if status := ask("/livez"); status != http.StatusOK {
			t.Errorf("a probe beside them: %d", status)
		}
		stop()
	})
}
