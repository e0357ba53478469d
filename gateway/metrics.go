package gateway

import (
	"net"
	"net/url"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics gives prometheus what the gateway counts. It reads the counters that requests keep anyway,
// so that a request pays nothing for being measured.
func (g *Gateway) Metrics() prometheus.Collector { return &metrics{gateway: g} }

type metrics struct{ gateway *Gateway }

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("yadokari_gateway_"+name, help, labels, nil)
}

// descriptions are the gateway's metrics; sides are old and new.
type descriptions struct {
	requests, failures, late, durations, fallbacks, share, streak *prometheus.Desc
	inFlight, inFlightMost, connections, connectionsMost          *prometheus.Desc
	refused, rejected, tunnels, logDropped                        *prometheus.Desc
	followed, unfollowed                                          *prometheus.Desc
	serverInFlight, serverUp, nameResolves                        *prometheus.Desc
	keyUsers, keyChanged, keyMissing                              *prometheus.Desc
	mirrorCompared, mirrorDifferent, mirrorSkipped, mirrorFailed  *prometheus.Desc
}

func newDescriptions() descriptions {
	return descriptions{
		requests:        describe("requests_total", "First attempts, by route and side.", "route", "side"),
		failures:        describe("failures_total", "First attempts that failed, whether or not the old side then answered.", "route", "side"),
		durations:       describe("request_duration_seconds", "How long first attempts took, to the server's last byte; without those that failed. Bounds are kept to within 2.3 %.", "route", "side"),
		late:            describe("late_requests_total", "Requests that ended after their route had moved; left out of the counts and the verdict.", "route"),
		fallbacks:       describe("fallbacks_total", "Requests that the old side answered after the new side failed, or was silent for fallback.timeout.", "route"),
		share:           describe("share_ratio", "Part of the route's users on the new side.", "route"),
		streak:          describe("streak_requests", "First attempts on the new side that have failed one after the other up to now.", "route"),
		inFlight:        describe("in_flight_requests", "Requests under way."),
		inFlightMost:    describe("in_flight_limit_requests", "limits.inFlight: one more request is refused."),
		connections:     describe("connections", "Connections of users."),
		connectionsMost: describe("connections_limit", "limits.connections: more wait in the kernel's queue."),
		refused:         describe("refused_requests_total", "Requests refused because of limits.inFlight."),
		rejected:        describe("rejected_requests_total", "Requests ended because where they end was ambiguous or malformed, by reason.", "reason"),
		tunnels:         describe("upgraded_connections", "Upgraded connections (WebSocket) under way."),
		logDropped:      describe("access_log_dropped_lines_total", "Access-log lines dropped because the log was stuck."),
		followed:        describe("followed_requests", "Requests that the old side has answered while the new side, silent for fallback.timeout, may still do so."),
		unfollowed:      describe("unfollowed_requests_total", "Of them, those whose end on the new side is not known because there were too many; left out of the counts and the verdict."),
		serverInFlight:  describe("server_in_flight_requests", "Requests under way at a server.", "backend", "server"),
		nameResolves:    describe("name_resolves", "1 when the last lookup of a server's name went well; after one that failed its last addresses stay.", "backend", "name"),
		serverUp:        describe("server_available", "1 when the server gets requests: not drained, ejected or unhealthy.", "backend", "server"),
		keyUsers:        describe("key_users", "Users who had a key (sticky.cookie) in the last minute; of very many a sample."),
		keyChanged:      describe("key_changed_users", "Of them, those whom an answer gave another key: they may change sides."),
		keyMissing:      describe("key_missing_ratio", "Part of the last minute's requests that had no key and are known by their address."),
		mirrorCompared:  describe("mirror_compared_total", "Requests whose answers by both sides the mirror has compared.", "route"),
		mirrorDifferent: describe("mirror_different_total", "Of them, those that differed after noise was taken out.", "route"),
		mirrorSkipped:   describe("mirror_skipped_total", "Requests that were not copied because mirror.concurrency was reached.", "route"),
		mirrorFailed:    describe("mirror_failed_total", "Copies that the new side did not answer.", "route"),
	}
}

// Describe gives no descriptions: the set depends on the routes (an unchecked collector).
func (m *metrics) Describe(chan<- *prometheus.Desc) {}

