package admin

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"yadokari/certs"
)

const (
	maxHeader   = 32 << 10
	headerTime  = 10 * time.Second
	requestTime = 30 * time.Second // for a request, and for an answer that is no stream
	idleTime    = 2 * time.Minute
	stopTime    = 5 * time.Second
	maxInFlight = 256 // requests at once, streams among them; probes are not counted
)

// Options are what a Server needs of the process it belongs to.
type Options struct {
	Logger   *slog.Logger
	Registry *prometheus.Registry // what /metrics shows; the Server adds the process and itself
	Live     func() error         // why the process had better be restarted; nil: never
	Ready    func() error         // why it is to get no traffic now; nil: always ready
}

// Server is the admin port. Handlers are added with Handle before Serve.
type Server struct {
	cfg      Config
	host     string
	options  Options
	log      *slog.Logger
	mux      *http.ServeMux
	tokens   *tokens
	tls      *tls.Config
	address  atomic.Pointer[net.Addr]
	stopping chan struct{}
	inFlight atomic.Int64
	streams  atomic.Int64
	requests *prometheus.CounterVec
}

// New makes a Server with /livez, /readyz and /metrics, and reads the files that cfg names.
func New(cfg Config, options Options) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("admin: %w", err)
	}
	host, _, err := net.SplitHostPort(cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("admin: %w", err)
	}
	s := &Server{cfg: cfg, host: host, options: options, log: options.Logger, mux: http.NewServeMux(), stopping: make(chan struct{})}
	if err := s.open(); err != nil {
		return nil, fmt.Errorf("admin: %w", err)
	}
	if err := s.register(); err != nil {
		return nil, fmt.Errorf("admin: %w", err)
	}
	if cfg.TLS == nil && cfg.TokenFile != "" && !IsLoopback(host) {
		s.log.Warn("tokens cross the network in the clear: set tls for the admin port", "listen", cfg.Listen)
	}
	s.probes()
	return s, nil
}

// open reads tokens, certificate and authorities.
func (s *Server) open() error {
	var err error
	if s.cfg.TokenFile != "" {
		if s.tokens, err = openTokens(s.cfg.TokenFile, s.log); err != nil {
			return err
		}
	}
	if s.cfg.TLS == nil {
		return nil
	}
	certificate, err := s.cfg.TLS.Open(s.log)
	if err != nil {
		return err
	}
	var clients *certs.Pool
	if s.cfg.ClientCA != "" {
		if clients, err = certs.OpenPool(s.cfg.ClientCA, s.log); err != nil {
			return err
		}
	}
	s.tls = certs.ServerConfig(certificate, clients)
	return nil
}

// Handle serves requests that match pattern, one of http.ServeMux, to callers who have at least the
// given role. The handler finds the caller with Caller; the request's body is limited to MaxBody. A
// handler that takes longer than half a minute must move its write deadline on (Stream does).
func (s *Server) Handle(pattern string, role Role, handler http.Handler) {
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		if role > Anyone {
			who, refused := s.identify(r)
			if refused == nil && who.Role < role {
				refused = &Error{http.StatusForbidden, "not-allowed", fmt.Sprintf("%s is a %v; this takes the role %v", who.Name, who.Role, role),
					"use the token of a caller with that role"}
			}
			if refused != nil {
				WriteError(w, refused)
				return
			}
			r = r.WithContext(context.WithValue(r.Context(), identityKey{}, who))
			w.(*recorder).who = who.Name
		}
		r.Body = http.MaxBytesReader(w, r.Body, MaxBody)
		handler.ServeHTTP(w, r)
	})
}

// Addr is where the Server listens, or nil before Serve does.
func (s *Server) Addr() net.Addr {
	if address := s.address.Load(); address != nil {
		return *address
	}
	return nil
}

