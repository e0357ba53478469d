package journeys

import (
	"io"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"yadokari/shift"
	"yadokari/test/process"
)

// TestNGINXFails: the new side is a site that NGINX serves, which is killed, or hangs, under 200 requests a
// second. Every user gets the page, and the gateway goes back by itself.
func TestNGINXFails(t *testing.T) {
	for name, signal := range map[string]syscall.Signal{"killed": syscall.SIGKILL, "hung": syscall.SIGSTOP} {
		t.Run(name, func(t *testing.T) {
			site := map[string]string{"index.html": "<p>the same page on both sides</p>"}
			vm, containers := startNGINX(t, "vm", site), startNGINX(t, "containers", site)
			g := startGateway(t, setUp{vm: []string{vm.address}, containers: []string{containers.address}, routes: manySmallSteps})
			readers := startReaders(t, g.url()+"/index.html", site["index.html"])
			g.set(t, "all", "25%")
			process.Eventually(t, "the new side serves", func() bool { return g.status(t, "all").New.Requests >= 50 })
			containers.Signal(signal)
			process.Eventually(t, "the route is rolled back", func() bool { return g.status(t, "all").State == shift.RolledBack })
			time.Sleep(200 * time.Millisecond) // more readers
			requests, failures := readers()
			containers.Signal(syscall.SIGCONT)
			t.Logf("%d requests, %d failures; %s", requests, failures, g.ledger(t)[1].Why)
			if failures > 0 || requests < 50 {
				t.Errorf("%d of %d requests failed for a user", failures, requests)
			}
			g.MustStop(t)
		})
	}
}

// startReaders lets users read a page 200 times a second, until the function it returns ends that and says
// how many requests there were, and how many did not get the page.
func startReaders(t *testing.T, url, page string) (end func() (requests, failures int64)) {
	t.Helper()
	client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 1000}}
	var requests, failures atomic.Int64
	var under sync.WaitGroup
	stop := make(chan struct{})
	under.Go(func() {
		ticker := time.NewTicker(time.Second / 200)
		defer ticker.Stop()
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			case <-ticker.C:
			}
			under.Go(func() {
				requests.Add(1)
				q, _ := http.NewRequest(http.MethodGet, url, nil) // the URL is the gateway's own
				q.AddCookie(&http.Cookie{Name: "SESSION", Value: "reader" + strconv.Itoa(n%400)})
				answer, err := client.Do(q)
				if err != nil {
					failures.Add(1)
					return
				}
				defer answer.Body.Close()
				if text, err := io.ReadAll(answer.Body); err != nil || string(text) != page {
					failures.Add(1)
				}
			})
		}
	})
	end = sync.OnceValues(func() (int64, int64) {
		close(stop)
		under.Wait()
		client.CloseIdleConnections()
		return requests.Load(), failures.Load()
	})
	t.Cleanup(func() { end() })
	return end
}
