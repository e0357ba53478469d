package journeys

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"yadokari/shift"
	"yadokari/test/process"
)

const autoRoute = `
    - name: wiki
      match: ["GET /wiki/"]
      shift:
        stages: [mirror, 1%, 5%, 25%, 50%, 100%]
        hold: 1s
        minRequests: 20
        promote: auto
        tolerate: {errors: 1%, p95: 100%}
    - name: rest
      match: ["/"]
`

var site = map[string]string{"wiki/page.html": "<h1>A page</h1>", "wiki/counts.json": `{"open": 3}`, "index.html": "home"}

// TestWholeShift moves a route between two NGINX sites from mirror to 100 % by itself.
func TestWholeShift(t *testing.T) {
	old, fresh := startNGINX(t, "vm", site), startNGINX(t, "containers", site)
	g := startGateway(t, setUp{vm: []string{old.address}, containers: []string{fresh.address}, routes: autoRoute})
	users := browseSite(t, g)
	g.mustCLI(t, "shift", "start", "wiki", "--why", "the journey begins")
	seen := map[string]bool{}
	process.Eventually(t, "the route is done", func() bool {
		s := g.status(t, "wiki")
		seen[s.Stage] = true
		if s.State == shift.RolledBack {
			t.Fatalf("rolled back: %s", s.Reason)
		}
		return s.State == shift.Done
	})
	requests, failures := users()
	t.Logf("%d requests while it moved; stages seen: %s", requests, slices.Sorted(maps.Keys(seen)))
	if failures > 0 {
		t.Errorf("%d of %d requests failed", failures, requests)
	}
	checkFields(t, g)
	checkLedger(t, g.ledger(t))
	if g.status(t, "rest").Share != 0 {
		t.Error("the route without a shift has moved")
	}
	if history := g.mustCLI(t, "shift", "history", "wiki"); !strings.Contains(history, "the journey begins") {
		t.Errorf("shift history does not say why: %s", history)
	}
	g.MustStop(t)
}

// browseSite lets users look at pages until the function it returns is called.
func browseSite(t *testing.T, g *gateway) (end func() (requests, failures int)) {
	t.Helper()
	stop := make(chan struct{})
	var mu sync.Mutex
	var under sync.WaitGroup
	var requests, failures int
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}}
	for worker := range 8 {
		under.Go(func() {
			for n := worker; ; n += 8 {
				select {
				case <-stop:
					return
				case <-time.After(10 * time.Millisecond):
				}
				paths := []string{"/wiki/page.html", "/wiki/counts.json", "/"}
				r, err := http.NewRequest(http.MethodGet, g.url()+paths[n%len(paths)], nil)
				if err == nil {
					r.AddCookie(&http.Cookie{Name: "SESSION", Value: fmt.Sprintf("user-%d", n%500)})
					err = get(client, r)
				}
				mu.Lock()
				requests++
				if err != nil {
					failures++
					t.Log(err)
				}
				mu.Unlock()
			}
		})
	}
	return func() (int, int) {
		close(stop)
		under.Wait()
		return requests, failures
	}
}

func get(client *http.Client, r *http.Request) error {
	answer, err := client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, err = io.Copy(io.Discard, answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", r.URL, answer.Status)
	}
	return err
}

// checkFields holds shift status -o json against the fields that were promised.
func checkFields(t *testing.T, g *gateway) {
	t.Helper()
	var list []map[string]any
	if err := json.Unmarshal([]byte(g.mustCLI(t, "shift", "status", "-o", "json")), &list); err != nil {
		t.Fatal(err)
	}
	if len(list) != 2 {
		t.Fatalf("shift status lists %d routes, want 2", len(list))
	}
	for _, route := range list {
		for _, field := range []string{"route", "state", "stage", "share", "verdict", "reason", "vm", "containers", "fallbacks", "since"} {
			if _, ok := route[field]; !ok {
				t.Errorf("route %v: there is no field %q", route["route"], field)
			}
		}
		for _, side := range []string{"vm", "containers"} {
			numbers, _ := route[side].(map[string]any)
			for _, field := range []string{"requests", "failures", "p50", "p95", "p99"} {
				if _, ok := numbers[field].(float64); !ok {
					t.Errorf("route %v: %s: %q is no number: %v", route["route"], side, field, numbers)
				}
			}
		}
	}
	if state := list[1]["state"]; list[1]["route"] != "wiki" || state != "done" {
		t.Errorf("the second route is %v in state %v, want wiki, done", list[1]["route"], state)
	}
}

// checkLedger wants the whole journey, with evidence for every step that was made by itself.
func checkLedger(t *testing.T, entries []shift.Entry) {
	t.Helper()
	var steps []string
	for i, e := range entries {
		if e.Seq != uint64(i+1) {
			t.Errorf("entry %d has the number %d", i+1, e.Seq)
		}
		steps = append(steps, string(e.Action)+" "+e.To.Stage)
		if e.Action == shift.ActPromote && (len(e.Evidence) == 0 || e.Why == "" || e.Actor != shift.Automatic) {
			t.Errorf("entry %d lacks evidence, reason or actor: %+v", e.Seq, e)
		}
		if e.Time.IsZero() || e.Route != "wiki" {
			t.Errorf("entry %d lacks its time or route: %+v", e.Seq, e)
		}
	}
	want := []string{"start mirror", "promote 1%", "promote 5%", "promote 25%", "promote 50%", "promote 100%", "promote 100%"}
	if !slices.Equal(steps, want) {
		t.Errorf("the ledger has %q, want %q", steps, want)
	}
}

