package admin

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// probes adds /livez and /readyz for everyone, as Kubernetes asks them, and /metrics for viewers.
func (s *Server) probes() {
	s.Handle("GET /livez", Anyone, probe("live", s.options.Live))
	s.Handle("GET /readyz", Anyone, probe("ready", s.options.Ready))
	s.Handle("GET /metrics", Viewer, promhttp.HandlerFor(s.options.Registry, promhttp.HandlerOpts{
		EnableOpenMetrics: true, MaxRequestsInFlight: 4, Timeout: requestTime / 2,
	}))
}

// probe answers ok with 200, or 503 and the reasons, one a line. With ?verbose it names the check too.
func probe(name string, check func() error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var reason error
		if check != nil {
			reason = check()
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		verbose := r.URL.Query().Has("verbose")
		if reason == nil {
			if verbose {
				fmt.Fprintf(w, "[+]%s\n", name)
			}
			fmt.Fprintln(w, "ok")
			return
		}
		w.WriteHeader(http.StatusServiceUnavailable)
		for line := range strings.Lines(strings.TrimSpace(reason.Error()) + "\n") {
			if verbose {
				fmt.Fprintf(w, "[-]%s: %s", name, line)
			} else {
				fmt.Fprint(w, line)
			}
		}
	})
}

// register adds the process's metrics and the Server's own to the registry. The process's may be
// there already.
func (s *Server) register() error {
	s.requests = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "yadokari_admin_requests_total", Help: "Requests to the admin port, by HTTP status.",
	}, []string{"code"})
	gauge := func(name, help string, value func() int64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return float64(value()) })
	}
	for _, c := range []prometheus.Collector{
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	} {
		var already prometheus.AlreadyRegisteredError
		if err := s.options.Registry.Register(c); err != nil && !errors.As(err, &already) {
			return err
		}
	}
	return errors.Join(
		s.options.Registry.Register(s.requests),
		s.options.Registry.Register(gauge("yadokari_admin_in_flight_requests", "Requests under way on the admin port, of at most 256.", s.inFlight.Load)),
		s.options.Registry.Register(gauge("yadokari_admin_open_streams", "Event streams open on the admin port.", s.streams.Load)),
	)
}
