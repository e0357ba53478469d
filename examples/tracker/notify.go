package tracker

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/coder/websocket"
)

const (
	// heartbeatEvery keeps connections through proxies that cut idle ones.
	heartbeatEvery = 15 * time.Second
	// sendWithin is how long one message may take to leave.
	sendWithin  = 10 * time.Second
	maxInbound  = 4 << 10
	helloKind   = "hello"
	pongMessage = `{"kind":"pong"}`
)

// hello is the first message on a WebSocket: who is connected, to which build, and since which event.
type hello struct {
	Kind  string `json:"kind"`
	User  string `json:"user"`
	Build string `json:"build"`
	Last  int64  `json:"last"`
}

// notify pushes events through a WebSocket until either side ends it. A client's text message "ping"
// is answered with a message of the kind pong.
func (s *Server) notify(w http.ResponseWriter, r *http.Request) {
	queue, last, err := s.hub.subscribe()
	if err != nil {
		s.fail(w, r, refusal{http.StatusServiceUnavailable, err.Error()})
		return
	}
	defer s.hub.unsubscribe(queue)
	// Counted while the HTTP server still counts the connection too, so that a stop misses neither.
	s.sockets.Add(1)
	defer s.sockets.Done()
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // Accept has answered
	}
	defer conn.CloseNow()
	conn.SetReadLimit(maxInbound)
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	go func() {
		defer cancel()
		s.readSocket(ctx, conn)
	}()
	first := hello{Kind: helloKind, User: userOf(ctx), Build: s.config.Version, Last: last}
	if sendSocket(ctx, conn, first) != nil {
		return
	}
	s.pushSocket(ctx, conn, queue)
}

func (s *Server) pushSocket(ctx context.Context, conn *websocket.Conn, queue <-chan Event) {
	heartbeat := time.NewTicker(heartbeatEvery)
	defer heartbeat.Stop()
	for {
		var err error
		select {
		case e, open := <-queue:
			if !open {
				_ = conn.Close(websocket.StatusGoingAway, "come back")
				return
			}
			err = sendSocket(ctx, conn, e)
		case <-heartbeat.C:
			err = within(ctx, conn.Ping)
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// readSocket answers pings, and notices when the client goes.
func (s *Server) readSocket(ctx context.Context, conn *websocket.Conn) {
	for {
		_, message, err := conn.Read(ctx)
		if err != nil {
			return
		}
		if string(message) != "ping" {
			continue
		}
		err = within(ctx, func(ctx context.Context) error {
			return conn.Write(ctx, websocket.MessageText, []byte(pongMessage))
		})
		if err != nil {
			return
		}
	}
}

func sendSocket(ctx context.Context, conn *websocket.Conn, message any) error {
	text, err := json.Marshal(message)
	if err != nil {
		return err
	}
	return within(ctx, func(ctx context.Context) error { return conn.Write(ctx, websocket.MessageText, text) })
}

func within(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, sendWithin)
	defer cancel()
	return f(ctx)
}

// eventStream sends events as server-sent events (WHATWG HTML, section 9.2). A client that comes back
// with Last-Event-ID first gets what it missed.
func (s *Server) eventStream(w http.ResponseWriter, r *http.Request) {
	queue, last, err := s.hub.subscribe()
	if err != nil {
		s.fail(w, r, refusal{http.StatusServiceUnavailable, err.Error()})
		return
	}
	defer s.hub.unsubscribe(queue)
	missed, err := s.missed(r, last)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	out := http.NewResponseController(w)
	fmt.Fprintf(w, "retry: 1000\n: %s\n\n", s.config.Version)
	for _, e := range missed {
		if writeEvent(w, e) != nil {
			return
		}
	}
	heartbeat := time.NewTicker(heartbeatEvery)
	defer heartbeat.Stop()
	for out.Flush() == nil {
		select {
		case e, open := <-queue:
			if !open || writeEvent(w, e) != nil {
				return
			}
		case <-heartbeat.C:
			if _, err := w.Write([]byte(":\n\n")); err != nil {
				return
			}
		case <-r.Context().Done():
			return
		}
	}
}

// missed are the events between the one a client saw last and the first one that its subscription brings.
func (s *Server) missed(r *http.Request, upTo int64) ([]Event, error) {
	seen, err := strconv.ParseInt(r.Header.Get("Last-Event-ID"), 10, 64)
	if err != nil || seen >= upTo {
		return nil, nil //nolint:nilerr // a new client sends none; another missed nothing
	}
	events, err := s.store.Events(r.Context(), seen, int(min(upTo-seen, eventsKept)))
	// What is newer than upTo comes through the subscription.
	return slices.DeleteFunc(events, func(e Event) bool { return e.ID > upTo }), err
}

func writeEvent(w http.ResponseWriter, e Event) error {
	text, err := json.Marshal(e)
	if err == nil {
		_, err = fmt.Fprintf(w, "id: %d\nevent: %s\ndata: %s\n\n", e.ID, e.Kind, text)
	}
	return err
}
