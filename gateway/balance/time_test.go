package balance

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// running starts Run and returns what ends it.
func running(t *testing.T, g *Group[*conns]) (end func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); g.Run(ctx) }()
	synctest.Wait()
	return func() { cancel(); <-done }
}

// pass lets time go by in the bubble, and what is due then happen.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// pickOne picks until it is the server's turn; the other picks end then.
func pickOne(t *testing.T, g *Group[*conns], server string) *Server[*conns] {
	t.Helper()
	for range 10000 {
		s := pick(t, g)
		if s.ID == server {
			return s
		}
		defer s.Done(Connected)
	}
	t.Fatalf("%s is never picked", server)
	return nil
}

func TestSlowStartGrowsInAStraightLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, _ := group(t, config(literal(4)...), Options{})
		near(t, "at the start", float64(shares(t, g, 20000)[id(1)])/20000, 0.25, 0.02)
		if err := errors.Join(g.Drain(id(1)), g.Undrain(id(1))); err != nil {
			t.Fatal(err)
		}
		for second := range 11 {
			weight := min(1, 0.1+0.09*float64(second))
			near(t, "part shown", status(t, g, id(1)).SlowStartPart, weight, 1e-9)
			got := float64(shares(t, g, 20000)[id(1)]) / 20000
			near(t, "part of the requests", got, weight/(3+weight), 0.02)
			pass(time.Second)
		}
		if g.view.Load().warm != nil {
			t.Error("the plain choice is not used again after slow start")
		}
	})
}

// Under load, too, a slowly starting server is not flooded because it is empty.
func TestSlowStartUnderLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, _ := group(t, config(literal(4)...), Options{})
		g.Drain(id(1))
		for range 300 {
			pick(t, g)
		}
		g.Undrain(id(1))
		for range 100 {
			pick(t, g)
		}
		if n := status(t, g, id(1)).InFlight; n == 0 || n > 20 {
			t.Errorf("%d of 100 requests went to the server that starts at 0.1, beside three with 100 each", n)
		}
	})
}

func TestDrainAndWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, _ := group(t, config(literal(2)...), Options{Drained: []string{"10.9.9.9:1"}})
		first := pickOne(t, g, id(1))
		if err := g.Drain(id(1)); err != nil {
			t.Fatal(err)
		}
		if got := shares(t, g, 1000); got[id(1)] != 0 {
			t.Errorf("%d requests went to the drained server", got[id(1)])
		}
		if got := g.Drained(); !slices.Equal(got, []string{id(1), "10.9.9.9:1"}) {
			t.Errorf("drained: %v", got)
		}
		if s := status(t, g, "10.9.9.9:1"); s.Health != healthAbsent || !s.Drained {
			t.Errorf("%+v", s)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := g.Wait(ctx, id(1)); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "1 requests") {
			t.Errorf("waiting for a server with a request: %v", err)
		}
		if n := len(first.idle); n != 0 {
			t.Errorf("%d waiters are left behind", n)
		}
		waited := make(chan error, 1)
		go func() { waited <- g.Wait(t.Context(), id(1)) }()
		synctest.Wait()
		select {
		case err := <-waited:
			t.Fatalf("Wait returned with a request in flight: %v", err)
		default:
		}
		first.Done(Connected)
		if err := <-waited; err != nil {
			t.Error(err)
		}
		if err := g.Drain(id(2)); err != nil {
			t.Fatal(err)
		}
		if _, err := g.Pick(); !errors.Is(err, ErrNoServer) || !strings.Contains(err.Error(), `"vm"`) || !strings.Contains(err.Error(), "drained") {
			t.Errorf("all drained: %v", err)
		}
		if err := g.Undrain(id(1)); err != nil {
			t.Fatal(err)
		}
		if s := pick(t, g); s.ID != id(1) {
			t.Error(s.ID)
		}
		for _, err := range []error{g.Drain("10.0.0.1:900"), g.Undrain("x"), g.Wait(t.Context(), "")} {
			if err == nil || !strings.Contains(err.Error(), id(1)) || !strings.Contains(err.Error(), id(2)) {
				t.Errorf("an unknown ID: %v", err)
			}
		}
		if err := g.Drain("10.0.0.1:900"); !strings.Contains(err.Error(), "did you mean "+id(1)) {
			t.Error(err)
		}
		if err := g.Undrain("10.9.9.9:1"); err != nil {
			t.Error(err)
		}
	})
}

