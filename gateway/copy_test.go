package gateway

import (
	"io"
	"maps"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"yadokari/judge"
	"yadokari/shift"
)

func (r *rig) mirror() {
	r.t.Helper()
	if err := r.Apply("all", shift.Placement{Mirror: true}); err != nil {
		r.t.Fatal(err)
	}
}

// A copy tells the app the same of its client as the request did: an app that is told of another scheme
// or host answers with another page.
func TestCopyIsToldWhatTheRequestWas(t *testing.T) {
	for name, trusted := range map[string][]string{"from a listed peer": {"127.0.0.0/8"}, "from anybody": nil} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(c *Config) { c.TrustedPeers, c.Routes[0].Mirror.Noise = trusted, 1 })
			heard := make(chan http.Header, 10)
			echo := func(w http.ResponseWriter, q *http.Request) {
				h := q.Header.Clone()
				for _, name := range []string{"Accept-Encoding", "User-Agent"} {
					h.Del(name)
				}
				h.Set("Host", q.Host)
				heard <- h
				_, _ = io.WriteString(w, q.Header.Get("X-Forwarded-Proto")+"://"+q.Header.Get("X-Forwarded-Host")+" "+q.Header.Get("X-Forwarded-For"))
			}
			r.old.does(echo)
			r.new.does(echo)
			r.mirror()
			r.do("GET", "/", "", "Host", "app.example", "X-Forwarded-For", "192.0.2.7", "X-Forwarded-Proto", "https",
				"X-Forwarded-Host", "www.example", "Forwarded", "for=192.0.2.7", "Cookie", "a=b", "X-Yadokari-Copy", "1", "X_Yadokari_Copy", "1")
			eventually(t, "nothing was compared", func() bool {
				d, err := r.Differences("all")
				return err == nil && d.Counts.Compared == 1 && d.Counts.Asked == 1 && d.Counts.UnderWay == 0
			})
			if d, _ := r.Differences("all"); d.Counts.Different+d.Counts.Noisy > 0 {
				t.Errorf("differences: %+v", d)
			}
			original := <-heard
			if original["X-Yadokari-Copy"] != nil || original["X_yadokari_copy"] != nil {
				t.Errorf("a user's request passes for a copy: %v", original)
			}
			original.Set("X-Yadokari-Copy", "1")
			for range 2 { // the copy, and the old side's second answer
				if again := <-heard; !maps.EqualFunc(original, again, func(a, b []string) bool { return len(a) == 1 && len(b) == 1 && a[0] == b[0] }) {
					t.Errorf("the request had %v, a copy %v", original, again)
				}
			}
		})
	}
}

// Only requests with a copy are compared, each on both sides; also those that the old side fails.
func TestPairs(t *testing.T) {
	r := newRig(t)
	answers := func(w http.ResponseWriter, q *http.Request) {
		switch {
		case q.URL.Path == "/fails":
			w.WriteHeader(http.StatusInternalServerError)
		case q.Header.Get("If-None-Match") != "":
			w.WriteHeader(http.StatusNotModified)
		}
	}
	r.old.does(answers)
	r.new.does(answers)
	r.mirror()
	for range 10 {
		r.do("GET", "/", "", "If-None-Match", "x")
		r.do("POST", "/", "a=b")
	}
	for range 3 {
		r.do("GET", "/", "")
		r.do("GET", "/fails", "")
	}
	var w judge.Window
	eventually(t, "the copies were not counted", func() bool { r.Collect("all", &w); return len(w.Pairs) == 6 })
	old, new := 0, 0
	for _, p := range w.Pairs {
		old, new = old+count(p.Old.Failed), new+count(p.New.Failed)
	}
	if w.Old.Requests != 26 || w.New.Requests != 6 || old != 3 || new != 3 || len(w.Compared) != 3 || len(w.Events) != 0 {
		t.Errorf("counted %+v", w)
	}
}

// A copy that ends after the route has moved says nothing of the stage that is judged then.
func TestLateCopy(t *testing.T) {
	r := newRig(t)
	var asked atomic.Int64
	answer := make(chan struct{})
	r.new.does(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		<-answer
		w.WriteHeader(http.StatusInternalServerError)
	})
	r.mirror()
	for range 7 {
		r.do("GET", "/", "")
	}
	eventually(t, "no copies", func() bool { return asked.Load() == 7 })
	for _, p := range []shift.Placement{{}, {Mirror: true}} { // rolled back, mended, started again
		if err := r.Apply("all", p); err != nil {
			t.Fatal(err)
		}
	}
	close(answer)
	eventually(t, "the copies have not ended", func() bool {
		d, err := r.Differences("all")
		return err == nil && d.Counts.UnderWay == 0
	})
	if w := r.window(); w.New.Requests > 0 || len(w.Pairs) > 0 {
		t.Errorf("counted %+v", w)
	}
}

// What a mirror has kept of an answer that is not compared in the end is given back.
func TestMirrorMemoryOfRequestsThatMoved(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Routes[0].Mirror.Body, c.Routes[0].Mirror.Concurrency = 1<<10, 1 })
	begun, goOn := make(chan struct{}), make(chan struct{})
	r.old.does(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(make([]byte, 1<<10))
		w.(http.Flusher).Flush()
		begun <- struct{}{}
		<-goOn
	})
	for range 10 { // four of them fill what all captures may hold
		r.mirror()
		done := make(chan answer)
		go func() { done <- r.do("GET", "/", "") }()
		<-begun
		if err := r.Apply("all", shift.Placement{}); err != nil {
			t.Fatal(err)
		}
		goOn <- struct{}{}
		<-done
	}
	r.old.does(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 1<<10)) })
	r.mirror()
	time.Sleep(10 * time.Millisecond) // the exchanges end after their answers
	r.do("GET", "/", "")
	eventually(t, "nothing was compared", func() bool {
		d, err := r.Differences("all")
		return err == nil && d.Counts.Compared == 1
	})
}
