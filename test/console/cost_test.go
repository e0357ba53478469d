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
)

const (
	manyRoutes   = 500
	loadRate     = 3000 // requests a second that are tried for
	phase        = 8 * time.Second
	mostBlocked  = 100 * time.Millisecond
	mostCostPart = 0.02 // of one core
)

// TestTheCostOfThePage has 500 routes, 100 of them in a stage, a few thousand requests a second, and the page
// open and closed by turns. The gateway's processor time is read from the kernel; the browser's own
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

	var open, closed []float64
	var requests []int64
	longest := time.Duration(0)
	for range 4 {
		b.visit("about:blank")
		from := sent()
		closed = append(closed, s.spent())
		requests = append(requests, sent()-from)

		stop := b.trace()
		b.visit(s.page())
		b.wait(`document.querySelectorAll(".row .spark").length > 10`)
		from = sent()
		open = append(open, s.spent())
		requests = append(requests, sent()-from)
		b.do("use the page", evaluateOnly(`document.querySelector(".c-rate button").click(); scrollTo(0, 20000);
			document.getElementById("filter").value = "part-1"; document.getElementById("filter").dispatchEvent(new Event("input"));`))
		b.wait(`document.querySelectorAll(".rows .row").length > 5`)
		longest = max(longest, stop())
	}
	t.Logf("requests in each phase of %s: %v", phase, requests)
	t.Logf("gateway, share of one core: page closed %.3f, open %.3f", closed, open)
	more := middle(open) - middle(closed)
	t.Logf("with the page open: %+.3f of one core (%+.1f %% of what the gateway takes); longest task in the browser %s", more, 100*more/middle(closed), longest)
	if more > mostCostPart {
		t.Errorf("the page costs the gateway %.1f %% of a core", 100*more)
	}
	if longest > mostBlocked {
		t.Errorf("the browser's main thread was blocked for %s", longest)
	}
}

// spent is the part of one core that the gateway uses over a phase.
func (s *site) spent() float64 {
	s.t.Helper()
	before, began := s.ticks(), time.Now()
	time.Sleep(phase) // the measurement itself
	return float64(s.ticks()-before) / 100 / time.Since(began).Seconds()
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
func (b *browser) trace() func() time.Duration {
	b.t.Helper()
	var mu sync.Mutex
	var longest time.Duration
	var events int
	done := make(chan struct{})
	ctx, cancel := context.WithCancel(b.ctx)
	err := chromedp.ListenBrowser(ctx, func(event any) {
		switch e := event.(type) {
		case *tracing.EventDataCollected:
			for _, raw := range e.Value {
				var task struct {
					Name string
					Dur  int64
				}
				if json.Unmarshal(raw, &task) != nil {
					continue
				}
				mu.Lock()
				events++
				if task.Name == "RunTask" || task.Name == "ThreadControllerImpl::RunTask" {
					longest = max(longest, time.Duration(task.Dur)*time.Microsecond)
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
	return func() time.Duration {
		defer cancel()
		if _, err := chromedp.CallBrowser(b.ctx, tracing.End, struct{}{}); err != nil {
			b.t.Fatal(err)
		}
		<-done
		mu.Lock()
		defer mu.Unlock()
		if events == 0 {
			b.t.Error("the browser traced nothing")
		}
		return longest
	}
}

func middle(list []float64) float64 {
	sum := 0.0
	for _, x := range list {
		sum += x
	}
	return sum / float64(len(list))
}
