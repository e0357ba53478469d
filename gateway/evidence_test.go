package gateway

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"yadokari/judge"
	"yadokari/setting"
	"yadokari/shift"
)

// told waits for n events and returns them.
func (r *rig) told(n int) []judge.Event {
	r.t.Helper()
	var w judge.Window
	eventually(r.t, fmt.Sprintf("no %d events", n), func() bool {
		r.Collect("all", &w)
		return len(w.Events) >= n
	})
	if len(w.Events) > n {
		r.t.Errorf("%d events, want %d: %+v", len(w.Events), n, w.Events)
	}
	return w.Events
}

// Each request of a user who was placed is told once, with the side, the point of his key and what he got.
func TestEvents(t *testing.T) {
	r := newRig(t)
	answers := func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		if code, err := strconv.Atoi(q.URL.Query().Get("status")); err == nil {
			w.Header().Set("Location", "/login")
			w.WriteHeader(code)
		}
		_, _ = io.WriteString(w, q.URL.Query().Get("body"))
	}
	r.old.does(answers)
	r.new.does(answers)
	r.share(0.5)
	users := map[string]bool{} // and whether they are on the new side
	for i := 0; len(users) < 2; i++ {
		name := fmt.Sprint("user", i)
		if is := point(name) < 1<<63; i == 0 || is != users["user0"] {
			users[name] = is
		}
	}
	for name, new := range users {
		for target, want := range map[string]judge.Answer{
			"/?body=hello":          {Size: 5},
			"/":                     {Class: judge.Empty},
			"/?status=404&body=xyz": {Class: judge.NotFound, Size: -1},
			"/?status=302":          {Class: judge.Redirect | judge.Login, Size: -1},
		} {
			r.do("GET", target, "", "Cookie", "SESSION="+name)
			got := r.told(1)[0]
			if got.First < 0 || got.Last < got.First {
				t.Errorf("%s: %+v has no times", target, got)
			}
			got.First, got.Last = 0, 0
			got.Began = 0 // TestEventsSayWhenTheyBegan is about it
			if want := (judge.Event{User: point(name), New: new, Answer: want}); got != want {
				t.Errorf("%s: told %+v, want %+v", target, got, want)
			}
		}
	}
}

// Nothing is told of routes that lead nobody, of testers, and of requests that began in another stage.
func TestWhatIsNotTold(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("sixteen characters"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, func(c *Config) { c.Override = &Override{Header: "X-Side-Wanted", SecretFile: secret} })
	for _, p := range []shift.Placement{{}, {Mirror: true}} {
		if err := r.Apply("all", p); err != nil {
			t.Fatal(err)
		}
		r.do("GET", "/", "")
	}
	r.share(0.5)
	r.do("GET", "/", "", "X-Side-Wanted", "containers:sixteen characters")
	time.Sleep(10 * time.Millisecond) // the exchanges end after their answers
	if w := r.window(); len(w.Events) > 0 {
		t.Errorf("told %+v", w.Events)
	}
	r.do("GET", "/", "")
	r.told(1)
}

// A user whom the list has placed is told as such, unless the share has reached him.
func TestEventsOfListedUsers(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Sticky.Ahead = []string{"ours"} })
	for _, p := range []shift.Placement{{Ahead: true, Share: 1e-9}, {Ahead: true, Share: 1}} {
		if err := r.Apply("all", p); err != nil {
			t.Fatal(err)
		}
		r.do("GET", "/", "", "Cookie", "SESSION=ours")
		if e := r.told(1)[0]; !e.New || e.Ahead != (p.Share < 1) {
			t.Errorf("at %s: %+v", p.Share, e)
		}
	}
}

// A failure of the new side is told when the old side has been heard, with what it said.
func TestFailuresAreToldWithTheOldSide(t *testing.T) {
	for name, c := range map[string]struct {
		method string
		old    http.HandlerFunc
		want   judge.Other
	}{
		"answered":         {"GET", status(200), judge.Answered},
		"not found":        {"GET", status(404), judge.Answered},
		"failed too":       {"GET", status(500), judge.FailedToo},
		"broken too":       {"GET", hijacked(""), judge.FailedToo},
		"must not be sent": {"POST", status(200), judge.NotAsked},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.share(1)
			asked, goOn := make(chan struct{}, 1), make(chan struct{})
			r.new.does(status(500))
			r.old.does(func(w http.ResponseWriter, q *http.Request) {
				asked <- struct{}{}
				<-goOn
				c.old(w, q)
			})
			done := make(chan answer)
			go func() { done <- r.do(c.method, "/", "") }()
			if c.want != judge.NotAsked {
				<-asked
				if w := r.window(); w.New.Failures != 1 || len(w.Events) != 0 {
					t.Errorf("before the old side has answered: %d failures, events %+v", w.New.Failures, w.Events)
				}
			}
			close(goOn)
			<-done
			if e := r.told(1)[0]; !e.Failed || e.Other != c.want || e.First != -1 || e.Last != -1 || e.Size != -1 {
				t.Errorf("told %+v", e)
			}
		})
	}
}

