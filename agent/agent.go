package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"yadokari/admin"
	"yadokari/lifecycle"
)

// Options are what an agent needs beside its Config.
type Options struct {
	// Command is the app with its arguments; empty: others start and stop it.
	Command []string
	// PodGrace is the pod's terminationGracePeriodSeconds; 0: as Config says, or unknown.
	PodGrace time.Duration
	// Pod and Cluster are the pod's name and the service cluster, in what is shipped; empty: none.
	Pod, Cluster string
	Version      string
	Logger       *slog.Logger
	// Output gets the receipt, one line of JSON.
	Output io.Writer
}

// Run works until ctx ends, SIGTERM or SIGINT come, the app ends or a part fails, and then stops in order;
// a second signal hurries the stop. Its error is what kept it from starting; a *lifecycle.PlanError is
// a stop that cannot fit. Otherwise the receipt says everything, and its Exit is the exit code.
//
// With a command Run takes every child process of this process, so that nothing else in it may start
// processes.
func Run(ctx context.Context, c Config, o Options) (*lifecycle.Receipt, error) {
	p := &process{config: c, options: o, log: o.Logger, started: time.Now(), registry: prometheus.NewRegistry(),
		notifier: lifecycle.NewNotifier(), failed: make(chan error, 8), gone: make(chan struct{})}
	signals := watchSignals(ctx, len(o.Command) > 0)
	defer signals.end()
	p.form = sidecar
	if len(o.Command) > 0 {
		p.form = withCommand
	}
	pod, err := p.podGrace()
	if err != nil {
		return nil, err
	}
	outline := c.plan(p.form, func(context.Context) error { return nil }, c.outline())
	outline.Pod = pod
	if err := outline.Check(); err != nil { // before anything is opened
		return nil, fmt.Errorf("agent: shutdown: %w", err)
	}
	if err := p.open(); err != nil {
		return nil, fmt.Errorf("agent: %w", err)
	}
	return p.live(ctx, signals), nil
}

// form is who starts and stops the app.
type form string

const (
	withCommand form = "command"
	sidecar     form = "sidecar"
)

// process is an agent with all that belongs to it.
type process struct {
	config   Config
	options  Options
	log      *slog.Logger
	form     form
	started  time.Time
	registry *prometheus.Registry
	notifier *lifecycle.Notifier
	admin    *admin.Server
	listener net.Listener
	parts    []Part
	failed   chan error

	child    atomic.Pointer[lifecycle.Child] // nil: not started
	gone     chan struct{}                   // closed when the child has ended or could not be started
	startErr error                           // why it could not; before gone is closed
	stopping atomic.Bool
	phase    atomic.Pointer[string]
	evidence atomic.Pointer[lifecycle.Evidence] // of a sidecar; nil before the app's phase is over
}

// podGrace is the pod's grace period as far as it is known.
func (p *process) podGrace() (time.Duration, error) {
	file := p.config.Shutdown.PodGraceFile
	if p.options.PodGrace > 0 || file == "" {
		return p.options.PodGrace, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, fmt.Errorf("agent: shutdown.podGraceFile: %w", err)
	}
	grace, err := lifecycle.ParseGrace(string(text))
	if err != nil {
		return 0, fmt.Errorf("agent: shutdown.podGraceFile %s: %w", file, err)
	}
	return grace, nil
}

// open clears old markers and opens the admin port and the parts.
func (p *process) open() (err error) {
	s := &p.config.Shutdown
	if s.Done != "" {
		if _, err := lifecycle.ClearMark(s.Done); err != nil {
			return err
		}
	}
	if s.Marker != "" && p.form == withCommand {
		found, err := lifecycle.ClearMark(s.Marker)
		if err != nil {
			return err
		}
		if found {
			p.log.Info("a marker of an earlier run was removed", "marker", s.Marker)
		}
	}
	if p.form == sidecar && s.Marker == "" && len(s.Ports)+len(s.Files) == 0 {
		p.log.Warn("nothing says when the app has finished, only that it hands nothing over any more: set shutdown.marker, ports or files, unless this is a native sidecar")
	}
	p.admin, err = admin.New(p.config.Admin, admin.Options{Logger: p.log, Registry: p.registry, Live: p.alive, Ready: p.ready})
	if err != nil {
		return err
	}
	if p.listener, err = net.Listen("tcp", p.config.Admin.Listen); err != nil {
		return fmt.Errorf("admin: %w", err)
	}
	if err := p.openParts(); err != nil {
		return errors.Join(err, p.listener.Close())
	}
	p.register()
	return nil
}