// Collect reads every counter once.
func (m *metrics) Collect(out chan<- prometheus.Metric) {
	d := newDescriptions()
	g := m.gateway
	t := g.table.Load()
	gauge := func(desc *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, v, labels...)
	}
	counter := func(desc *prometheus.Desc, v uint64, labels ...string) {
		out <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(v), labels...)
	}
	gauge(d.inFlight, float64(g.inFlight.Load()))
	gauge(d.inFlightMost, float64(t.config.Limits.InFlight))
	gauge(d.connections, float64(g.connections()))
	gauge(d.connectionsMost, float64(t.config.Limits.Connections))
	gauge(d.tunnels, float64(len(g.tunnels.now())))
	gauge(d.followed, float64(g.followed.Load()))
	counter(d.unfollowed, g.unfollowed.Load())
	counter(d.refused, g.refused.Load())
	for reason, n := range g.rejected.counts() {
		counter(d.rejected, n, reason)
	}
	counter(d.logDropped, g.log.dropped.Load())
	if k := g.Keys(); k.Cookie != "" {
		gauge(d.keyUsers, float64(k.Users))
		gauge(d.keyChanged, float64(k.Changed))
		gauge(d.keyMissing, k.missing())
	}
	for _, r := range append(t.routes[:len(t.routes):len(t.routes)], t.rest) {
		collectRoute(d, r, out, gauge, counter)
	}
	for name, b := range t.backends {
		for id, u := range usages(b.servers()) {
			gauge(d.serverInFlight, float64(u.inFlight), name, id)
			gauge(d.serverUp, u.up, name, id)
		}
		for host, resolves := range lookups(b.group.Names()) {
			gauge(d.nameResolves, resolves, name, host)
		}
	}
}

// lookups are 1 for a name whose last lookup went well and 0 for another, by name. Two URLs may have one: then
// both lookups must have.
func lookups(names []NameStatus) map[string]float64 {
	all := map[string]float64{}
	for _, n := range names {
		u, err := url.Parse(n.URL)
		if err != nil || net.ParseIP(u.Hostname()) != nil {
			continue
		}
		if _, known := all[u.Hostname()]; !known {
			all[u.Hostname()] = 1
		}
		if n.Error != "" {
			all[u.Hostname()] = 0
		}
	}
	return all
}

// usage is what metrics say of one address.
type usage struct {
	inFlight int
	up       float64
}

// usages are by ID, as metrics are: an address that one name has left while another leads to it now is two
// servers, and a metric that is there twice would make the whole page an error.
func usages(servers []ServerStatus) map[string]usage {
	all := map[string]usage{}
	for _, s := range servers {
		u := all[s.ID]
		u.inFlight += s.InFlight
		if !s.Drained && !s.Ejected && !s.Leaving && s.Health != "unhealthy" {
			u.up = 1
		}
		all[s.ID] = u
	}
	return all
}

func collectRoute(d descriptions, r *route, out chan<- prometheus.Metric,
	gauge func(*prometheus.Desc, float64, ...string), counter func(*prometheus.Desc, uint64, ...string),
) {
	for s, name := range [...]string{"old", "new"} {
		if t := &r.sides[s]; t.requests.Load() > 0 {
			counter(d.requests, t.requests.Load(), r.name, name)
			counter(d.failures, t.failures.Load(), r.name, name)
			took := t.durations()
			out <- took.metric(d.durations, r.name, name)
		}
	}
	if r.new == nil {
		return
	}
	counter(d.late, r.late.Load(), r.name)
	counter(d.fallbacks, r.fallbacks.Load(), r.name)
	gauge(d.share, float64(r.placement.Load().Share), r.name)
	gauge(d.streak, float64(r.streak.Load()), r.name)
	if found := r.copier.counts(); found.Chosen > 0 {
		counter(d.mirrorCompared, found.Compared, r.name)
		counter(d.mirrorDifferent, found.Different, r.name)
		counter(d.mirrorSkipped, found.Skipped, r.name)
		counter(d.mirrorFailed, found.Failed, r.name)
	}
}

func (g *Gateway) connections() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.front == nil {
		return 0
	}
	return g.front.open()
}
