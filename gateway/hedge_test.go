package gateway

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"yadokari/judge"
	"yadokari/shift"
)

// step is a handler that says when it is asked, answers with then when it is told to, and says when it was called off.
type step struct {
	asked, answer, off chan struct{}
	then               http.HandlerFunc
}

func newStep(then http.HandlerFunc) *step {
	return &step{asked: make(chan struct{}), answer: make(chan struct{}), off: make(chan struct{}), then: then}
}

func (s *step) handle(w http.ResponseWriter, q *http.Request) {
	body, _ := io.ReadAll(q.Body)
	close(s.asked)
	select {
	case <-s.answer:
		q.Body = io.NopCloser(strings.NewReader(string(body)))
		s.then(w, q)
	case <-q.Context().Done():
		close(s.off)
	}
}

// says answers with a text.
func says(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
}

// hedged is a rig whose new side is waited for alone for so long only.
func hedged(t *testing.T, changes ...func(*Config)) (r *rig, old, new *step) {
	t.Helper()
	r = newRig(t, append([]func(*Config){func(c *Config) {
		c.Fallback.Timeout = 100 * time.Millisecond
		b := c.Backends["containers"]
		b.Upstream.Response = 5 * time.Second
		c.Backends["containers"] = b
	}}, changes...)...)
	r.share(1)
	old, new = newStep(says("vm")), newStep(says("containers"))
	r.old.does(old.handle)
	r.new.does(new.handle)
	return r, old, new
}

// user is a request under way.
func (r *rig) user(method, path, body string) <-chan answer {
	got := make(chan answer, 1)
	go func() { got <- r.do(method, path, body) }()
	return got
}

// line is the last of the access log that holds text.
func (r *rig) line(text string) (found string) {
	r.t.Helper()
	eventually(r.t, "the access log has no "+text, func() bool {
		all, _ := os.ReadFile(r.log)
		for l := range strings.Lines(string(all)) {
			if strings.Contains(l, text) {
				found = l
			}
		}
		return found != ""
	})
	return found
}

func (r *rig) nobodyIsFollowed() {
	r.t.Helper()
	eventually(r.t, "a straggler is left", func() bool { return r.followed.Load() == 0 })
}

// A page that takes longer than fallback.timeout on both sides is answered when the new side has it, and
// nobody has failed.
func TestSlowEverywhere(t *testing.T) {
	for _, method := range []string{"GET", "PUT"} {
		for name, body := range map[string]string{"": "", "small": "pay", "large": strings.Repeat("x", 20<<10)} {
			t.Run(method+name, func(t *testing.T) {
				r, old, new := hedged(t)
				new.then = func(w http.ResponseWriter, q *http.Request) {
					got, _ := io.ReadAll(q.Body)
					_, _ = fmt.Fprintf(w, "containers %d", len(got))
				}
				got := r.user(method, "/report", body)
				<-old.asked
				close(new.answer)
				if a := <-got; a.status != 200 || a.body != fmt.Sprint("containers ", len(body)) {
					t.Errorf("got %+v", a)
				}
				<-old.off
				e := r.told(1)[0]
				if e.Failed || e.First < int16(judge.Bucket(100*time.Millisecond)) {
					t.Errorf("told %+v", e)
				}
				if w := r.window(); w.Fallbacks > 0 || len(r.old.requests()) != 1 || len(r.new.requests()) != 1 {
					t.Errorf("counted %+v; the sides saw %d and %d requests", w, len(r.old.requests()), len(r.new.requests()))
				}
				if l := r.line("/report"); !strings.Contains(l, `"side":"containers"`) || !strings.Contains(l, `"fallback":false`) {
					t.Error(l)
				}
			})
		}
	}
}

