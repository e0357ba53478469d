package tracker

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Headers of every answer, by which load generators and tests check who answered whom.
const (
	// HeaderBuild names the build that made the answer: Config.Version.
	HeaderBuild = "X-Tracker-Build"
	// HeaderUser is the name of the user whose session the request belongs to.
	HeaderUser = "X-Tracker-User"
	// HeaderRequest is sent back as it came, so that an answer can be matched with its request.
	HeaderRequest = "X-Request-Id"
)

// Server is one running copy of the tracker.
type Server struct {
	config Config
	log    *slog.Logger
	store  *Store
	hub    *hub
	audit  *auditLog
	mail   *mailer
	faults *faultSet
	pages  map[string]*template.Template
	assets map[string]asset

	handler  http.Handler
	stats    requestStats
	sockets  sync.WaitGroup // hijacked connections, which http.Server does not wait for
	stopping atomic.Bool
	stopHub  context.CancelFunc
	hubDone  chan struct{}

	listener, controlListener net.Listener
}

// New makes a copy of the tracker: it removes a marker of an earlier life, opens the data directory,
// the audit log and the mail queue. Close or Serve must be called to end it.
func New(ctx context.Context, config Config, log *slog.Logger) (*Server, error) {
	config, err := config.normal()
	if err != nil {
		return nil, err
	}
	if err := removeMarker(config.Marker); err != nil {
		return nil, err
	}
	s := &Server{config: config, log: log, faults: newFaultSet(config.Faults), hubDone: make(chan struct{})}
	if s.pages, err = loadPages(); err != nil {
		return nil, err
	}
	if s.assets, err = loadAssets(); err != nil {
		return nil, err
	}
	if s.store, err = OpenStore(ctx, config.Data); err != nil {
		return nil, err
	}
	if s.hub, err = newHub(ctx, s.store, log); err != nil {
		return nil, errors.Join(err, s.store.Close())
	}
	if s.audit, err = openAudit(config.Audit, config.Version, log); err != nil {
		return nil, errors.Join(err, s.store.Close())
	}
	s.faults.tear = s.audit.tear
	if s.mail, err = startMailer(config.Mail, log); err != nil {
		return nil, errors.Join(err, s.audit.close(), s.store.Close())
	}
	s.handler = s.chain()
	hubContext, stopHub := context.WithCancel(context.WithoutCancel(ctx))
	s.stopHub = stopHub
	go func() {
		defer close(s.hubDone)
		s.hub.run(hubContext)
	}()
	return s, nil
}

// Handler is the whole application.
func (s *Server) Handler() http.Handler { return s.handler }

// chain is what a request passes through before it reaches its page.
func (s *Server) chain() http.Handler {
	h := s.identify(s.thinking(s.routes()))
	h = http.NewCrossOriginProtection().Handler(h)
	h = slower(s.config.Slower, h)
	h = s.faults.handler(h)
	return s.counting(h)
}

// counting marks each answer with who made it, and counts it.
func (s *Server) counting(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.stats.begin()
		defer s.stats.end()
		header := w.Header()
		header.Set(HeaderBuild, s.config.Version)
		if id := r.Header.Get(HeaderRequest); id != "" {
			header.Set(HeaderRequest, id)
		}
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "+
			"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		if s.stopping.Load() {
			header.Set("Connection", "close") // so that no one's next request meets a closed connection
		}
		next.ServeHTTP(w, r)
	})
}

func (s *Server) thinking(next http.Handler) http.Handler {
	if s.config.Think.Median == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != healthPath {
			s.config.Think.think(r.Context())
		}
		next.ServeHTTP(w, r)
	})
}

// written records that a user changed something.
func (s *Server) written(user, action, object, detail string) {
	s.audit.write(user, action, object, detail)
	s.hub.wake()
}

// Listen opens the listeners, so that URL and ControlURL are known before Serve.
func (s *Server) Listen() error {
	var err error
	if s.listener, err = net.Listen("tcp", s.config.Listen); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	if s.config.Control == "" {
		return nil
	}
	if s.controlListener, err = net.Listen("tcp", s.config.Control); err != nil {
		return errors.Join(fmt.Errorf("listen for control: %w", err), s.listener.Close())
	}
	return nil
}

// URL is where the pages are, once Listen has been called.
func (s *Server) URL() string { return "http://" + s.listener.Addr().String() }

// ControlURL is where the control listener is; it is empty without one.
func (s *Server) ControlURL() string {
	if s.controlListener == nil {
		return ""
	}
	return "http://" + s.controlListener.Addr().String()
}

// Serve answers requests until ctx ends, and then stops in order (see stop). The error says what
// could not be written out, or why serving ended before ctx did.
func (s *Server) Serve(ctx context.Context) error {
	web := s.httpServer(s.handler)
	failed := make(chan error, 2)
	go func() { failed <- web.Serve(s.listener) }()
	var control *http.Server
	if s.controlListener != nil {
		control = s.httpServer(s.controlHandler())
		go func() { failed <- control.Serve(s.controlListener) }()
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
		err = fmt.Errorf("serve: %w", err)
	}
	return errors.Join(err, s.stop(web, control))
}

func (s *Server) httpServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
}

func removeMarker(path string) error {
	if path == "" {
		return nil
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("the marker of an earlier life: %w", err)
	}
	return nil
}
