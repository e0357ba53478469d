package gateway

import (
	"log/slog"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"yadokari/shift"
)

// control runs the real control loop over the rig and moves all users to the new side.
func (r *rig) control() *shift.Controller {
	r.t.Helper()
	c := r.table.Load().config
	store := shift.OpenFileStore(c.State)
	logger := slog.New(slog.DiscardHandler)
	controller, err := shift.New(shift.Options{
		Routes: shifts(c), Plane: r.Gateway, Store: store, Ledger: shift.OpenFileLedger(c.State, logger), Logger: logger,
	})
	if err != nil {
		r.t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() { _ = controller.Run(r.t.Context()) }) // ends with the test
	r.t.Cleanup(func() {
		running.Wait()
		_ = store.Close()
	})
	if _, err := controller.Set(r.t.Context(), "all", 1, shift.Actor{Name: "ann"}, ""); err != nil {
		r.t.Fatal(err)
	}
	return controller
}

func shifts(c *Config) (list []shift.RouteConfig) {
	for _, route := range c.Routes {
		list = append(list, shift.RouteConfig{Name: route.Name, From: route.From, To: route.To, Config: route.Shift})
	}
	return list
}

// TestReloadOfARouteThatMoves: whatever a new configuration does to a route whose users are on the new side,
// every request is answered, and where the configuration takes the new side away, by the old one.
func TestReloadOfARouteThatMoves(t *testing.T) {
	for name, test := range map[string]struct {
		change func(r *rig, c *Config)
		fails  bool
		side   string
	}{
		"nothing":      {func(*rig, *Config) {}, false, "containers"},
		"no shift":     {func(_ *rig, c *Config) { c.Routes[0].Shift = nil }, false, "vm"},
		"another side": {func(_ *rig, c *Config) { c.Routes[0].To = "blue" }, false, "vm"},
		"no route": {func(_ *rig, c *Config) {
			c.Routes = []Route{moving("other", "/other/")}
		}, false, "vm"},
		"other servers": {func(r *rig, c *Config) {
			c.Backends["containers"] = backendAt(newRecorder(r.t, "containers").URL)
		}, false, "containers"},
		"a CA that is not there": {func(r *rig, c *Config) {
			b := backendAt(r.new.URL)
			b.Upstream.CA = "/nonexistent/ca.pem"
			c.Backends["vm"] = b
		}, true, "containers"},
	} {
		t.Run(name, func(t *testing.T) {
			blue := newRecorder(t, "blue")
			r := newRig(t, func(c *Config) { c.Backends["blue"] = backendAt(blue.URL) })
			controller := r.control()
			ask := func() {
				t.Helper()
				if a := r.do("GET", "/", ""); a.err != nil || a.status != 200 || a.body == "blue" {
					t.Errorf("got %+v", a)
				}
			}
			stop := make(chan struct{})
			var users sync.WaitGroup
			leave := sync.OnceFunc(func() { close(stop); users.Wait() })
			defer leave()
			users.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
						ask()
					}
				}
			})
			c := *r.table.Load().config
			c.Backends, c.Routes = maps.Clone(c.Backends), slices.Clone(c.Routes)
			test.change(r, &c)
			err := r.Reload(c)
			if (err != nil) != test.fails {
				t.Errorf("the reload: %v", err)
			}
			if err == nil {
				if err := controller.Reload(shifts(&c)); err != nil {
					t.Error(err)
				}
			}
			eventually(t, "users are elsewhere", func() bool { return r.do("GET", "/", "").body == test.side })
			time.Sleep(20 * time.Millisecond) // more users
			leave()
			if a := r.do("GET", "/", ""); a.body != test.side {
				t.Errorf("users are on %q, want %s", a.body, test.side)
			}
		})
	}
}

// TestReloadTakesARouteAwayAndBack: the users of a route that is away are on the old side. When it is back it
// goes on where it was, but not before the control loop says so.
func TestReloadTakesARouteAwayAndBack(t *testing.T) {
	r := newRig(t)
	controller := r.control()
	with := *r.table.Load().config
	without := with
	without.Routes = []Route{moving("other", "/other/")}
	for _, step := range []struct {
		config Config
		then   string
	}{{without, "vm"}, {with, "containers"}} {
		if err := r.Reload(step.config); err != nil {
			t.Fatal(err)
		}
		if a := r.do("GET", "/", ""); a.body != "vm" {
			t.Errorf("before the control loop follows, users are on %+v", a)
		}
		if err := controller.Reload(shifts(&step.config)); err != nil {
			t.Fatal(err)
		}
		if a := r.do("GET", "/", ""); a.body != step.then {
			t.Errorf("then users are not on %s: %+v", step.then, a)
		}
	}
}
