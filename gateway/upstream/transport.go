package upstream

import (
	"context"
	"crypto/tls"
	"net"
	"net/url"
	"sync"
	"time"
)

// sweepEvery is how often waits are held against their bounds. Bounds are therefore kept to within
// this time, which spares every request two timers.
const sweepEvery = 50 * time.Millisecond

// Transport makes and watches the connections to all servers of one backend.
type Transport struct {
	cfg    Config
	tls    *tls.Config // nil: none of the servers is https
	dialer net.Dialer
	epoch  time.Time

	mu    sync.Mutex
	hosts map[*Host]struct{}
}

// New returns a Transport for servers reached with the given settings. tlsConfig is used for https
// servers; nil means the system's authorities.
func New(cfg Config, tlsConfig *tls.Config) *Transport {
	if tlsConfig == nil {
		tlsConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	return &Transport{
		cfg: cfg, tls: tlsConfig, dialer: net.Dialer{Timeout: cfg.Connect},
		epoch: time.Now(), hosts: map[*Host]struct{}{},
	}
}

// Open returns the Host at hostPort (an address to dial) that was configured as base. Close it when
// the server is gone.
func (t *Transport) Open(base *url.URL, hostPort string) *Host {
	h := &Host{transport: t, address: hostPort, conns: map[*conn]struct{}{}}
	if base.Scheme == "https" {
		h.tls = t.tls.Clone()
		h.tls.ServerName = base.Hostname()
		h.tls.NextProtos = []string{"http/1.1"}
	}
	h.authority = base.Host
	t.mu.Lock()
	t.hosts[h] = struct{}{}
	t.mu.Unlock()
	return h
}

// Run holds waiting exchanges against their bounds and closes idle connections, until ctx has ended
// and every Host has been closed.
func (t *Transport) Run(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for range tick.C {
		t.sweep()
		if ctx.Err() != nil && t.empty() {
			return
		}
	}
}

func (t *Transport) empty() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.hosts) == 0
}

func (t *Transport) sweep() {
	t.mu.Lock()
	hosts := make([]*Host, 0, len(t.hosts))
	for h := range t.hosts {
		hosts = append(hosts, h)
	}
	t.mu.Unlock()
	now := t.now()
	for _, h := range hosts {
		h.sweep(now)
	}
}

// now is the time since the Transport began, in nanoseconds: an instant that fits an atomic.
func (t *Transport) now() int64 { return int64(time.Since(t.epoch)) }

func (t *Transport) forget(h *Host) {
	t.mu.Lock()
	delete(t.hosts, h)
	t.mu.Unlock()
}
