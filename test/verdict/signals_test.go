package verdict

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"yadokari/test/process"
)

// till is a side of a shop that counts its orders as Prometheus reads them. It may lose orders and answer as ever.
type till struct {
	*httptest.Server
	orders atomic.Int64
	loses  atomic.Bool
}

func openTill(t *testing.T) *till {
	t.Helper()
	s := &till{}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /order", func(w http.ResponseWriter, _ *http.Request) {
		if !s.loses.Load() {
			s.orders.Add(1)
		}
		w.Header().Set("Location", "/thanks")
		w.WriteHeader(http.StatusSeeOther)
	})
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		fmt.Fprintf(w, "# TYPE orders_total counter\norders_total %d\n", s.orders.Load())
	})
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

func (s *till) address() string { return strings.TrimPrefix(s.URL, "http://") }

// startPrometheus starts a Prometheus server that looks at both sides once a second.
func startPrometheus(t *testing.T, vm, containers *till) string {
	t.Helper()
	dir, address := t.TempDir(), process.FreeAddress(t)
	file := process.WriteFile(t, dir, "prometheus.yml", fmt.Sprintf(`
global: {scrape_interval: 1s}
scrape_configs:
  - job_name: shop
    static_configs:
      - {targets: [%q], labels: {side: vm}}
      - {targets: [%q], labels: {side: containers}}
`, vm.address(), containers.address()))
	p := process.Start(t, "prometheus", exec.Command("prometheus", "--config.file", file, "--storage.tsdb.path", dir+"/data",
		"--web.listen-address", address, "--log.level", "warn"))
	p.Listening(t, address)
	return address
}

// TestOrdersThatGetLost has a new side that answers every order as the old one does and keeps none of them: only who
// counts orders can tell.
func TestOrdersThatGetLost(t *testing.T) {
	vm, containers := openTill(t), openTill(t)
	prometheus := startPrometheus(t, vm, containers)
	g := startGateway(t, 10*time.Second, []string{vm.address()}, []string{containers.address()},
		fmt.Sprintf("  prometheus: {url: %q, every: 1s}", "http://"+prometheus),
		`          signals: [{name: orders, query: 'sum(increase(orders_total{side="{side}"}[{since}]))', worse: fewer, perUser: 20}]`)
	c, ctx := newCrowd(t, g.address)
	c.admit(ctx, 0, 400, 150, func(u *user) { u.ask(http.MethodPost, "/order", "basket=1") })

	g.enter(t, "50%")
	time.Sleep(20 * time.Second) // the measurement itself: as many orders on both sides condemn nobody
	if now := g.status(t); now.State == rolledBack {
		t.Fatalf("with the same program: %s", now.Reason)
	}
	containers.loses.Store(true)
	g.enter(t, "50%")
	process.Eventually(t, "the route is rolled back", func() bool { return g.status(t).State == rolledBack })
	reason := g.status(t).Reason
	t.Log(reason)
	if !strings.Contains(reason, "orders on containers and") {
		t.Errorf("rolled back for %s", reason)
	}
}
