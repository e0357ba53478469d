package shift

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"yadokari/setting"
)

// TestEveryActionInEveryState is the table of what actions mean.
func TestEveryActionInEveryState(t *testing.T) {
	reach := map[State]func(w *world){
		Idle:     func(*world) {},
		Shifting: func(w *world) { w.must(w.Start(w.t.Context(), "wiki", somebody, "")) },
		Paused:   func(w *world) { w.must(w.Set(w.t.Context(), "wiki", 0.1, somebody, "")) },
		Done:     func(w *world) { w.must(w.Set(w.t.Context(), "wiki", 1, somebody, "")) },
		RolledBack: func(w *world) {
			w.must(w.Set(w.t.Context(), "wiki", 1, somebody, ""))
			w.must(w.Rollback(w.t.Context(), "wiki", somebody, ""))
		},
	}
	actions := map[string]func(w *world) (Status, error){
		"start":    func(w *world) (Status, error) { return w.Start(w.t.Context(), "wiki", somebody, "") },
		"pause":    func(w *world) (Status, error) { return w.Pause(w.t.Context(), "wiki", somebody, "") },
		"resume":   func(w *world) (Status, error) { return w.Resume(w.t.Context(), "wiki", somebody, "") },
		"promote":  func(w *world) (Status, error) { return w.Promote(w.t.Context(), "wiki", somebody, "") },
		"rollback": func(w *world) (Status, error) { return w.Rollback(w.t.Context(), "wiki", somebody, "") },
		"set 0%":   func(w *world) (Status, error) { return w.Set(w.t.Context(), "wiki", 0, somebody, "") },
		"set 20%":  func(w *world) (Status, error) { return w.Set(w.t.Context(), "wiki", 0.2, somebody, "") },
		"set 100%": func(w *world) (Status, error) { return w.Set(w.t.Context(), "wiki", 1, somebody, "") },
	}
	const no = "refused"
	want := map[State]map[string]string{
		Idle: {"start": "shifting mirror", "pause": no, "resume": no, "promote": no, "rollback": "idle ",
			"set 0%": "idle ", "set 20%": "paused 20%", "set 100%": "done 100%"},
		Shifting: {"start": no, "pause": "paused mirror", "resume": "shifting mirror", "promote": "shifting 5%", "rollback": "rolled-back ",
			"set 0%": "idle ", "set 20%": "paused 20%", "set 100%": "done 100%"},
		Paused: {"start": no, "pause": "paused 10%", "resume": "shifting 10%", "promote": "paused 50%", "rollback": "rolled-back ",
			"set 0%": "idle ", "set 20%": "paused 20%", "set 100%": "done 100%"},
		Done: {"start": no, "pause": no, "resume": no, "promote": no, "rollback": "rolled-back ",
			"set 0%": "idle ", "set 20%": "paused 20%", "set 100%": "done 100%"},
		RolledBack: {"start": "shifting mirror", "pause": no, "resume": no, "promote": no, "rollback": "rolled-back ",
			"set 0%": "idle ", "set 20%": "paused 20%", "set 100%": "done 100%"},
	}
	for state, row := range want {
		for name, outcome := range row {
			t.Run(string(state)+" "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := open(t, wiki(testConfig()))
					defer w.stop()
					reach[state](w)
					w.expect(state, w.now().Share)
					s, err := actions[name](w)
					got := string(s.State) + " " + s.Stage
					var refused *StateError
					if errors.As(err, &refused) && refused.Remedy != "" && s.State == state {
						got = no
					} else if err != nil {
						t.Fatal(err)
					}
					if got != outcome {
						t.Errorf("%s, want %s", got, outcome)
					}
					w.expect(s.State, s.Share)
					w.chained()
				})
			})
		}
	}
}

func TestActionsOnWhatIsNotThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, wiki(testConfig()), RouteConfig{Name: "rest", From: "vm", To: "containers"})
		defer w.stop()
		var unknown *UnknownRouteError
		if _, err := w.Start(t.Context(), "wikki", somebody, ""); !errors.As(err, &unknown) || !strings.Contains(err.Error(), "rest, wiki") {
			t.Errorf("unknown route: %v", err)
		}
		if _, err := w.Start(t.Context(), "rest", somebody, ""); !errors.Is(err, errNoShift) {
			t.Errorf("route without a shift: %v", err)
		}
		for _, share := range []setting.Share{-0.1, 1.1} {
			if _, err := w.Set(t.Context(), "wiki", share, somebody, ""); err == nil {
				t.Errorf("set %v is taken", share)
			}
		}
		if s, err := w.Status("rest"); err != nil || s.State != Idle || !strings.Contains(s.Next, "stays on vm") {
			t.Errorf("%v, %+v", err, s)
		}
	})
}

func TestRollbackAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var routes []RouteConfig
		for _, name := range []string{"a", "b", "c", "wiki"} {
			r := wiki(testConfig())
			r.Name = name
			routes = append(routes, r)
		}
		w := open(t, routes...)
		defer w.stop()
		for _, name := range []string{"a", "b", "wiki"} {
			w.must(w.Set(t.Context(), name, 0.5, somebody, ""))
		}
		release := make(chan struct{})
		w.store.set(func() { w.store.hang = release }) // the disk hangs in the bad night, too
		moved, err := w.RollbackAll(t.Context(), somebody, "bad night")
		if err != nil || len(moved) != 3 {
			t.Fatalf("%v, %d routes moved", err, len(moved))
		}
		for _, name := range []string{"a", "b", "c", "wiki"} {
			if share := w.plane.share(name); share != 0 {
				t.Errorf("%s is at %s", name, share)
			}
		}
		if s, _ := w.Status("c"); s.State != Idle {
			t.Errorf("c is %s", s.State)
		}
		w.store.set(func() { w.store.hang = nil })
		close(release)
		wait(time.Second)
		w.chained()
		if len(w.ledger.entries) != 6 {
			t.Errorf("%d entries", len(w.ledger.entries))
		}
	})
}

func TestReload(t *testing.T) {
	at := func(change func(*RouteConfig)) RouteConfig {
		r := wiki(testConfig())
		change(&r)
		return r
	}
	for name, c := range map[string]struct {
		to    []RouteConfig
		state State
		share setting.Share
		next  string
	}{
		"nothing":       {[]RouteConfig{wiki(testConfig())}, Shifting, 0.05, "50%"},
		"other stages":  {[]RouteConfig{at(func(r *RouteConfig) { r.Config.Stages = []string{"1%", "20%", "100%"} })}, Shifting, 0.05, "20%"},
		"other bounds":  {[]RouteConfig{at(func(r *RouteConfig) { r.Config.MinRequests = 7 })}, Shifting, 0.05, "50% after 7"},
		"other new":     {[]RouteConfig{at(func(r *RouteConfig) { r.To = "blue" })}, RolledBack, 0, "nothing until"},
		"other old":     {[]RouteConfig{at(func(r *RouteConfig) { r.From = "vm2" })}, RolledBack, 0, "nothing until"},
		"no shift":      {[]RouteConfig{at(func(r *RouteConfig) { r.Config = nil })}, RolledBack, 0, "nothing: "},
		"a second more": {[]RouteConfig{wiki(testConfig()), {Name: "rest", From: "vm"}}, Shifting, 0.05, "50%"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := open(t, wiki(testConfig()))
				defer w.stop()
				w.must(w.Set(t.Context(), "wiki", 0.05, somebody, ""))
				w.must(w.Resume(t.Context(), "wiki", somebody, ""))
				if err := w.Reload(c.to); err != nil {
					t.Fatal(err)
				}
				wait(time.Second)
				w.expect(c.state, c.share)
				if s := w.now(); !strings.HasPrefix(s.Next, c.next) {
					t.Errorf("next %q, want %q", s.Next, c.next)
				}
				w.chained()
				if got := w.store.held.Routes["wiki"].State; got != c.state {
					t.Errorf("stored: %s", got)
				}
			})
		})
	}
}

