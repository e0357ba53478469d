package journeys

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"yadokari/shift"
	"yadokari/test/process"
)

// failure is a way in which the new side fails, and how it is well again.
type failure struct {
	name        string
	repetitions int
	breaks      func(*testing.T, *side)
	heals       func(*testing.T, *side)
	// statuses says that the new side answers with a status that only safe methods may be asked
	// again for: other idempotent requests get it.
	final bool
	// latency says that the answers are good but slow: there is no first bad response, and how long
	// the verdict takes is a matter of statistics.
	latency bool
	share   string
}

func ordered(mode string) func(*testing.T, *side) {
	return func(t *testing.T, s *side) { t.Helper(); order(t, s.control, mode) }
}

func signalled(s syscall.Signal) func(*testing.T, *side) {
	return func(_ *testing.T, p *side) { p.Signal(s) }
}

func revived(t *testing.T, s *side) {
	t.Helper()
	<-s.Exited
	s.run(t)
}

var failures = []failure{
	{name: "killed", breaks: signalled(syscall.SIGKILL), heals: revived},
	{name: "hung", breaks: signalled(syscall.SIGSTOP), heals: signalled(syscall.SIGCONT)},
	{name: "answers 500", breaks: ordered("status 500"), heals: ordered("ok"), final: true},
	{name: "answers 503", breaks: ordered("status 503"), heals: ordered("ok")},
	{name: "resets mid-body", breaks: ordered("reset"), heals: ordered("ok")},
	{name: "closes before answering", breaks: ordered("close"), heals: ordered("ok")},
	{name: "answers after the timeout", breaks: ordered("slow 1500ms"), heals: ordered("ok"), repetitions: 10},
	{name: "answers 500 at a share of 5%", breaks: ordered("status 500"), heals: ordered("ok"), final: true, share: "5%"},
	{name: "answers 150 ms later", breaks: ordered("slow 150ms"), heals: ordered("ok"), latency: true, repetitions: 5},
}

const manySmallSteps = `
    - name: all
      match: ["/"]
      shift: {stages: [5%, 25%, 100%], hold: 1h, minRequests: 100, promote: manual}
      mirror: {moved: 0%} # the two sides of these tests say who they are
`

// TestNewSideFails breaks the new side in every way under 200 requests a second, again and again, and
// lets the gateway go back by itself.
func TestNewSideFails(t *testing.T) {
	for _, f := range failures {
		t.Run(f.name, func(t *testing.T) { f.journey(t) })
	}
}

func (f *failure) journey(t *testing.T) {
	vm, containers := startSide(t, "vm"), startSide(t, "containers")
	g := startGateway(t, setUp{vm: []string{vm.address}, containers: []string{containers.address}, routes: manySmallSteps})
	if f.repetitions == 0 {
		f.repetitions = 20
	}
	if f.share == "" {
		f.share = "25%"
	}
	l := startLoad(t, g.url(), 200)
	for range f.repetitions {
		g.set(t, "all", f.share)
		process.Eventually(t, "the new side serves", func() bool { return g.status(t, "all").New.Requests >= 10 })
		f.breaks(t, containers)
		process.Eventually(t, "the route is rolled back", func() bool { return g.status(t, "all").State == shift.RolledBack })
		f.heals(t, containers)
		// A request that hangs since before the rollback is one more failure when it times out: the
		// next repetition begins when all have ended.
		process.Eventually(t, "the new side is idle", func() bool { return g.inFlight(t, "containers") == 0 })
	}
	failed := map[string]int{}
	for method, s := range l.end() {
		failed[method] = s.failures
		t.Logf("%-6s %6d requests, %d failures", method, s.requests, s.failures)
	}
	f.checkUsers(t, l, failed)
	if twice := sentTwice(t, http.MethodPost, vm, containers); len(twice) > 0 {
		t.Errorf("sent twice though not safe to: %q", twice)
	}
	g.MustStop(t)
	f.checkRollbacks(t, g)
}

// checkUsers holds what users saw against what was promised to them.
func (f *failure) checkUsers(t *testing.T, l *load, failed map[string]int) {
	t.Helper()
	promised := []string{http.MethodGet, http.MethodPut, http.MethodDelete}
	if f.final {
		promised = promised[:1] // a 500 may be the answer to what the request did: it is not asked again
	}
	if f.latency {
		promised = append(promised, http.MethodPost)
	}
	for _, method := range promised {
		if failed[method] > 0 {
			t.Errorf("%d %s requests failed for a user:\n%s", failed[method], method, strings.Join(l.examples, "\n"))
		}
	}
}

// checkRollbacks measures how long the gateway took from the first bad response of each repetition to
// the rollback and to the last request that still went to the new side.
func (f *failure) checkRollbacks(t *testing.T, g *gateway) {
	t.Helper()
	requests := readLines[access](t, g.log)
	var toLedger, toShare []time.Duration
	entries := g.ledger(t)
	for i, e := range entries {
		if e.Action != shift.ActRollback {
			continue
		}
		next := time.Now()
		if i+1 < len(entries) {
			next = entries[i+1].Time
		}
		first, last := between(requests, entries[i-1].Time, next)
		if first.IsZero() {
			if !f.latency {
				t.Errorf("a rollback at %s without a bad response before it: %s", e.Time, e.Why)
			}
			continue
		}
		toLedger = append(toLedger, e.Time.Sub(first))
		toShare = append(toShare, max(0, last.Sub(first)))
	}
	if f.latency {
		t.Logf("why: %s", entries[1].Why)
		return
	}
	if len(toLedger) != f.repetitions {
		t.Fatalf("%d rollbacks after %d failures", len(toLedger), f.repetitions)
	}
	t.Logf("from the first bad response to the ledger's rollback: %s", distribution(toLedger))
	t.Logf("… to the last request placed on the new side:         %s", distribution(toShare))
	if slowest := max(slices.Max(toLedger), slices.Max(toShare)); slowest > time.Second && f.share != "5%" {
		t.Errorf("share 0 came %s after the first bad response; promised is 1 s", slowest)
	}
}

// between finds, of the requests that began between two settings of a share, when the first one was
// known to have failed, and when the last one began that went to the new side.
func between(requests []access, began, next time.Time) (first, last time.Time) {
	for _, a := range requests {
		if a.FirstSide != "containers" || a.Time.Before(began) || !a.Time.Before(next) {
			continue
		}
		if at, failed := a.failedAt(); failed && (first.IsZero() || at.Before(first)) {
			first = at
		}
		if a.Time.After(last) {
			last = a.Time
		}
	}
	return first, last
}

// distribution puts times into words.
func distribution(times []time.Duration) string {
	sorted := slices.Sorted(slices.Values(times))
	at := func(q float64) time.Duration {
		return sorted[int(q*float64(len(sorted)-1)+0.5)].Round(time.Millisecond)
	}
	return fmt.Sprintf("min %s, median %s, p95 %s, max %s (%d times)", at(0), at(0.5), at(0.95), at(1), len(sorted))
}
