package gateway

import (
	"fmt"
	"io"
	"net/http"
	"reflect"
	"testing"
	"time"

	"yadokari/judge"
	"yadokari/shift"
)

// paired is a rig in a stage in which all users have moved and the old side gets copies.
func paired(t *testing.T, changes ...func(*Config)) *rig {
	t.Helper()
	r := newRig(t, changes...)
	if err := r.Apply("all", shift.Placement{Share: 1, Pairs: true}); err != nil {
		t.Fatal(err)
	}
	return r
}

// settled waits until no copy is under way, and returns what was told meanwhile.
func (r *rig) settled() *judge.Window {
	r.t.Helper()
	eventually(r.t, "requests or copies go on", func() bool {
		d, err := r.Differences("all")
		return err == nil && d.Counts.UnderWay == 0 && r.inFlight.Load() == 0
	})
	return r.window()
}

// What the new side has answered the old side is asked too, as a copy that counts nowhere but in the pair.
func TestPairsOfMovedUsers(t *testing.T) {
	for name, c := range map[string]struct {
		old       http.HandlerFunc
		different bool
		want      judge.Answer
	}{
		"alike":     {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "page") }, false, judge.Answer{Size: -1}},
		"different": {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "gape") }, true, judge.Answer{Size: -1}},
		"not found": {status(404), true, judge.Answer{Class: judge.NotFound, Size: -1}},
		"failed":    {status(500), false, failedAnswer},
		"broken":    {hijacked(""), false, failedAnswer},
	} {
		t.Run(name, func(t *testing.T) {
			r := paired(t, func(c *Config) { c.Routes[0].Mirror.Noise = 0 })
			copies := make(chan string, 10)
			r.old.does(func(w http.ResponseWriter, q *http.Request) {
				copies <- q.Header.Get("X-Yadokari-Copy")
				c.old(w, q)
			})
			r.new.does(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "page") })
			if a := r.do("GET", "/a?b", "", "Cookie", "SESSION=s"); a.body != "page" {
				t.Fatalf("the user got %+v", a)
			}
			w := r.settled()
			if len(copies) != 1 || <-copies != "1" {
				t.Error("the old side got no copy, or several, or not marked")
			}
			if w.Old.Requests != 0 || w.New.Requests != 1 || len(w.Events) != 1 || len(w.Pairs) != 1 {
				t.Fatalf("counted %+v", w)
			}
			p := w.Pairs[0]
			if p.Copied || p.User != point("s") || p.New.Failed || p.New.First < 0 || p.New.Last < 0 {
				t.Errorf("told %+v", p)
			}
			if !p.Old.Failed {
				p.Old.First, p.Old.Last = 0, 0
			}
			if p.Old != c.want {
				t.Errorf("of the old side: %+v, want %+v", p.Old, c.want)
			}
			if c.want.Failed {
				if len(w.Compared) != 0 {
					t.Errorf("a failure was compared: %+v", w.Compared)
				}
			} else if len(w.Compared) != 1 || !reflect.DeepEqual(w.Compared[0], judge.Comparison{Unit: unit(point("s"), "/a"), Different: c.different}) {
				t.Errorf("compared %+v", w.Compared)
			}
		})
	}
}

// What the new side has failed is a pair with the fallback's answer, which is not asked for twice.
func TestPairOfAFailure(t *testing.T) {
	for name, c := range map[string]struct {
		new, old http.HandlerFunc
		want     bool // the old side failed too
	}{
		"answered": {status(500), status(200), false},
		"both":     {status(500), status(503), true},
		"after its beginning": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(make([]byte, 200<<10)) // more than is held back
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}, status(200), false},
	} {
		t.Run(name, func(t *testing.T) {
			r := paired(t)
			r.new.does(c.new)
			r.old.does(c.old)
			r.do("GET", "/", "")
			w := r.settled()
			if n := len(r.old.requests()); n != 1 {
				t.Errorf("the old side was asked %d times", n)
			}
			if len(w.Pairs) != 1 || !w.Pairs[0].New.Failed || w.Pairs[0].Old.Failed != c.want || len(w.Compared) != 0 {
				t.Errorf("told %+v", w)
			}
		})
	}
}