func (p *process) openParts() error {
	if c := p.config.Mail; c != nil {
		m, err := newMail(*c, p.config.Shutdown.Mail, p.log, p.registry)
		if err != nil {
			return err
		}
		p.parts = append(p.parts, m)
	}
	if c := p.config.Logs; len(c) > 0 { // last: mail may log
		l, err := newLogs(c, p.config.Shutdown.Logs, p.options, p.log, p.registry)
		if err != nil {
			return err
		}
		p.parts = append(p.parts, l)
	}
	return nil
}

// live runs the parts, the admin port and the app until something ends it, and stops.
func (p *process) live(ctx context.Context, signals *signals) *lifecycle.Receipt {
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	var running sync.WaitGroup
	running.Go(func() {
		if err := p.admin.Serve(life, p.listener); err != nil {
			p.failed <- fmt.Errorf("admin port: %w", err)
		}
	})
	for _, part := range p.parts {
		running.Go(func() {
			if err := part.Run(life); err != nil {
				p.failed <- fmt.Errorf("%s: %w", part.Name(), err)
			} else if !p.stopping.Load() {
				p.failed <- fmt.Errorf("%s ended by itself", part.Name())
			}
		})
	}
	go p.notifier.Guard(life, p.alive)
	go p.forward(life, signals.others)
	if p.form == sidecar && os.Getpid() == 1 {
		defer lifecycle.Reap()()
	}
	if ctx.Err() == nil {
		p.start()
	}
	reason, fault := p.attend(ctx, signals)
	receipt := p.finish(p.stop(reason, fault, signals.hurry)) // before anything else: there may be no time left
	end()
	ended := make(chan struct{})
	go func() {
		running.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(lastWait): // a part that was abandoned, or a client of the admin port
	}
	return receipt
}

const lastWait = time.Second

// start starts the app, if that is for us to do.
func (p *process) start() {
	if p.form == withCommand {
		child, err := lifecycle.Start(lifecycle.Command{Args: p.options.Command, Adopt: true})
		if err != nil {
			p.startErr = err
			close(p.gone)
			return
		}
		p.child.Store(child)
		go func() {
			<-child.Done()
			close(p.gone)
		}()
		p.log.Info("the app was started", "command", p.options.Command[0], "pid", child.PID())
	}
	p.notifier.Ready()
	p.log.Info("agent is ready", "form", string(p.form), "admin", p.listener.Addr().String(), "parts", strings.Join(p.names(), ", "))
}

func (p *process) names() []string {
	var names []string
	for _, part := range p.parts {
		names = append(names, part.Name())
	}
	return names
}

// told is why ctx has ended: the same word as for a signal that came to us first, where it ended by one.
func told(ctx context.Context) string {
	cause := context.Cause(ctx)
	if name, is := strings.CutSuffix(cause.Error(), " signal received"); is { // see signal.NotifyContext
		return name
	}
	return "told to stop"
}

// attend waits for the reason to stop, and hands signals on to the app meanwhile. A fault is what should
// not have been the reason.
func (p *process) attend(ctx context.Context, signals *signals) (reason, fault string) {
	select {
	case name := <-signals.stop:
		return name, ""
	case <-ctx.Done():
		return told(ctx), ""
	case <-p.gone:
		if p.startErr != nil {
			return "the app could not be started", p.startErr.Error()
		}
		return "the app " + p.child.Load().Exit().String(), ""
	case err := <-p.failed:
		return err.Error(), err.Error()
	}
}