// eject makes connects to the server fail until it is ejected.
func eject(t *testing.T, g *Group[*conns], server string) {
	t.Helper()
	for failures := 0; failures < 3; {
		s := pick(t, g)
		if s.ID == server {
			s.Done(ConnectFailed)
			failures++
		} else {
			s.Done(Connected)
		}
	}
	if !status(t, g, server).Ejected {
		t.Fatalf("%s is not ejected: %+v", server, status(t, g, server))
	}
}

func TestEjectionAndTheOneTrial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, _ := group(t, config(literal(3)...), Options{})
		eject(t, g, id(1))
		pass(5*time.Second - 1)
		if got := shares(t, g, 500); got[id(1)] != 0 {
			t.Fatalf("%d requests while ejected", got[id(1)])
		}
		pass(1)
		trial := pick(t, g)
		if trial.ID != id(1) {
			t.Fatalf("the first request after the ejection went to %s", trial.ID)
		}
		if got := shares(t, g, 500); got[id(1)] != 0 {
			t.Fatalf("%d more requests during the trial", got[id(1)])
		}
		trial.Done(ConnectFailed)
		pass(5*time.Second - 1)
		if got := shares(t, g, 500); got[id(1)] != 0 {
			t.Fatalf("%d requests after the failed trial", got[id(1)])
		}
		pass(1)
		undecided := pick(t, g)
		undecided.Done(Undecided)
		again := pick(t, g)
		if undecided.ID != id(1) || again.ID != id(1) {
			t.Fatalf("trials went to %s and, after nothing was learnt, %s", undecided.ID, again.ID)
		}
		again.Done(Connected)
		s := status(t, g, id(1))
		if s.Ejected || s.Failures != 0 || s.SlowStartPart != slowFloor || s.LastError == "" {
			t.Errorf("after a good trial: %+v", s)
		}
		pass(10 * time.Second)
		near(t, "after slow start", float64(shares(t, g, 20000)[id(1)])/20000, 1.0/3, 0.02)
	})
}

func TestFailuresMustBeInARow(t *testing.T) {
	g, _ := group(t, config(literal(1)...), Options{})
	for range 10 {
		pick(t, g).Done(ConnectFailed)
		pick(t, g).Done(ConnectFailed)
		pick(t, g).Done(Connected)
	}
	if s := status(t, g, id(1)); s.Ejected || s.Failures != 0 {
		t.Errorf("%+v", s)
	}
	cfg := config(literal(1)...)
	cfg.Passive = Passive{}
	g, _ = group(t, cfg, Options{})
	for range 10 {
		pick(t, g).Done(ConnectFailed)
	}
	if s := status(t, g, id(1)); s.Ejected {
		t.Error("ejected with the check off")
	}
}

// A request that connected long before must not bring an ejected server back; one on trial may,
// before it ends.
func TestOldConnectionsAreNoEvidence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, _ := group(t, config(literal(2)...), Options{})
		var old []*Server[*conns]
		for range 10 {
			old = append(old, pick(t, g))
		}
		for range 10 { // both have some in flight
			pick(t, g).Done(Connected)
		}
		eject(t, g, id(1))
		for _, s := range old[:5] {
			s.Done(Connected)
		}
		if !status(t, g, id(1)).Ejected {
			t.Error("a request from before the ejection brought the server back")
		}
		pass(5 * time.Second)
		trial := pick(t, g)
		old[5].Connected() // the caller is one that tells early
		if trial.ID != id(1) {
			t.Fatal(trial.ID)
		}
		for _, s := range old[5:] {
			s.Done(Connected)
		}
		if old[5].ID != id(1) && !status(t, g, id(1)).Ejected {
			t.Error("the end of an old request ended the trial")
		}
		trial.Connected()
		if status(t, g, id(1)).Ejected {
			t.Error("a good connect did not end the trial")
		}
		trial.Done(Connected)
	})
}

func TestAllDownMeansAllAreTried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, _ := group(t, config(literal(3)...), Options{})
		g.Drain(id(3))
		eject(t, g, id(1))
		for range 3 {
			pick(t, g).Done(ConnectFailed)
		}
		got := shares(t, g, 1000)
		if got[id(1)] < 400 || got[id(2)] < 400 || got[id(3)] != 0 {
			t.Errorf("with two ejected and one drained: %v", got)
		}
		s := pick(t, g)
		s.Connected()
		if got := shares(t, g, 100); got[s.ID] != 100 {
			t.Errorf("after a good connect to %s: %v", s.ID, got)
		}
		other := pick(t, g, s)
		if other == s || other.ID == id(3) {
			t.Errorf("the last resort is %s", other.ID)
		}
	})
}

func TestHealthChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := config(literal(2)...)
		cfg.Health = &Health{Path: "/up", Host: "h", Every: 2 * time.Second, Timeout: time.Second, Fall: 2, Rise: 2}
		g, opened := group(t, cfg, Options{})
		if s := status(t, g, id(1)); s.Health != healthAssumed {
			t.Errorf("before any check: %+v", s)
		}
		sick := opened()[0]
		end := running(t, g)
		if s := status(t, g, id(1)); s.Health != healthGood || *sick.asked.Load() != "h/up" || s.SlowStartPart != 1 {
			t.Errorf("after the first check: %+v", s)
		}
		sick.sick.Store(true)
		pass(2 * time.Second)
		if got := shares(t, g, 1000); got[id(1)] == 0 {
			t.Error("out after one bad check, fall is 2")
		}
		pass(2 * time.Second)
		if got := shares(t, g, 1000); got[id(1)] != 0 {
			t.Error("requests go to the unhealthy server")
		}
		if s := status(t, g, id(1)); s.Health != healthBad || s.LastError != "status 503" {
			t.Errorf("%+v", s)
		}
		sick.sick.Store(false)
		pass(2 * time.Second)
		if s := status(t, g, id(1)); s.Health != healthBad {
			t.Error("back after one good check, rise is 2")
		}
		pass(2 * time.Second)
		if s := status(t, g, id(1)); s.Health != healthGood || s.SlowStartPart != slowFloor {
			t.Errorf("back: %+v", s)
		}
		for _, c := range opened() {
			c.sick.Store(true)
		}
		pass(4 * time.Second)
		if got := shares(t, g, 1000); got[id(1)] < 400 || got[id(2)] < 400 {
			t.Errorf("all unhealthy: %v", got)
		}
		end()
		n := sick.checks.Load()
		pass(time.Minute)
		if sick.checks.Load() != n {
			t.Error("checks go on after Run has ended")
		}
	})
}

func TestServersComeAndGoWithTheirName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &records{}
		r.set("pods", "10.0.0.2", "10.0.0.1", "::ffff:10.0.0.1", "fd00::1")
		cfg := config("http://pods:9000", "https://10.0.0.9", "http://10.0.0.1:9000", "http://six:1")
		r.set("six", "fd00::6")
		cfg.Health = &Health{Path: "/", Every: time.Second, Timeout: time.Second, Fall: 2, Rise: 2}
		g, opened := group(t, cfg, Options{Resolver: r})
		var ids []string
		for _, s := range g.Status() {
			ids = append(ids, s.ID)
		}
		if !slices.Equal(ids, []string{id(1), id(2), "10.0.0.9:443", "[fd00::6]:1"}) {
			t.Fatalf("servers %v", ids)
		}
		end := running(t, g)
		defer end()
		held := pickOne(t, g, id(2))

		// 2 leaves with a request; 3 comes, and must be checked first.
		r.set("pods", "10.0.0.1", "10.0.0.3")
		pass(5 * time.Second)
		if s := status(t, g, id(2)); !s.Leaving || s.InFlight != 1 {
			t.Errorf("%+v", s)
		}
		if s := status(t, g, id(3)); s.Health != healthGood || s.SlowStartPart != slowFloor {
			t.Errorf("%+v", s)
		}
		if got := shares(t, g, 500); got[id(2)] != 0 {
			t.Error("a request went to a server that has left")
		}
		if held.Conns.closed.Load() != 0 {
			t.Fatal("closed under its request")
		}

		// It comes back in time: the same connections.
		r.set("pods", "10.0.0.1", "10.0.0.2")
		pass(5 * time.Second)
		back := pickOne(t, g, id(2))
		if back != held {
			t.Error("a server that came back was opened again")
		}
		back.Done(Connected)
		held.Done(Connected)
		if held.Conns.closed.Load() != 0 {
			t.Error("closed while present")
		}

		// It leaves again with a request, whose end closes it, once; Wait sees it through.
		held = pickOne(t, g, id(2))
		r.set("pods", "10.0.0.1")
		pass(5 * time.Second)
		waited := make(chan error, 1)
		go func() { waited <- g.Wait(t.Context(), id(2)) }()
		synctest.Wait()
		checks := held.Conns.checks.Load()
		pass(10 * time.Second)
		if held.Conns.checks.Load() != checks {
			t.Error("a server that has left is still checked")
		}
		held.Done(Connected)
		if err := <-waited; err != nil {
			t.Error(err)
		}
		if n := held.Conns.closed.Load(); n != 1 {
			t.Errorf("closed %d times", n)
		}

		// No answer, or an empty one: the last one stays, and it is said.
		for _, lose := range []func(){func() { r.set("pods") }, func() { r.Lock(); delete(r.hosts, "pods"); r.Unlock() }} {
			lose()
			pass(5 * time.Second)
			if got := shares(t, g, 300); got[id(1)] == 0 {
				t.Error("the last good answer is lost")
			}
			if n := g.Names()[0]; n.Error == "" || n.Since.IsZero() || !slices.Equal(n.Addresses, []string{"10.0.0.1"}) {
				t.Errorf("%+v", n)
			}
		}
		r.set("pods", "10.0.0.1")
		pass(5 * time.Second)
		if n := g.Names()[0]; n.Error != "" {
			t.Errorf("%+v", n)
		}
		if err := g.Close(); err != nil {
			t.Error(err)
		}
		for _, c := range opened() {
			if n := c.closed.Load(); n != 1 {
				t.Errorf("%s closed %d times", c.address.ID, n)
			}
		}
	})
}

