package gauntlet

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"yadokari/test/gauntlet/browser"
	"yadokari/test/gauntlet/stack"
)

// application is one that is installed, so that sides of it can be run.
type application interface {
	Site() string
	People(n int) []browser.Person
	Breakages() []*stack.Breakage
	Start(t *testing.T, name string, breakage *stack.Breakage) *stack.Side
}

// The stages of which a shift is tried, each in a gateway and with users of its own.
const (
	mirror = "mirror"
	share  = "25%"
)

// trial is one stage of one shift.
type trial struct {
	app        application
	old, fresh *stack.Side
	stage      string
	most       uint64 // requests of the new side
}

// result is what a trial has come to.
type result struct {
	condemned bool
	signal    string // what decided
	reason    string
	requests  uint64   // that the new side had by then
	troubles  string   // what people met, the most frequent first
	leaning   string   // the signals nearest to a verdict, where there was none
	different []string // what comparing answers has found
	took      time.Duration
}

// String tells a result in some lines.
func (r result) String() string {
	text := fmt.Sprintf("%t by %q after %d requests, %.0f s: %s", r.condemned, r.signal, r.requests, r.took.Seconds(), r.reason)
	for _, more := range append([]string{r.leaning, r.troubles}, r.different[:min(6, len(r.different))]...) {
		if more != "" {
			text += "\n\t" + more
		}
	}
	return text
}

// longest bounds a trial whose users get nowhere.
const longest = 6 * time.Minute

// run lets people use the site, first with everybody on the old side, and then begins a shift.
func (r trial) run(t *testing.T) (out result) {
	t.Helper()
	begun := time.Now()
	stages := "25%, 100%"
	if r.stage == mirror {
		stages = "mirror, 25%, 100%"
	}
	g := startGateway(t, r.old.Address, r.fresh.Address, stages)
	count := &browser.Count{}
	leave := r.open(g, count)
	defer leave()
	wait(t, g, func() bool { return count.Requests() >= 40**users })
	met := count.Troubles()
	g.call(t, "POST", "/start")
	var s status
	wait(t, g, func() bool {
		s = g.call(t, "GET", "")
		return s.rolledBack() || s.Containers.Requests >= r.most
	})
	leave()
	out.condemned, out.reason, out.requests = s.rolledBack(), s.Reason, s.Containers.Requests
	out.signal, out.leaning = signals(s.Evidence)
	out.troubles = troubles(met, count.Troubles())
	out.different = g.differences(t)
	out.took = time.Since(begun)
	g.Stop(t)
	return out
}

// wait looks until something is so, or the trial has lasted long enough.
func wait(t *testing.T, g *gateway, so func() bool) {
	t.Helper()
	for until := time.Now().Add(longest); !so() && time.Now().Before(until); time.Sleep(50 * time.Millisecond) {
		g.MustRun(t)
	}
}

// open lets people in, until the function that it returns is called.
func (r trial) open(g *gateway, count *browser.Count) (leave func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var under sync.WaitGroup
	for _, person := range r.app.People(*users) {
		b := browser.New(r.app.Site(), g.address, key(), count)
		under.Go(func() { person.Live(ctx, b) })
	}
	return func() {
		cancel()
		under.Wait()
	}
}

// signals reads which signal decided and, if none has, how far the first ones have come.
func signals(evidence []byte) (decided, leaning string) {
	type signal struct {
		Name string  `json:"name"`
		Part float64 `json:"part"`
		Text string  `json:"text"`
	}
	var e struct {
		Decided string   `json:"decided"`
		Signals []signal `json:"signals"`
	}
	if json.Unmarshal(evidence, &e) != nil || e.Decided != "" {
		return e.Decided, ""
	}
	slices.SortStableFunc(e.Signals, func(a, b signal) int { return cmp.Compare(b.Part, a.Part) })
	var list []string
	for _, s := range e.Signals[:min(3, len(e.Signals))] {
		list = append(list, fmt.Sprintf("%s %.0f %% (%s)", s.Name, 100*s.Part, s.Text))
	}
	return "", strings.Join(list, "; ")
}

// troubles are what people met since the shift began.
func troubles(before, after map[string]int) string {
	for what := range after {
		after[what] -= before[what]
	}
	names := slices.SortedFunc(maps.Keys(after), func(a, b string) int { return after[b] - after[a] })
	var list []string
	for _, what := range names {
		if after[what] > 0 && len(list) < 5 {
			list = append(list, fmt.Sprintf("%d × %s", after[what], what))
		}
	}
	return strings.Join(list, ", ")
}