// A new side that hangs, where the old one answers at once, is told at once, long before its own time is over.
func TestHangingIsToldAtOnce(t *testing.T) {
	r, old, new := hedged(t, func(c *Config) { c.Fallback.Timeout = time.Second })
	close(old.answer)
	if a := r.do("GET", "/page", ""); a.body != "vm" {
		t.Errorf("got %+v", a)
	}
	if e := r.told(1)[0]; !e.Failed || e.Other != judge.Overtaken {
		t.Errorf("told %+v", e)
	}
	<-new.off
	r.nobodyIsFollowed()
	if l := r.line("/page"); !strings.Contains(l, `"side":"vm"`) || !strings.Contains(l, `"first_outcome":"timeout"`) {
		t.Error(l)
	}
	time.Sleep(100 * time.Millisecond)
	if w := r.window(); len(w.Events) > 0 {
		t.Errorf("told again: %+v", w.Events)
	}
}

// slowly answers after more than half the time for which the new side is waited for alone.
func slowly(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(150 * time.Millisecond)
		_, _ = io.WriteString(w, text)
	}
}

// Where the old side takes its time too and is first, the new side's own end counts, whatever it is.
func TestStragglersAreFollowed(t *testing.T) {
	for name, c := range map[string]struct {
		then   http.HandlerFunc
		failed bool
		other  judge.Other
		class  judge.Class
	}{
		"fine":        {says("containers"), false, judge.NotAsked, 0},
		"empty":       {says(""), false, judge.NotAsked, judge.Empty},
		"not found":   {status(404), false, judge.NotAsked, judge.NotFound},
		"500":         {status(500), true, judge.Answered, 0},
		"closes":      {hijacked(""), true, judge.Answered, 0},
		"half a body": {hijacked("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc"), true, judge.Answered, 0},
	} {
		t.Run(name, func(t *testing.T) {
			r, _, new := hedged(t)
			if err := r.Apply("all", shift.Placement{Share: 1, Pairs: true}); err != nil {
				t.Fatal(err)
			}
			new.then = c.then
			r.old.does(slowly("vm"))
			if a := r.do("GET", "/page", ""); a.body != "vm" {
				t.Errorf("got %+v", a)
			}
			if l := r.line("/page"); !strings.Contains(l, `"side":"vm"`) || !strings.Contains(l, `"first_outcome":"pending"`) {
				t.Error(l)
			}
			if w := r.window(); len(w.Events) > 0 || w.New.Requests > 0 || w.Fallbacks != 1 || r.followed.Load() != 1 {
				t.Errorf("told before the end: %+v", w)
			}
			time.Sleep(longWait)
			if w := r.window(); len(w.Waiting) != 1 || !w.Waiting[0].New {
				t.Errorf("waiting: %+v", w.Waiting)
			}
			close(new.answer)
			var w judge.Window
			eventually(t, "the end is not told", func() bool { r.Collect("all", &w); return len(w.Events) > 0 && len(w.Pairs) > 0 })
			if e := w.Events[0]; e.Failed != c.failed || e.Other != c.other || e.Class != c.class || len(w.Events) > 1 {
				t.Errorf("told %+v", w.Events)
			}
			if p := w.Pairs[0]; p.Old.Failed || p.New.Failed != c.failed || p.New.Class != c.class&^judge.Empty || len(w.Pairs) > 1 {
				t.Errorf("pairs %+v", w.Pairs)
			}
			r.nobodyIsFollowed()
			if w = *r.window(); len(w.Waiting) > 0 {
				t.Errorf("still waiting: %+v", w.Waiting)
			}
		})
	}
}

