package journeys

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"syscall"
	"testing"
	"time"

	"yadokari/examples/tracker"
	"yadokari/examples/tracker/browse"
	"yadokari/test/process"
)

// startTrackers starts two builds of the tracker that share their data, as hosts share a database.
func startTrackers(t *testing.T) (vm, containers *tracker.Child) {
	t.Helper()
	data := t.TempDir()
	one := func(build string) *tracker.Child {
		c, err := tracker.Start(t.Context(), exec.Command(program("tracker")), tracker.Config{
			Listen: process.FreeAddress(t), Control: process.FreeAddress(t), Data: data, Version: build,
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := c.Kill(); err != nil {
				t.Error(err)
			}
		})
		return c
	}
	return one("vm"), one("containers")
}

func hostOf(c *tracker.Child) string { return c.URL[len("http://"):] }

const trackerRoute = `
    - name: all
      match: ["/"]
      shift: {stages: [25%, 50%, 100%], hold: 1h, promote: manual, linger: 10m}
      mirror: {moved: 0%} # the two sides of these tests say who they are
`

// TestHundredFlips moves people, their uploads and their open WebSockets back and forth a hundred times.
func TestHundredFlips(t *testing.T) {
	vm, containers := startTrackers(t)
	g := startGateway(t, setUp{vm: []string{hostOf(vm)}, containers: []string{hostOf(containers)}, routes: trackerRoute})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	mix := browse.DefaultMix()
	mix[browse.Upload] = 8
	l, err := browse.Start(ctx, browse.Config{
		URL: g.url(), Users: 40, Rate: 150, Mix: mix, Sockets: 20, UploadBytes: 256 << 10,
	})
	if err != nil {
		t.Fatal(err)
	}
	shares := []string{"50%", "0%", "100%", "25%"}
	for n := range 100 {
		g.mustCLI(t, "shift", "set", "all", shares[n%len(shares)])
	}
	g.mustCLI(t, "shift", "set", "all", "50%")
	before := l.Snapshot().Total().Requests
	process.Eventually(t, "people go on", func() bool { return l.Snapshot().Total().Requests > before+200 })
	stop()
	checkPeople(t, l, nil)
	r := l.Wait()
	if r.Resent > 0 {
		t.Errorf("%d requests had to be sent again: a kept connection was closed", r.Resent)
	}
	if r.Sockets.Dropped > 0 || r.Sockets.Ended > 0 || r.Sockets.Opened != 20 {
		t.Errorf("WebSockets: %+v; want 20 opened and none ended", r.Sockets)
	}
	builds := r.Total().Builds
	if builds["vm"] == 0 || builds["containers"] == 0 {
		t.Errorf("answers by build: %v; nothing was flipped", builds)
	}
	checkStored(t, l, vm)
	if moved := len(g.ledger(t)); moved != 101 {
		t.Errorf("the ledger has %d entries, want 101", moved)
	}
	g.MustStop(t)
}

// checkPeople wants that no activity failed but those named.
func checkPeople(t *testing.T, l *browse.Load, mayFail []browse.Activity) {
	t.Helper()
	r := l.Wait()
	total := r.Total()
	t.Logf("%d requests in %s, %d failures, by build %v; sockets %+v", total.Requests, r.Elapsed.Round(time.Second), total.Failed(), total.Builds, r.Sockets)
	for activity, counts := range r.Activities {
		if counts.Failed() > 0 && !slices.Contains(mayFail, activity) {
			t.Errorf("%s: %d of %d failed: %v", activity, counts.Failed(), counts.Requests, counts.Failures)
		}
	}
	if t.Failed() {
		for _, example := range r.Examples {
			t.Log(example)
		}
	}
}

// checkStored compares what people were told is stored with what is.
func checkStored(t *testing.T, l *browse.Load, c *tracker.Child) {
	t.Helper()
	w, err := l.Check(t.Context(), c.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("comments: %+v", w)
	if w.Lost > 0 || w.Doubled > 0 || w.Sent == 0 {
		t.Errorf("comments lost or doubled, or none sent: %+v", w)
	}
}

// notSafe are the activities whose requests are never sent again.
var notSafe = []browse.Activity{browse.Comment, browse.WikiEdit, browse.Move, browse.Upload, browse.Login, browse.Socket}

// TestPeopleWhileTheNewSideFails lets people browse while the new build fails after it has done the
// work: the failure after which a second try would do it twice.
func TestPeopleWhileTheNewSideFails(t *testing.T) {
	faults := map[string]func(context.Context, *tracker.Child) error{
		"killed": func(_ context.Context, c *tracker.Child) error { return c.Kill() },
		"hung":   func(_ context.Context, c *tracker.Child) error { return c.Signal(syscall.SIGSTOP) },
	}
	for _, kind := range []tracker.FaultKind{tracker.FaultError, tracker.FaultReset, tracker.FaultTruncate, tracker.FaultClose} {
		faults[string(kind)+" after the work"] = func(ctx context.Context, c *tracker.Child) error {
			return tracker.SetFaults(ctx, c.ControlURL, tracker.Fault{Prefix: "/", Kind: kind, Late: true})
		}
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) { peopleJourney(t, fault) })
	}
}

func peopleJourney(t *testing.T, fault func(context.Context, *tracker.Child) error) {
	vm, containers := startTrackers(t)
	g := startGateway(t, setUp{vm: []string{hostOf(vm)}, containers: []string{hostOf(containers)}, routes: trackerRoute})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	mix := browse.DefaultMix()
	mix[browse.Comment] = 20
	delete(mix, browse.WikiPut) // a 500 is an answer to it; TestNewSideFails has PUT
	l, err := browse.Start(ctx, browse.Config{URL: g.url(), Users: 40, Rate: 200, Mix: mix})
	if err != nil {
		t.Fatal(err)
	}
	g.set(t, "all", "50%")
	process.Eventually(t, "both builds answer", func() bool {
		builds := l.Snapshot().Total().Builds
		return builds["vm"] > 50 && builds["containers"] > 50
	})
	if err := fault(t.Context(), containers); err != nil {
		t.Fatal(err)
	}
	process.Eventually(t, "the route is rolled back", func() bool { return g.status(t, "all").Share == 0 })
	before := l.Snapshot().Total().Requests
	process.Eventually(t, "people go on", func() bool { return l.Snapshot().Total().Requests > before+100 })
	stop()
	checkPeople(t, l, notSafe)
	checkStored(t, l, vm)
	t.Log(fmt.Sprint("rolled back: ", g.status(t, "all").Reason))
}
