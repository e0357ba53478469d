package gateway

import (
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"yadokari/judge"
	"yadokari/shift"
)

// stream sends an event and then as many as are asked for, until broken or left.
func stream(more <-chan bool) http.HandlerFunc {
	return func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for {
			_, _ = fmt.Fprint(w, "data: x\n\n")
			w.(http.Flusher).Flush()
			select {
			case broken := <-more:
				if broken {
					panic(http.ErrAbortHandler)
				}
				return
			case <-q.Context().Done():
				return
			}
		}
	}
}

// newStream is a rig with a stream of the new side that a user reads.
func newStream(t *testing.T) (r *rig, more chan<- bool, events io.Reader) {
	t.Helper()
	r = newRig(t)
	r.share(1)
	told := make(chan bool)
	r.new.does(stream(told))
	resp, err := r.client.Get(r.base + "/events")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	return r, told, resp.Body
}

// What has no end counts when it begins: a verdict cannot wait for hours.
func TestEndlessAnswersCountAtTheirBeginning(t *testing.T) {
	t.Run("events", func(t *testing.T) {
		r, more, events := newStream(t)
		if w := r.window(); w.New.Requests != 1 || w.New.Failures != 0 {
			t.Errorf("while events come: %d requests, %d failures", w.New.Requests, w.New.Failures)
		}
		more <- false
		_, _ = io.ReadAll(events)
		eventually(t, "the request goes on", func() bool { return r.inFlight.Load() == 0 })
		if w := r.window(); w.New.Requests != 0 {
			t.Errorf("the end counted once more")
		}
	})
	t.Run("events that break off", func(t *testing.T) {
		r, more, events := newStream(t)
		more <- true
		_, _ = io.ReadAll(events)
		eventually(t, "the request goes on", func() bool { return r.inFlight.Load() == 0 })
		if w := r.window(); w.New.Requests != 2 || w.New.Failures != 1 || len(w.Events) != 2 || len(failed(w)) != 1 {
			t.Errorf("%d requests, %d failures, events %+v", w.New.Requests, w.New.Failures, w.Events)
		}
	})
	t.Run("upgrade", func(t *testing.T) {
		r := newRig(t)
		r.share(1)
		r.new.does(switching(echoing))
		c, _ := r.dialUpgrade("echo")
		defer func() { _ = c.Close() }()
		eventually(t, "the upgrade is not counted while it is open", func() bool { return r.window().New.Requests == 1 })
	})
}

// The new side's failure is known when the old side begins to answer in its place, however long that is.
func TestFailureCountsBeforeTheOldSideHasAnswered(t *testing.T) {
	r := newRig(t)
	r.share(1)
	r.new.does(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	r.old.does(stream(nil))
	resp, err := r.client.Get(r.base + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if w := r.window(); w.New.Failures != 1 || w.Fallbacks != 1 || len(failed(w)) != 1 || w.Events[0].Other != judge.Answered {
		t.Errorf("while the old side sends events: %d failures of the new one, %d fallbacks, events %+v", w.New.Failures, w.Fallbacks, w.Events)
	}
}

// A copy of a request for events would wait for an end that does not come, and be the new side's failure.
func TestEventsAreNotMirrored(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Routes[0].Mirror.Timeout = 100 * time.Millisecond })
	if err := r.Apply("all", shift.Placement{Mirror: true}); err != nil {
		t.Fatal(err)
	}
	ends := make(chan bool, 1)
	ends <- false
	r.old.does(stream(ends))
	r.new.does(stream(nil))
	r.do("GET", "/events", "")
	r.old.does(func(http.ResponseWriter, *http.Request) {})
	r.do("GET", "/other", "") // the new side takes it for a stream
	eventually(t, "the copy was not compared", func() bool {
		d, err := r.Differences("all")
		return err == nil && d.Counts.Copied == 1 && d.Counts.Compared == 1
	})
	if w := r.window(); w.New.Failures > 0 || w.New.Requests != 1 {
		t.Errorf("%d requests with %d failures on the new side, of one that can be compared", w.New.Requests, w.New.Failures)
	}
}

// A stream by HTTP/2 may be silent for longer than a user may take to read: nobody waits for the user meanwhile.
func TestSilentStreamByHTTP2(t *testing.T) {
	r := newRig(t, func(c *Config) { c.H2C, c.Limits.Idle = true, 200*time.Millisecond })
	r.old.does(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for range 3 {
			_, _ = io.WriteString(w, "data: 1\n\n")
			w.(http.Flusher).Flush()
			time.Sleep(500 * time.Millisecond)
		}
	})
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	user := &http.Client{Transport: &http.Transport{Protocols: protocols}, Timeout: 5 * time.Second}
	defer user.CloseIdleConnections()
	resp, err := user.Get(r.base)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, err := io.ReadAll(resp.Body); err != nil || string(text) != "data: 1\n\ndata: 1\n\ndata: 1\n\n" {
		t.Errorf("got %q, %v", text, err)
	}
}