// What the two sides say between them, with the new one late, and what the user and the verdict get.
func TestHedges(t *testing.T) {
	for name, c := range map[string]struct {
		old, new http.HandlerFunc
		newFirst bool // the old side answers only after the new one
		status   int
		body     string
		failed   bool
		other    judge.Other
	}{
		"late 500":             {says("vm"), status(500), true, 200, "vm", true, judge.Answered},
		"late end":             {says("vm"), hijacked(""), true, 200, "vm", true, judge.Answered},
		"old side fails":       {status(500), says("containers"), false, 200, "containers", false, judge.NotAsked},
		"old side breaks":      {hijacked(""), says("containers"), false, 200, "containers", false, judge.NotAsked},
		"both fail":            {status(503), status(500), false, 503, "status 503", true, judge.FailedToo},
		"one breaks":           {status(503), hijacked(""), false, 503, "status 503", true, judge.FailedToo},
		"old one breaks":       {hijacked(""), status(500), false, 500, "status 500", true, judge.FailedToo},
		"both break":           {hijacked(""), hijacked(""), false, 502, "502 Bad Gateway (gateway)\n", true, judge.FailedToo},
		"new first, both fail": {status(503), status(500), true, 503, "status 503", true, judge.FailedToo},
	} {
		t.Run(name, func(t *testing.T) {
			r, old, new := hedged(t)
			old.then, new.then = c.old, c.new
			got := r.user("GET", "/page", "")
			<-old.asked
			if c.newFirst {
				close(new.answer)
				time.Sleep(20 * time.Millisecond)
				close(old.answer)
			} else {
				close(old.answer)
				time.Sleep(20 * time.Millisecond)
				close(new.answer)
			}
			if a := <-got; a.status != c.status || a.body != c.body {
				t.Errorf("got %+v", a)
			}
			if e := r.told(1)[0]; e.Failed != c.failed || e.Other != c.other {
				t.Errorf("told %+v", e)
			}
			if n := len(r.old.requests()) + len(r.new.requests()); n != 2 {
				t.Errorf("%d requests", n)
			}
		})
	}
}

// An old side that is away costs a slow page nothing.
func TestHedgeWithoutAnOldSide(t *testing.T) {
	r, _, new := hedged(t)
	r.old.Close()
	got := r.user("GET", "/page", "")
	<-new.asked
	time.Sleep(200 * time.Millisecond)
	close(new.answer)
	if a := <-got; a.status != 200 || a.body != "containers" {
		t.Errorf("got %+v", a)
	}
	if e := r.told(1)[0]; e.Failed {
		t.Errorf("told %+v", e)
	}
}

// A late answer that breaks off is replaced like any other.
func TestLateAnswerThatBreaksOff(t *testing.T) {
	r, old, new := hedged(t)
	new.then = func(w http.ResponseWriter, q *http.Request) {
		r.old.does(says("vm, asked again"))
		hijacked("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")(w, q)
	}
	got := r.user("GET", "/page", "")
	<-old.asked
	close(new.answer)
	if a := <-got; a.body != "vm, asked again" {
		t.Errorf("got %+v", a)
	}
	if e := r.told(1)[0]; !e.Failed || e.Other != judge.Answered {
		t.Errorf("told %+v", e)
	}
}

