package console

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/tracing"
	"github.com/chromedp/chromedp"

	"yadokari/admin/client"
)

const (
	manyRoutes = 500
	loadRate   = 5000 // requests a second that are tried for
	phase      = 8 * time.Second

	// What is promised on a machine that does nothing else is 100 ms, and 2 % of a core. The test fails where it is
	// several times that, since a machine that others use makes everything longer.
	mostBlocked  = 250 * time.Millisecond
	mostCostPart = 0.1
)

// TestTheCostOfThePage has 500 routes, 100 of them in a stage, a few thousand requests a second, and the page
// open and closed by turns, and only its calls made. The gateway's processor time is read from the kernel; the browser's own
// tracing says how long its main thread was busy at a stretch.
func TestTheCostOfThePage(t *testing.T) {
	var routes strings.Builder
	for i := range manyRoutes {
		fmt.Fprintf(&routes, "\n    - name: part-%03d\n      match: [\"/part-%03d/\"]\n", i, i)
		fmt.Fprintf(&routes, "      shift: {stages: [5%%, 50%%, 100%%], hold: 24h, breaker: 0, minRequests: 1000000}\n")
	}
	s := newSite(t, routes.String(), func(s *site) {
		answer := func() string {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }))
			t.Cleanup(server.Close)
			return server.URL
		}
		s.backends = fmt.Sprintf("vm: {servers: [%q]}\n    containers: {servers: [%q]}", answer(), answer())
	})
	for i := range manyRoutes / 5 {
		s.post(fmt.Sprintf("routes/part-%03d/start", i*5), nil)
	}
	sent := s.flood(loadRate)
	b := open(t, 1440, 900)

	var closed, calls, open usage
	var longest task
	for range 3 {
		b.visit("about:blank")
		closed.add(s, sent)

		ctx, stop := context.WithCancel(t.Context())
		var following sync.WaitGroup
		begun := make(chan struct{})
		following.Go(func() { s.callAsThePage(ctx, sync.OnceFunc(func() { close(begun) })) })
		<-begun
		calls.add(s, sent)
		stop()
		following.Wait()

		traced := b.trace()
		b.visit(s.page())
		b.wait(`document.querySelectorAll(".row .spark").length > 10`)
		open.add(s, sent)
		b.do("use the page", evaluateOnly(`document.querySelector(".c-rate button").click(); scrollTo(0, 20000);
			document.getElementById("filter").value = "part-1"; document.getElementById("filter").dispatchEvent(new Event("input"));`))
		b.wait(`document.querySelectorAll(".rows .row").length > 5`)
		longest = longest.orLonger(traced())
	}
	for name, u := range map[string]usage{"closed": closed, "its calls alone": calls, "open": open} {
		t.Logf("page %-16s %4.0f requests a second, %5.1f µs of processor time each", name, u.requests/u.seconds, 1e6*u.busy/u.requests)
	}
	part, percent := calls.above(closed)
	t.Logf("the page's calls cost the gateway %+.4f of one core (%+.1f %% of what the requests cost)", part, percent)
	whole, percent := open.above(closed)
	t.Logf("with a browser on the same machine, which takes caches and cores: %+.4f (%+.1f %%)", whole, percent)
	t.Logf("longest task on the page's main thread: %s of processor time; %s by the clock", longest.busy, longest.took)
	if part > mostCostPart {
		t.Errorf("the page costs the gateway %.1f %% of a core", 100*part)
	}
	if longest.busy > mostBlocked {
		t.Errorf("the browser's main thread was busy for %s at a stretch", longest.busy)
	}
}

// usage is what the gateway used, and how many requests it answered meanwhile.
type usage struct{ busy, requests, seconds float64 }

// add measures for one phase.
func (u *usage) add(s *site, sent func() int64) {
	s.t.Helper()
	before, from, began := s.ticks(), sent(), time.Now()
	time.Sleep(phase) // the measurement itself
	u.busy += float64(s.ticks()-before) / 100
	u.requests += float64(sent() - from)
	u.seconds += time.Since(began).Seconds()
}

// above is how much more was used than base at the same number of requests: in parts of one core, and in
// per cent. When a machine is full fewer requests are made, so sums cannot be compared.
func (u usage) above(base usage) (part, percent float64) {
	same := base.busy * u.requests / base.requests
	return (u.busy - same) / u.seconds, 100 * (u.busy - same) / same
}