// A user who goes away is told: how long he waited when nothing had come.
func TestUsersWhoLeave(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Fallback.Timeout = 10 * time.Second })
	r.share(1)
	asked := make(chan struct{})
	for name, handle := range map[string]http.HandlerFunc{
		"before the head": func(_ http.ResponseWriter, q *http.Request) {
			asked <- struct{}{}
			<-q.Context().Done()
		},
		"in the middle": func(w http.ResponseWriter, q *http.Request) {
			_, _ = w.Write(make([]byte, 100<<10))
			w.(http.Flusher).Flush()
			asked <- struct{}{}
			<-q.Context().Done()
		},
	} {
		r.new.does(handle)
		c := r.dial("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		<-asked
		time.Sleep(100 * time.Millisecond)
		_ = c.Close()
		e := r.told(1)[0]
		waited := name == "before the head"
		if e.Failed || e.Class != judge.Left || (e.First < 0) != waited || (e.Last >= 0) != waited || waited && int(e.Last) < judge.Bucket(100*time.Millisecond) {
			t.Errorf("%s: told %+v", name, e)
		}
	}
}

// Two people on slow lines do not make a side slow, neither by reading nor by sending: the time in which they
// do nothing is not in the answer's, however long all of it takes.
func TestTimeOfUsersIsNotTheServers(t *testing.T) {
	const much, pause = 16 << 20, time.Second // more than sockets hold
	for name, how := range map[string]struct {
		hold  time.Duration
		share setting.Share
	}{"let go by the timer": {time.Millisecond, 1}, "let go by its length": {10 * time.Second, 1}, "not held": {0, 1e-9}} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(c *Config) { c.Fallback.Hold = how.hold })
			r.share(how.share)
			var sent atomic.Int64
			handle := func(w http.ResponseWriter, q *http.Request) {
				if q.Method == "POST" {
					_, _ = io.Copy(io.Discard, q.Body)
					return
				}
				part := make([]byte, 64<<10)
				for range much / len(part) {
					_, _ = w.Write(part)
					sent.Add(1)
				}
			}
			r.old.does(handle)
			r.new.does(handle)
			check := func(what string, began time.Time) {
				t.Helper()
				took := time.Since(began)
				if e := r.told(1)[0]; e.First < 0 || e.Last < e.First || int(e.Last) > judge.Bucket(took-pause) {
					t.Errorf("%s: %+v is %v of %v, in which the user paused for %v", what, e, judge.Middle(int(e.Last)), took, pause)
				}
			}
			began := time.Now()
			c := r.dial("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
			for before := int64(-1); before != sent.Load(); time.Sleep(300 * time.Millisecond) {
				before = sent.Load() // until all that is between holds no more
			}
			time.Sleep(pause)
			_ = c.SetReadDeadline(time.Now().Add(time.Minute))
			if n, err := io.Copy(io.Discard, c); err != nil || n < much {
				t.Fatalf("got %d bytes, %v", n, err)
			}
			check("a download", began)
			began = time.Now()
			c = r.dial("POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
			eventually(t, "the upload has not begun", func() bool { return r.inFlight.Load() == 1 })
			time.Sleep(pause)
			_, _ = io.WriteString(c, "0\r\n\r\n")
			_, _ = io.ReadAll(c)
			check("an upload", began)
		})
	}
}

// What hangs is known before it ends: who waits, on which side and for how long.
func TestWaitingRequests(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Fallback.Timeout = 10 * time.Second })
	r.share(0.5)
	goOn := make(chan struct{})
	hangs := func(w http.ResponseWriter, _ *http.Request) { <-goOn }
	r.old.does(hangs)
	r.new.does(hangs)
	const users = 8
	done := make(chan answer)
	for i := range users {
		go func() { done <- r.do("GET", "/", "", "Cookie", fmt.Sprint("SESSION=", i)) }()
	}
	time.Sleep(longWait / 4)
	if w := r.window(); len(w.Waiting) > 0 {
		t.Errorf("too early: %+v", w.Waiting)
	}
	var w *judge.Window
	eventually(t, "they are not told", func() bool { w = r.window(); return len(w.Waiting) == users })
	for i, wait := range w.Waiting {
		if wait.New != (wait.User < 1<<63) || wait.Age < longWait || i > 0 && wait.New == w.Waiting[i-1].New && wait.Age > w.Waiting[i-1].Age {
			t.Errorf("%d: %+v", i, w.Waiting)
		}
	}
	r.share(0.6)
	if w := r.window(); len(w.Waiting) > 0 {
		t.Errorf("in the next stage: %+v", w.Waiting)
	}
	close(goOn)
	for range users {
		<-done
	}
	time.Sleep(10 * time.Millisecond)
	if w := r.window(); len(w.Waiting)+len(w.Events) > 0 {
		t.Errorf("when they have ended: %+v %+v", w.Waiting, w.Events)
	}
}

