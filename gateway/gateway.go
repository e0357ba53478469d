package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"yadokari/certs"
	"yadokari/gateway/keys"
	"yadokari/shift"
)

// Gateway is the data plane: an http.Handler for users' requests, and the shift.DataPlane that moves
// them. Make it with New.
type Gateway struct {
	config Config // as it was at the start: what a reload cannot change is read from here
	logger *slog.Logger
	log    *accessLog
	born   time.Time // from which the beginnings of requests are counted
	scheme string
	tls    *tls.Config

	table      atomic.Pointer[table]
	inFlight   atomic.Int64
	refused    atomic.Uint64 // requests over limits.inFlight
	rejected   rejections    // requests that the framing gate ended
	stopping   atomic.Bool
	tunnels    sessions
	followed   atomic.Int64  // stragglers whose users have been served
	unfollowed atomic.Uint64 // those given up because there were too many
	churn      keys.Churn
	returning  *keys.Returning
	drains     drainFile

	reloading sync.Mutex // guards a reload, which may wait for names to be looked up, against another

	mu      sync.Mutex // guards front and second
	life    context.Context
	running sync.WaitGroup
	front   *front
	second  bool // another process listened when this one began to
}

// New makes a gateway from a valid Config. life bounds the work behind it (name resolution, checks,
// mirrored copies); Run serves.
func New(life context.Context, c Config, logger *slog.Logger) (*Gateway, error) {
	g := &Gateway{
		config: c, logger: logger, log: openAccessLog(c.AccessLog, logger), born: time.Now(), scheme: "http", life: life,
		drains: drainFile{dir: c.State}, returning: keys.NewReturning(),
	}
	if c.TLS != nil {
		g.scheme = "https"
		certificate, err := c.TLS.Open(logger)
		if err != nil {
			return nil, err
		}
		g.tls = certs.ServerConfig(certificate, nil)
	}
	t, err := g.build(&c, nil)
	if err != nil {
		return nil, err
	}
	g.table.Store(t)
	return g, nil
}

// ErrNeedsRestart says that a new configuration was taken over but for what a process reads once.
var ErrNeedsRestart = errors.New("the rest has been taken over, but this takes effect with a new process")

// Reload takes over a new, valid configuration without touching a request under way. What a process
// reads once (see needRestart) needs a new one; the rest is taken over and an ErrNeedsRestart that names
// it returned. Any other error changes nothing.
func (g *Gateway) Reload(c Config) error {
	g.reloading.Lock()
	defer g.reloading.Unlock()
	old := g.table.Load()
	t, err := g.replace(&c, old)
	if err != nil {
		return err
	}
	old.retire(t)
	if err := g.log.reopen(); err != nil {
		g.logger.Error("the access log goes on where it was", "error", err)
	}
	if names := needRestart(&g.config, &c); len(names) > 0 {
		return fmt.Errorf("%w: %s", ErrNeedsRestart, strings.Join(names, ", "))
	}
	return nil
}

// replace puts a table made from c in the place of old. Servers are drained before or after, but not
// meanwhile: looking names up may take seconds, and what is said of the old table would be lost.
func (g *Gateway) replace(c *Config, old *table) (*table, error) {
	g.drains.mu.Lock()
	defer g.drains.mu.Unlock()
	t, err := g.build(c, old)
	if err != nil {
		return nil, err
	}
	for _, r := range old.routes {
		if now := t.byName[r.name]; now == nil || now.config.From != r.config.From || now.config.To != r.config.To || now.new == nil {
			r.move(shift.Placement{}) // its share was for other sides: the control loop hears of it only later
		}
	}
	g.table.Store(t)
	return t, nil
}

// needRestart names the settings that differ and are read only when a process begins.
func needRestart(was, is *Config) (names []string) {
	for _, setting := range []struct {
		name    string
		was, is any
	}{
		{"listen", was.Listen, is.Listen},
		{"tls", was.TLS, is.TLS},
		{"h2c", was.H2C, is.H2C},
		{"admin", was.Admin, is.Admin},
		{"state", was.State, is.State},
		{"accessLog", was.AccessLog, is.AccessLog},
		{"limits.headers", was.Limits.Headers, is.Limits.Headers},
		{"limits.headerTime", was.Limits.HeaderTime, is.Limits.HeaderTime},
		{"limits.connections", was.Limits.Connections, is.Limits.Connections},
		{"limits.idle (between requests)", was.Limits.Idle, is.Limits.Idle},
	} {
		if !reflect.DeepEqual(setting.was, setting.is) {
			names = append(names, setting.name)
		}
	}
	return names
}

// ServeHTTP serves one request of a user.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer g.inFlight.Add(-1)
	g.serve(w, r, g.inFlight.Add(1))
}

// refuse answers with a status of the gateway's own and a short body that says who answered.
func (g *Gateway) refuse(w http.ResponseWriter, r *http.Request, status int) {
	if leavesGate(r) {
		w.Header().Set("Connection", "close")
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, "%d %s (gateway)\n", status, http.StatusText(status)) // a user who is gone needs no answer
}

// leaving reports whether the gateway is about to stop, so that clients should connect anew.
func (g *Gateway) leaving() bool { return g.stopping.Load() }

// Ready is nil while the gateway should get requests.
func (g *Gateway) Ready() error {
	if g.stopping.Load() {
		return errors.New("stopping")
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.front == nil {
		return errors.New("not yet listening")
	}
	return nil
}

// TakesOver reports whether another process listened already when this one began to, and this one is
// its successor. It is false before Run listens.
func (g *Gateway) TakesOver() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.second
}

// Addr is the address users connect to; nil before Run listens.
func (g *Gateway) Addr() net.Addr {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.front == nil {
		return nil
	}
	return g.front.Listener.Addr()
}

// Close ends what New began, after Run has returned.
func (g *Gateway) Close() {
	g.table.Load().retire(nil)
	g.running.Wait()
	g.log.close()
}

// after waits, or less when ctx ends.
func after(ctx context.Context, d time.Duration) {
	wait := time.NewTimer(d)
	defer wait.Stop()
	select {
	case <-ctx.Done():
	case <-wait.C:
	}
}