// Requests that are not alike on both sides, or not harmless, are no pairs.
func TestWhatIsNoPair(t *testing.T) {
	r := paired(t, func(c *Config) { c.Routes[0].Mirror.Skip = []string{"/ours/*", "!?token"} })
	for _, q := range [][]string{
		{"POST", "/", "x"}, {"GET", "/", "", "If-None-Match", `"x"`}, {"GET", "/", "", "Range", "bytes=0-1"},
		{"GET", "/", "", "Accept", "text/event-stream"}, {"GET", "/user/logout", ""}, {"GET", "/ours/1", ""}, {"GET", "/?ticket=ST-1", ""},
	} {
		r.do(q[0], q[1], q[2], q[3:]...)
	}
	if w := r.settled(); len(w.Pairs) > 0 || len(r.old.requests()) > 0 || w.New.Requests != 7 {
		t.Errorf("told %+v; the old side saw %q", w.Pairs, r.old.requests())
	}
	r.do("GET", "/?token=1", "")
	if w := r.settled(); len(w.Pairs) != 1 {
		t.Errorf("what was taken from the list: %+v", w)
	}
	if d, _ := r.Differences("all"); d.Counts.Spared != 3 {
		t.Errorf("%d spared", d.Counts.Spared)
	}
	if err := r.Apply("all", shift.Placement{Share: 1}); err != nil {
		t.Fatal(err)
	}
	r.do("GET", "/", "")
	if w := r.settled(); len(w.Pairs) != 0 {
		t.Errorf("without being asked for: %+v", w)
	}
}

// The old side may be gone at the end of a journey. That says nothing.
func TestNoPairsWithoutAnOldSide(t *testing.T) {
	r := paired(t)
	if err := r.Drain("vm", r.old.Listener.Addr().String()); err != nil {
		t.Fatal(err)
	}
	r.do("GET", "/", "")
	r.new.does(status(500))
	r.do("GET", "/", "")
	if w := r.settled(); len(w.Pairs) != 0 || len(w.Events) != 2 || w.Events[1].Other != judge.FailedToo {
		t.Errorf("told %+v", w)
	}
	if d, _ := r.Differences("all"); d.Counts.Copied != 0 {
		t.Errorf("copied %+v", d.Counts)
	}
}

// The first requests of a stage are all copied, the others by lot; each stage begins anew.
func TestFirstPairsOfAStage(t *testing.T) {
	r := paired(t, func(c *Config) { c.Routes[0].Mirror.Moved, c.Routes[0].Mirror.Concurrency = 1e-12, 1000 })
	for range firstPairs + 20 {
		r.do("HEAD", "/", "")
	}
	if w := r.settled(); len(w.Pairs) != firstPairs {
		t.Errorf("%d pairs", len(w.Pairs))
	}
	if err := r.Apply("all", shift.Placement{Share: 0.999999, Pairs: true}); err != nil {
		t.Fatal(err)
	}
	r.do("HEAD", "/", "")
	if w := r.settled(); len(w.Pairs) != 1 {
		t.Errorf("%d pairs in the next stage", len(w.Pairs))
	}
}

// A copy has its place before its request is sent: which requests are copied does not depend on what came of them.
func TestPlacesOfPairs(t *testing.T) {
	r := paired(t, func(c *Config) { c.Routes[0].Mirror.Concurrency, c.Fallback.Timeout = 1, 10*time.Second })
	asked, goOn := make(chan struct{}), make(chan struct{})
	r.new.does(func(w http.ResponseWriter, q *http.Request) {
		if q.URL.Path == "/first" {
			asked <- struct{}{}
			select {
			case <-goOn:
			case <-q.Context().Done():
			}
		}
	})
	const places = 4 // of one that is sent at once
	done := make(chan answer)
	for range places {
		go func() { done <- r.do("GET", "/first", "") }()
		<-asked
	}
	for range 3 {
		r.do("GET", "/other", "")
	}
	for range places {
		goOn <- struct{}{}
		<-done
	}
	if w := r.settled(); len(w.Pairs) != places || len(w.Events) != places+3 {
		t.Errorf("told %+v", w)
	}
	for i := range 2 * places { // those who leave give their places back
		c := r.dial(fmt.Sprintf("GET /first HTTP/1.1\r\nHost: a\r\nX-N: %d\r\n\r\n", i))
		<-asked
		_ = c.Close()
		eventually(t, "the request goes on", func() bool { return r.inFlight.Load() == 0 })
	}
	r.do("GET", "/other", "")
	if w := r.settled(); len(w.Pairs) != 1 {
		t.Errorf("after others have left: %+v", w)
	}
}

// An answer without an end is compared by its head, so that failures of its kind are not the only pairs.
func TestPairOfAStream(t *testing.T) {
	r := paired(t)
	more := make(chan bool)
	r.new.does(stream(more))
	r.old.does(stream(nil))
	resp, err := r.client.Get(r.base + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var w judge.Window
	eventually(t, "no pair", func() bool { r.Collect("all", &w); return len(w.Pairs) == 1 && len(w.Compared) == 1 })
	if p := w.Pairs[0]; p.Old.Last != -1 || p.New.Last != -1 || w.Compared[0].Different {
		t.Errorf("told %+v, %+v", p, w.Compared)
	}
	more <- false
}