// Beyond the bound events are counted, and the collector's memory is used again.
func TestEvidenceIsBounded(t *testing.T) {
	e := &evidence{}
	var w judge.Window
	for range 2 {
		for range maxEvents + 3 {
			e.tell(judge.Event{})
			e.pair(judge.Pair{})
			e.compare(judge.Comparison{})
		}
		w.Reset()
		e.collect(&w)
		if len(w.Events) != maxEvents || w.Missed != 3 || len(w.Pairs) != maxPairs || len(w.Compared) != maxPairs {
			t.Fatalf("%d events, %d missed, %d pairs, %d comparisons", len(w.Events), w.Missed, len(w.Pairs), len(w.Compared))
		}
	}
	w.Reset()
	if e.collect(&w); len(w.Events) > 0 || w.Missed > 0 {
		t.Error("collected twice")
	}
	for range 2 {
		e.tell(judge.Event{User: 7})
		e.collect(&w) // a caller that does not reset its window loses nothing
	}
	if len(w.Events) != 2 || w.Events[0].User != 7 {
		t.Errorf("collected %+v", w.Events)
	}
	e.collect(&w)
	w.Reset()
	if n := testing.AllocsPerRun(100, func() {
		for range 50 {
			e.tell(judge.Event{})
		}
		w.Reset()
		e.collect(&w)
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// Requests stop waiting in any order.
func TestQueueOfWaiting(t *testing.T) {
	e := &evidence{}
	waits := make([]wait, 200)
	now := time.Now()
	for i := range waits {
		waits[i] = wait{point: uint64(i), since: now.Add(-time.Hour)}
		e.wait(&waits[i])
	}
	for _, i := range []int{0, 199, 100, 1, 198} {
		e.served(&waits[i])
		e.served(&waits[i]) // once is enough
	}
	var w judge.Window
	e.collect(&w)
	if len(w.Waiting) != maxWaiting || w.Waiting[0].User != 2 || w.Waiting[maxWaiting-1].User != 130 {
		t.Errorf("%d wait, the first is %d", len(w.Waiting), w.Waiting[0].User)
	}
	for i := range waits {
		e.served(&waits[i])
	}
	if e.waiting[0].first != nil || e.waiting[0].last != nil {
		t.Error("nobody waits, and somebody is left")
	}
}

// TestBothSidesWait: a side with many users who wait has not fewer of them told than the other one.
func TestBothSidesWait(t *testing.T) {
	e := &evidence{}
	waits := make([]wait, 400)
	start := time.Now().Add(-time.Hour)
	for i := range waits {
		waits[i] = wait{point: uint64(i), since: start.Add(time.Duration(i) * time.Millisecond)}
		if i%10 == 0 {
			waits[i].side = newSide
		}
		e.wait(&waits[i])
	}
	var w judge.Window
	e.collect(&w)
	for i, waiting := range w.Waiting {
		if waiting.User != uint64(i) || waiting.New != (i%10 == 0) {
			t.Fatalf("place %d has user %d, new side %v", i, waiting.User, waiting.New)
		}
	}
}

func BenchmarkEvidence(b *testing.B) {
	e := &evidence{}
	var w judge.Window
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		var one wait
		for n := 0; pb.Next(); n++ {
			one.since = time.Time{}
			e.wait(&one)
			e.served(&one)
			e.tell(judge.Event{})
			if n%1000 == 0 {
				e.mu.Lock()
				e.events = e.events[:0]
				e.mu.Unlock()
			}
		}
	})
	e.collect(&w)
}

// TestEventsSayWhenTheyBegan: a failure of the new side is told later than one of the old side, but it began when
// it did.
func TestEventsSayWhenTheyBegan(t *testing.T) {
	r := newRig(t)
	r.share(1)
	began := make(chan struct{})
	r.new.does(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	r.old.does(func(w http.ResponseWriter, q *http.Request) {
		if q.URL.Path == "/first" {
			<-began
		}
	})
	done := make(chan answer)
	go func() { done <- r.do("GET", "/first", "") }()
	eventually(t, "the old side was not asked", func() bool { return len(r.old.requests()) == 1 })
	r.do("GET", "/second", "")
	close(began)
	<-done
	events := r.window().Events
	if len(events) != 2 || events[0].Began <= events[1].Began || events[1].Began <= 0 {
		t.Errorf("%+v", events)
	}
}

// TestEventsSayWhatChanges: the verdict judges forms among themselves.
func TestEventsSayWhatChanges(t *testing.T) {
	r := newRig(t)
	r.share(0.5)
	for method, want := range map[string]bool{"GET": false, "HEAD": false, "POST": true, "PUT": true, "DELETE": true, "PATCH": true, "PROPFIND": false} {
		r.do(method, "/", "")
		if e := r.told(1)[0]; e.Changes != want {
			t.Errorf("%s: changes %t", method, e.Changes)
		}
	}
}