// Serve listens on listener, or without one where the settings say, until ctx ends; then it finishes
// the requests under way within a few seconds, ends the streams, and returns nil. A listener that
// other machines can reach is refused when nothing tells callers apart. It may be called once.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	if listener == nil {
		var err error
		if listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", s.cfg.Listen); err != nil {
			return fmt.Errorf("admin: %w", err)
		}
	}
	if s.cfg.open() && !local(listener.Addr()) {
		_ = listener.Close()
		return fmt.Errorf("admin: %v can be reached from other machines, and nothing tells callers apart: set tokenFile or clientCA", listener.Addr())
	}
	address := listener.Addr()
	s.address.Store(&address)
	if s.tls != nil {
		listener = tls.NewListener(listener, s.tls)
	}
	server := &http.Server{
		Handler: s.handler(), ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
		ReadHeaderTimeout: headerTime, ReadTimeout: requestTime, WriteTimeout: requestTime, IdleTimeout: idleTime, MaxHeaderBytes: maxHeader,
		BaseContext: func(net.Listener) context.Context { return context.WithValue(context.Background(), serverKey{}, s) },
		Protocols:   new(http.Protocols),
	}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetHTTP2(s.tls != nil)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return fmt.Errorf("admin: %w", err)
	case <-ctx.Done():
	}
	close(s.stopping)
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
	defer cancel()
	if err := server.Shutdown(stop); err != nil {
		return errors.Join(fmt.Errorf("admin: requests under way were cut off: %w", err), server.Close())
	}
	return nil
}

type serverKey struct{}

// local tells whether only this machine reaches a listener at address.
func local(address net.Addr) bool {
	switch a := address.(type) {
	case *net.TCPAddr:
		return a.IP.IsLoopback()
	case *net.UnixAddr:
		return true // the file's permissions say who
	}
	return false
}

// handler is everything that comes before a pattern is looked for.
func (s *Server) handler() http.Handler {
	sameOrigin := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w := &recorder{ResponseWriter: rw, status: http.StatusOK}
		defer s.done(w, r)
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", "frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		if r.URL.Path != "/livez" && r.URL.Path != "/readyz" {
			defer s.inFlight.Add(-1)
			if s.inFlight.Add(1) > maxInFlight {
				h.Set("Retry-After", "1")
				WriteError(w, &Error{http.StatusServiceUnavailable, "busy", "too many requests at once", "try again"})
				return
			}
			if refused := s.guardHost(r); refused != nil {
				WriteError(w, refused)
				return
			}
		}
		if err := sameOrigin.Check(r); err != nil {
			WriteError(w, &Error{http.StatusForbidden, "cross-origin", "a page of another origin sent this request", ""})
			return
		}
		s.route(w, r)
	})
}

// route serves r, and answers what no pattern matches as the API answers.
func (s *Server) route(w *recorder, r *http.Request) {
	handler, pattern := s.mux.Handler(r)
	if pattern != "" {
		s.mux.ServeHTTP(w, r)
		return
	}
	probe := &discard{header: http.Header{}}
	handler.ServeHTTP(probe, r)
	if probe.status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", probe.header.Get("Allow"))
		WriteError(w, &Error{http.StatusMethodNotAllowed, "wrong-method", r.Method + " is not understood here", "use " + probe.header.Get("Allow")})
		return
	}
	WriteError(w, &Error{http.StatusNotFound, "not-found", "there is nothing at this path", ""})
}

// done counts a request, and logs those that could change something.
func (s *Server) done(w *recorder, r *http.Request) {
	s.requests.WithLabelValues(strconv.Itoa(w.status)).Inc()
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
	default:
		s.log.Info("admin request", "caller", w.who, "method", r.Method, "path", r.URL.Path, "status", w.status, "peer", r.RemoteAddr)
	}
}

// recorder remembers what was answered, and to whom.
type recorder struct {
	http.ResponseWriter
	status int
	who    string
}

func (w *recorder) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// discard keeps the head of an answer and drops its body.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(status int)      { d.status = status }
