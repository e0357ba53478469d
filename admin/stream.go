package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	heartbeat = 15 * time.Second // between comments on a silent stream
	writeTime = 10 * time.Second // for one event to leave; a client that is slower is dropped
)

// EventStream is an answer of server-sent events (HTML Living Standard, section 9.2). Its methods are
// safe for concurrent use.
type EventStream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	server  *Server

	mu   sync.Mutex
	err  error
	done chan struct{} // closed when the stream has ended, from either end
	end  chan struct{} // closed by Close
	beat sync.WaitGroup
}

// Stream begins a stream of events as the answer to r. A comment every 15 seconds keeps what lies
// between from closing a silent stream. The stream ends when the client goes, or does not take
// 32 KiB within 10 seconds, or the server stops: Done tells. Close it before the handler returns.
func Stream(w http.ResponseWriter, r *http.Request) (*EventStream, error) {
	s := &EventStream{
		w: w, control: http.NewResponseController(w),
		done: make(chan struct{}), end: make(chan struct{}),
	}
	s.server, _ = r.Context().Value(serverKey{}).(*Server)
	if err := s.control.SetReadDeadline(time.Time{}); err != nil {
		return nil, fmt.Errorf("event stream: %w", err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // NGINX buffers else
	if err := s.write([]byte(": yadokari\n\n")); err != nil {
		return nil, err
	}
	if s.server != nil {
		s.server.streams.Add(1)
	}
	s.beat.Go(func() { s.watch(r) })
	return s, nil
}

// watch sends heartbeats and ends the stream when the client or the server does.
func (s *EventStream) watch(r *http.Request) {
	ticker := time.NewTicker(heartbeat)
	defer ticker.Stop()
	var stopping chan struct{}
	if s.server != nil {
		stopping = s.server.stopping
	}
	for {
		select {
		case <-ticker.C:
			if s.write([]byte(":\n\n")) != nil {
				return
			}
		case <-r.Context().Done():
			s.fail(r.Context().Err())
			return
		case <-stopping:
			s.fail(http.ErrServerClosed)
			return
		case <-s.done:
			return
		case <-s.end:
			return
		}
	}
}

// Done is closed when nothing more can be sent.
func (s *EventStream) Done() <-chan struct{} { return s.done }

// Send sends an event with v as its JSON data. The id and the event's name may be
// empty; neither may hold line breaks.
func (s *EventStream) Send(id, event string, v any) error {
	if strings.ContainsAny(id+event, "\r\n\x00") {
		return fmt.Errorf("event stream: %q or %q holds a line break", id, event)
	}
	var b bytes.Buffer
	if id != "" {
		fmt.Fprintf(&b, "id: %s\n", id)
	}
	if event != "" {
		fmt.Fprintf(&b, "event: %s\n", event)
	}
	b.WriteString("data: ")
	if list, ok := v.(List); ok {
		return s.flush(func(w io.Writer) error {
			if _, err := w.Write(b.Bytes()); err != nil {
				return err
			}
			if err := list.write(w); err != nil {
				return err
			}
			_, err := io.WriteString(w, "\n\n")
			return err
		})
	}
	data, err := json.Marshal(v) // has no line breaks
	if err != nil {
		return fmt.Errorf("event stream: %w", err)
	}
	b.Write(data)
	b.WriteString("\n\n")
	return s.write(b.Bytes())
}

// patient gives every piece that is written writeTime to leave.
type patient struct{ s *EventStream }

func (p patient) Write(piece []byte) (int, error) {
	if err := p.s.control.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
		return 0, err
	}
	return p.s.w.Write(piece)
}

func (s *EventStream) write(p []byte) error {
	return s.flush(func(w io.Writer) error {
		_, err := w.Write(p)
		return err
	})
}

// flush sends what write writes, with nothing else between its pieces.
func (s *EventStream) flush(write func(io.Writer) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	err := write(patient{s})
	if err == nil {
		err = s.control.Flush()
	}
	if err != nil {
		s.failLocked(fmt.Errorf("event stream: %w", err))
	}
	return s.err
}

func (s *EventStream) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failLocked(err)
}

func (s *EventStream) failLocked(err error) {
	if s.err == nil {
		s.err = err
		close(s.done)
	}
}

var errClosed = errors.New("event stream: closed")

// Close ends the stream. Call it once.
func (s *EventStream) Close() {
	close(s.end)
	s.beat.Wait()
	s.fail(errClosed)
	if s.server != nil {
		s.server.streams.Add(-1)
	}
}