// TestKillMidShift kills the gateway in the middle and starts it again.
func TestKillMidShift(t *testing.T) {
	vm, containers := startSide(t, "vm"), startSide(t, "containers")
	g := startGateway(t, setUp{vm: []string{vm.address}, containers: []string{containers.address}})
	g.mustCLI(t, "shift", "start", "all", "--why", "the first stage")
	before, entries := g.status(t, "all"), g.ledger(t)
	for range 10 {
		g.Kill()
		g.run(t)
		after := g.status(t, "all")
		if after.Share != before.Share || after.State != before.State || after.Stage != before.Stage || !after.Since.Equal(before.Since) {
			t.Fatalf("before kill -9: %s %s since %s; after: %s %s since %s",
				before.State, before.Share, before.Since, after.State, after.Share, after.Since)
		}
		if got := g.ledger(t); !slices.EqualFunc(got, entries, func(a, b shift.Entry) bool { return a.Seq == b.Seq && a.Why == b.Why }) {
			t.Fatalf("the ledger has changed: %+v", got)
		}
	}
	l := startLoad(t, g.url(), 400)
	process.Eventually(t, "both sides serve", func() bool { return l.from("containers") > 50 && l.from("vm") > 50 })
	if l.report(t) > 0 {
		t.Error("requests failed after the restart")
	}
	share := float64(l.from("containers")) / float64(l.from("containers")+l.from("vm"))
	t.Logf("share set 25%%, measured %.1f%%", 100*share)
	if share < 0.10 || share > 0.45 {
		t.Errorf("the new side served %.1f%% of the requests, set is 25%%", 100*share)
	}
	g.MustStop(t)
}

// TestDamagedState starts with a state file that cannot be read: everyone is on the old side.
func TestDamagedState(t *testing.T) {
	vm, containers := startSide(t, "vm"), startSide(t, "containers")
	g := startGateway(t, setUp{vm: []string{vm.address}, containers: []string{containers.address}})
	g.set(t, "all", "100%")
	g.MustStop(t)
	path := filepath.Join(g.state, "shift.json")
	text := must[[]byte](t)(os.ReadFile(path))
	if err := os.WriteFile(path, text[:len(text)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	g.run(t)
	l := startLoad(t, g.url(), 200)
	process.Eventually(t, "the old side serves", func() bool { return l.from("vm") >= 200 })
	if l.report(t) > 0 || l.from("containers") > 0 {
		t.Errorf("%d requests went to the new side", l.from("containers"))
	}
	for _, verb := range []string{"start", "promote"} {
		if _, problem, exit := g.cli("shift", verb, "all"); exit != 1 || !strings.Contains(problem, path) {
			t.Errorf("shift %s: exit %d, %q does not name %s", verb, exit, problem, path)
		}
	}
	if s := g.status(t, "all"); s.Share != 0 || !strings.Contains(s.Problem, path) {
		t.Errorf("share %s, problem %q does not name %s", s.Share, s.Problem, path)
	}
	if code := g.Stop(t); code == 0 {
		t.Error("a gateway whose state could not be used ends as if all were well")
	}
}

// TestReloadOfABadFile sends SIGHUP after every kind of spoiling: nothing changes.
func TestReloadOfABadFile(t *testing.T) {
	vm, containers := startSide(t, "vm"), startSide(t, "containers")
	s := setUp{vm: []string{vm.address}, containers: []string{containers.address}}
	g := startGateway(t, s)
	g.set(t, "all", "25%")
	l := startLoad(t, g.url(), 200)
	good := string(must[[]byte](t)(os.ReadFile(g.file)))
	for name, bad := range map[string]string{
		"not YAML":       good + "\n\t{",
		"unknown key":    strings.Replace(good, "accessLog", "accesLog", 1),
		"falling share":  strings.Replace(good, "[25%, 100%]", "[25%, 5%]", 1),
		"no such file":   "",
		"empty backend":  strings.Replace(good, fmt.Sprintf("%q", "http://"+containers.address), "", 1),
		"unknown target": strings.Replace(good, "name: all", "name: all\n      to: nowhere", 1),
	} {
		if bad == "" {
			if err := os.Remove(g.file); err != nil {
				t.Fatal(err)
			}
		} else {
			process.WriteFile(t, g.dir, "yadokari.yaml", bad)
		}
		g.reload(t, "nothing has changed")
		if now := g.status(t, "all"); now.Share != 0.25 || now.State != shift.Paused {
			t.Errorf("%s: the route is %s at %s", name, now.State, now.Share)
		}
	}
	process.Eventually(t, "both sides serve", func() bool { return l.from("containers") > 50 && l.from("vm") > 50 })
	if l.report(t) > 0 || l.resent.Load() > 0 {
		t.Errorf("requests failed, or had to be sent again (%d), at a reload", l.resent.Load())
	}
	process.WriteFile(t, g.dir, "yadokari.yaml", good)
	g.reload(t, `"msg":"reloaded"`)
	g.MustStop(t)
}