func TestReloadRefusesWhatIsWrong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, wiki(testConfig()))
		defer w.stop()
		w.must(w.Set(t.Context(), "wiki", 0.05, somebody, ""))
		bad := testConfig()
		bad.Stages = nil
		for _, routes := range [][]RouteConfig{{wiki(bad)}, {wiki(testConfig()), wiki(testConfig())}} {
			if err := w.Reload(routes); err == nil || !strings.Contains(err.Error(), `"wiki"`) {
				t.Errorf("%v", err)
			}
		}
		w.expect(Paused, 0.05)
	})
}

// TestARouteThatComesBack is where it was.
func TestARouteThatComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, wiki(testConfig()))
		defer w.stop()
		w.must(w.Set(t.Context(), "wiki", 0.05, somebody, ""))
		if err := w.Reload([]RouteConfig{{Name: "rest", From: "vm"}}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Status("wiki"); err == nil {
			t.Error("the route is still there")
		}
		wait(time.Minute)
		if err := w.Reload([]RouteConfig{wiki(testConfig())}); err != nil {
			t.Fatal(err)
		}
		w.expect(Paused, 0.05)
	})
}

func TestSubscribers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, wiki(testConfig()))
		defer w.stop()
		quick, slow := w.Subscribe(), w.Subscribe()
		defer slow.Close()
		w.must(w.Start(t.Context(), "wiki", somebody, ""))
		if e := <-quick.Events(); e.Status == nil || e.Status.State != Shifting {
			t.Fatalf("%+v", e)
		}
		if e := <-quick.Events(); e.Ledger != 1 || w.ledger.last() != 1 {
			t.Fatalf("%+v when the ledger was written", e)
		}
		for range subscriptionBuffer {
			w.must(w.Pause(t.Context(), "wiki", somebody, ""))
			w.must(w.Resume(t.Context(), "wiki", somebody, ""))
			for range 4 { // two changes, each written down
				if e := <-quick.Events(); e.Lagged {
					t.Fatal("the quick one lags")
				}
			}
		}
		events := 0
		for len(slow.Events()) > 0 {
			e := <-slow.Events()
			events++
			if last := len(slow.Events()) == 0; e.Lagged != last {
				t.Fatalf("event %d: lagged %v", events, e.Lagged)
			}
		}
		if events != subscriptionBuffer {
			t.Errorf("%d events", events)
		}
		w.must(w.Pause(t.Context(), "wiki", somebody, ""))
		if e := <-slow.Events(); e.Status == nil || e.Status.State != Paused {
			t.Errorf("after the lag: %+v", e)
		}
		w.must(w.Resume(t.Context(), "wiki", somebody, ""))
		for range len(slow.Events()) {
			<-slow.Events()
		}
		w.Note(ActDrain, somebody, "vm", "10.0.0.1:80")
		synctest.Wait()
		if e := <-slow.Events(); e.Ledger != w.ledger.last() || e.Status != nil {
			t.Errorf("after a drain: %+v", e)
		}
		quick.Close()
		quick.Close()
		for range quick.Events() {
		}
	})
}

// TestSubscribersHearOfAReload: what they know of the routes is out of date then.
func TestSubscribersHearOfAReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, wiki(testConfig()))
		defer w.stop()
		s := w.Subscribe()
		defer s.Close()
		if err := w.Reload([]RouteConfig{wiki(testConfig()), {Name: "rest", From: "vm", To: "containers"}}); err != nil {
			t.Fatal(err)
		}
		for e := range s.Events() {
			if e.Lagged {
				break
			}
			if len(s.Events()) == 0 {
				t.Fatal("nobody is told of the new route")
			}
		}
		if _, err := w.Status("rest"); err != nil {
			t.Error(err)
		}
	})
}