// callAsThePage makes the calls that the page makes while it shows all routes, until ctx ends. It says
// when it has all that a page begins with.
func (s *site) callAsThePage(ctx context.Context, begun func()) {
	var about struct{}
	_ = s.client.Do(ctx, "GET", "/api/v1/gateway", nil, &about) // what fails is seen by the tests of the page
	_ = s.client.Stream(ctx, "/api/v1/events?batch=1s&brief=1&series=1&ledger=1", "", func(e client.Event) error {
		if e.Name == "series" {
			begun()
		}
		return nil
	})
}

// ticks is the processor time of the gateway in hundredths of a second (proc(5), utime and stime).
func (s *site) ticks() int {
	s.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.gateway.Process.Pid))
	if err != nil {
		s.t.Fatal(err)
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+2:]))
	user, err := strconv.Atoi(fields[11])
	if err != nil {
		s.t.Fatal(err)
	}
	system, err := strconv.Atoi(fields[12])
	if err != nil {
		s.t.Fatal(err)
	}
	return user + system
}

// flood sends requests for all routes at a steady rate from a few connections until the test ends, and
// returns how many there were.
func (s *site) flood(rate int) func() int64 {
	const senders = 16
	ctx, stop := context.WithCancel(s.t.Context())
	transport := &http.Transport{MaxIdleConnsPerHost: senders, DialContext: (&net.Dialer{}).DialContext}
	var all sync.WaitGroup
	var mu sync.Mutex
	var n int64
	for sender := range senders {
		all.Go(func() {
			every := time.Second * senders / time.Duration(rate)
			next := time.Now()
			for i := sender; ctx.Err() == nil; i += senders {
				next = next.Add(every)
				time.Sleep(time.Until(next))
				r, err := http.NewRequestWithContext(ctx, "GET", fmt.Sprintf("http://%s/part-%03d/", s.listen, i%manyRoutes), nil)
				if err != nil {
					return
				}
				r.AddCookie(&http.Cookie{Name: "SESSION", Value: strconv.Itoa(i % 20011)})
				answer, err := transport.RoundTrip(r)
				if err != nil {
					continue // counted by nobody: the rate shows it
				}
				_, _ = io.Copy(io.Discard, answer.Body)
				_ = answer.Body.Close()
				mu.Lock()
				n++
				mu.Unlock()
			}
		})
	}
	s.t.Cleanup(func() { stop(); all.Wait(); transport.CloseIdleConnections() })
	return func() int64 { mu.Lock(); defer mu.Unlock(); return n }
}

// trace begins to trace the browser; the function it returns ends that, and says how long the longest task
// on the page's main thread took.
func (b *browser) trace() func() task {
	b.t.Helper()
	var mu sync.Mutex
	threads := map[[2]int64]task{}
	mains := map[[2]int64]bool{}
	done := make(chan struct{})
	ctx, cancel := context.WithCancel(b.ctx)
	err := chromedp.ListenBrowser(ctx, func(event any) {
		switch e := event.(type) {
		case *tracing.EventDataCollected:
			for _, raw := range e.Value {
				var e struct {
					Name      string
					Pid, Tid  int64
					Dur, Tdur int64
					Args      struct{ Name string }
				}
				if json.Unmarshal(raw, &e) != nil {
					continue // an event of another form, none that is looked for
				}
				thread := [2]int64{e.Pid, e.Tid}
				mu.Lock()
				switch {
				case e.Name == "thread_name" && e.Args.Name == "CrRendererMain":
					mains[thread] = true
				case e.Name == "RunTask":
					threads[thread] = threads[thread].orLonger(task{time.Duration(e.Tdur) * time.Microsecond, time.Duration(e.Dur) * time.Microsecond})
				}
				mu.Unlock()
			}
		case *tracing.EventTracingComplete:
			close(done)
		}
	})
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := chromedp.CallBrowser(b.ctx, tracing.Start, tracing.StartParams{TraceConfig: &tracing.TraceConfig{
		IncludedCategories: []string{"devtools.timeline", "disabled-by-default-devtools.timeline"}}}); err != nil {
		b.t.Fatal(err)
	}
	return func() task {
		defer cancel()
		if _, err := chromedp.CallBrowser(b.ctx, tracing.End, struct{}{}); err != nil {
			b.t.Fatal(err)
		}
		<-done
		mu.Lock()
		defer mu.Unlock()
		var longest task
		for thread := range mains {
			longest = longest.orLonger(threads[thread])
		}
		if longest.busy == 0 {
			b.t.Error("the browser traced no task of a page")
		}
		return longest
	}
}

// task is how long something held a thread: in processor time, and by the clock, which on a machine that
// others use as well says more about them.
type task struct{ busy, took time.Duration }

// orLonger is the longer one in both.
func (a task) orLonger(b task) task { return task{max(a.busy, b.busy), max(a.took, b.took)} }