// A user who leaves while both sides work for him frees both, and nobody has failed.
func TestUserWhoLeavesAHedge(t *testing.T) {
	r, old, new := hedged(t)
	c, err := net.Dial("tcp", r.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_, _ = fmt.Fprint(c, "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
	<-old.asked
	_ = c.Close()
	<-old.off
	<-new.off
	if e := r.told(1)[0]; e.Failed || e.Class != judge.Left {
		t.Errorf("told %+v", e)
	}
	if l := r.line("/slow"); !strings.Contains(l, `"status":499`) {
		t.Error(l)
	}
}

// limits.requestTime is the same for both sides: where it ends both, both have failed.
func TestRequestTimeEndsBothSides(t *testing.T) {
	r, old, new := hedged(t, func(c *Config) { c.Limits.RequestTime = 400 * time.Millisecond })
	if a := r.do("GET", "/page", ""); a.status != 504 {
		t.Errorf("got %+v", a)
	}
	<-old.off
	<-new.off
	if e := r.told(1)[0]; !e.Failed || e.Other != judge.FailedToo {
		t.Errorf("told %+v", e)
	}
}

// A gateway that stops waits for no straggler.
func TestStoppingEndsStragglers(t *testing.T) {
	r, _, new := hedged(t)
	r.old.does(slowly("vm"))
	if a := r.do("GET", "/page", ""); a.body != "vm" || r.followed.Load() != 1 {
		t.Errorf("got %+v, %d are followed", a, r.followed.Load())
	}
	r.client.CloseIdleConnections()
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	<-new.off
	if n := r.followed.Load(); n != 0 {
		t.Errorf("%d are followed", n)
	}
}

// What ends after its route has moved says nothing of the stage that follows.
func TestStragglerOfAnotherStage(t *testing.T) {
	r, _, new := hedged(t)
	r.old.does(slowly("vm"))
	r.do("GET", "/page", "")
	r.share(0.5)
	close(new.answer)
	eventually(t, "the end is not counted", func() bool { return r.Gateway.table.Load().byName["all"].late.Load() == 1 })
	if w := r.window(); len(w.Events) > 0 || w.New.Requests > 0 {
		t.Errorf("counted %+v", w)
	}
}

// Beyond their bound stragglers are given up: the user has his answer, and nothing is told.
func TestTooManyStragglers(t *testing.T) {
	r, _, new := hedged(t)
	r.followed.Store(maxFollowed)
	r.old.does(slowly("vm"))
	if a := r.do("GET", "/page", ""); a.body != "vm" {
		t.Errorf("got %+v", a)
	}
	<-new.off
	if w := r.window(); len(w.Events) > 0 || r.unfollowed.Load() != 1 {
		t.Errorf("told %+v, %d given up", w.Events, r.unfollowed.Load())
	}
	if n := r.followed.Load(); n != maxFollowed {
		t.Errorf("%d are followed", n)
	}
}

// The connection of a straggler that was followed to its end carries the next request.
func TestConnectionOfAStragglerIsUsedAgain(t *testing.T) {
	r, _, new := hedged(t)
	var mu sync.Mutex
	from := map[string]bool{}
	note := func(then http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, q *http.Request) {
			mu.Lock()
			from[q.RemoteAddr] = true
			mu.Unlock()
			then(w, q)
		}
	}
	r.new.does(note(new.handle))
	r.old.does(slowly("vm"))
	r.do("GET", "/page", "")
	close(new.answer)
	r.told(1)
	r.nobodyIsFollowed()
	r.new.does(note(says("containers")))
	if a := r.do("GET", "/next", ""); a.body != "containers" {
		t.Errorf("got %+v", a)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(from) != 1 {
		t.Errorf("%d connections", len(from))
	}
}

// Stragglers beside each other, with users who leave among them: nothing is lost and nobody waits in the end.
func TestManyHedges(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Fallback.Timeout = 30 * time.Millisecond })
	r.share(1)
	wait := func(name string) http.HandlerFunc {
		return func(w http.ResponseWriter, q *http.Request) {
			select {
			case <-time.After(time.Duration(len(q.URL.RawQuery)*17%200) * time.Millisecond):
				_, _ = io.WriteString(w, name)
			case <-q.Context().Done():
			}
		}
	}
	r.old.does(wait("vm"))
	r.new.does(func(w http.ResponseWriter, q *http.Request) {
		q.URL.RawQuery += strings.Repeat("x", 5)
		wait("containers")(w, q)
	})
	const users = 200
	var all sync.WaitGroup
	for i := range users {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if i%7 == 0 {
				ctx, cancel = context.WithTimeout(t.Context(), time.Duration(i)*time.Millisecond)
			}
			defer cancel()
			q, _ := http.NewRequestWithContext(ctx, "GET", r.base+"/?"+strings.Repeat("x", i), nil)
			resp, err := r.client.Do(q)
			if err != nil {
				return
			}
			if text, err := io.ReadAll(resp.Body); err == nil && string(text) != "vm" && string(text) != "containers" {
				t.Errorf("got %q", text)
			}
			_ = resp.Body.Close()
		})
	}
	all.Wait()
	r.nobodyIsFollowed()
	eventually(t, "a request goes on", func() bool { return r.inFlight.Load() == 0 })
	eventually(t, "a server is busy", func() bool {
		for _, list := range r.Servers() {
			for _, s := range list {
				if s.InFlight != 0 {
					return false
				}
			}
		}
		return true
	})
	if w := r.window(); len(w.Waiting) > 0 || w.New.Requests > users {
		t.Errorf("%d wait, %d requests", len(w.Waiting), w.New.Requests)
	}
}