func TestANameThatDoesNotResolveYet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &records{}
		g, _ := group(t, config("http://late:80"), Options{Resolver: r, Drained: []string{"10.0.0.2:80"}})
		if _, err := g.Pick(); !errors.Is(err, ErrNoServer) || !strings.Contains(err.Error(), "late") {
			t.Errorf("%v", err)
		}
		defer running(t, g)()
		r.set("late", "10.0.0.1", "10.0.0.2")
		pass(5 * time.Second)
		if got := shares(t, g, 100); got["10.0.0.1:80"] != 100 {
			t.Errorf("one of two is drained from before the start: %v", got)
		}
	})
}

// A group that takes another's place while names cannot be looked up goes on with what they led to.
func TestSuccessorWithoutAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &records{}
		r.set("pods", "10.0.0.1", "10.0.0.2")
		former, _ := group(t, config("http://pods:80"), Options{Resolver: r})
		r.Lock()
		delete(r.hosts, "pods")
		r.Unlock()
		cfg := config("http://pods:80", "http://others:80")
		g, _ := group(t, cfg, Options{Resolver: r, Former: former.Names()})
		if got := shares(t, g, 300); got["10.0.0.1:80"] == 0 || got["10.0.0.2:80"] == 0 {
			t.Errorf("requests went to %v", got)
		}
		defer running(t, g)()
		if n := g.Names(); n[0].Error == "" || n[1].Error == "" || len(n[1].Addresses) > 0 {
			t.Errorf("%+v", n)
		}
		r.set("pods", "10.0.0.3")
		pass(5 * time.Second)
		if got := shares(t, g, 300); len(got) != 1 || got["10.0.0.3:80"] == 0 {
			t.Errorf("with an answer again, requests went to %v", got)
		}
		if err := former.Close(); err != nil {
			t.Error(err)
		}
	})
}

// What the former group's checks found out holds until the successor's first check.
func TestSuccessorOfAGroupWithASickServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := config(literal(2)...)
		cfg.Health = &Health{Path: "/", Every: time.Second, Timeout: time.Second, Fall: 2, Rise: 2}
		former, opened := group(t, cfg, Options{})
		opened()[0].sick.Store(true)
		end := running(t, former)
		pass(2 * time.Second)
		end()
		g, again := group(t, cfg, Options{Unhealthy: former.Unhealthy()})
		if got := shares(t, g, 300); len(got) != 1 || got[id(2)] == 0 {
			t.Errorf("before the first check requests went to %v", got)
		}
		again()[0].sick.Store(true)
		end = running(t, g)
		if s := status(t, g, id(1)); s.Health != healthBad {
			t.Errorf("after the first check: %+v", s)
		}
		end()
	})
}
