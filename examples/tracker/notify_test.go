package tracker

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// socket connects as a visitor.
func socket(t *testing.T, v *visitor) *websocket.Conn {
	t.Helper()
	conn, _, err := websocket.Dial(t.Context(), "ws"+strings.TrimPrefix(v.url, "http")+"/notify",
		&websocket.DialOptions{HTTPClient: &v.Client})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	return conn
}

func receive[T any](t *testing.T, conn *websocket.Conn) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, text, err := conn.Read(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var value T
	if err := json.Unmarshal(text, &value); err != nil {
		t.Fatal(err)
	}
	return value
}

func TestSocketHearsOfBothCopies(t *testing.T) {
	dir := t.TempDir()
	old, next := newSite(t, Config{Data: dir, Version: "vm"}), newSite(t, Config{Data: dir, Version: "containers", Slower: 0.1})
	alice := login(t, next.url, "alice")
	conn := socket(t, alice)
	if h := receive[hello](t, conn); h.Kind != "hello" || h.User != "alice" || h.Build != "containers" {
		t.Errorf("hello %+v", h)
	}
	bob := login(t, old.url, "bob")
	for n := range 5 {
		bob.post("/issues", "title", fmt.Sprint("from the old ", n)).want(http.StatusSeeOther)
		alice.post("/issues", "title", fmt.Sprint("from the new ", n)).want(http.StatusSeeOther)
	}
	var last int64
	for n := range 10 {
		e := receive[Event](t, conn)
		want := [...]string{"bob", "alice"}[n%2]
		if e.Kind != "issue.created" || e.User != want || (last > 0 && e.ID != last+1) {
			t.Errorf("event %d: %+v after %d", n, e, last)
		}
		last = e.ID
	}
	if err := conn.Write(t.Context(), websocket.MessageText, []byte("ping")); err != nil {
		t.Fatal(err)
	}
	if pong := receive[hello](t, conn); pong.Kind != "pong" {
		t.Errorf("pong: %+v", pong)
	}
	next.hub.close()
	if _, _, err := conn.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("closed with %v", err)
	}
}

func TestSocketOfAnotherOriginIsRefused(t *testing.T) {
	s := newSite(t, Config{})
	_, response, err := websocket.Dial(t.Context(), "ws"+strings.TrimPrefix(s.url, "http")+"/notify",
		&websocket.DialOptions{HTTPHeader: http.Header{"Origin": {"https://elsewhere.example"}}})
	if err == nil || response.StatusCode != http.StatusForbidden {
		t.Errorf("%v", err)
	}
}

// streamEvents reads n events of a stream.
func streamEvents(t *testing.T, v *visitor, n int, lastID string) []Event {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, v.url+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	if lastID != "" {
		r.Header.Set("Last-Event-ID", lastID)
	}
	response, err := v.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	var events []Event
	for len(events) < n && lines.Scan() {
		if text, is := strings.CutPrefix(lines.Text(), "data: "); is {
			var e Event
			if err := json.Unmarshal([]byte(text), &e); err != nil {
				t.Fatal(err)
			}
			events = append(events, e)
		}
		if lines.Text() == "" && lastID == "" && len(events) == 0 { // the stream has begun
			v.post("/issues", "title", "while listening").want(http.StatusSeeOther)
		}
	}
	return events
}

func TestStreamCatchesUp(t *testing.T) {
	s := newSite(t, Config{})
	alice := login(t, s.url, "alice")
	first := streamEvents(t, alice, 1, "")
	if len(first) != 1 || first[0].Title != "while listening" {
		t.Fatalf("%+v", first)
	}
	for n := range 5 {
		alice.post("/issues", "title", fmt.Sprint("missed ", n)).want(http.StatusSeeOther)
	}
	got := streamEvents(t, alice, 5, fmt.Sprint(first[0].ID))
	for n, e := range got {
		if e.Title != fmt.Sprint("missed ", n) || e.ID != first[0].ID+int64(n)+1 {
			t.Errorf("%d: %+v", n, e)
		}
	}
}

func TestSlowSubscriberIsCutOff(t *testing.T) {
	h := &hub{subscribers: map[chan Event]struct{}{}}
	slow, _, err := h.subscribe()
	if err != nil {
		t.Fatal(err)
	}
	h.deliver(slices.Repeat([]Event{{ID: 1}}, subscriberQueue))
	if h.count() != 1 {
		t.Fatal("cut off while there was room")
	}
	h.deliver([]Event{{ID: 2}})
	for range subscriberQueue {
		<-slow
	}
	if _, open := <-slow; open || h.count() != 0 {
		t.Error("not cut off")
	}
}
