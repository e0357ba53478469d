// Package service puts the parts of yadokari together into running processes.
package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/prometheus/client_golang/prometheus"

	"yadokari/admin"
	"yadokari/api"
	"yadokari/config"
	"yadokari/console"
	"yadokari/gateway"
	"yadokari/history"
	"yadokari/promquery"
	"yadokari/shift"
)

// Options are what a process needs beside its file.
type Options struct {
	// Load reads the file; it is called again on SIGHUP.
	Load func() (*config.File, error)
	// Version is shown by the API.
	Version string
	Logger  *slog.Logger
}

// errNoSection is the error of a file that has no gateway.
var errNoSection = errors.New("the file has no section gateway (see yadokari.example.yaml)")

// RunGateway runs a gateway until ctx ends: the data plane, its control loop, and the admin port. A
// SIGHUP reads the file again; a signal after ctx has ended hurries the stop.
func RunGateway(ctx context.Context, o Options) error {
	file, err := o.Load()
	if err != nil {
		return err
	}
	if file.Config.Gateway == nil {
		return errNoSection
	}
	logger, written := passEvents(o.Logger)
	defer written()
	o.Logger = logger
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	defer surviveBrokenPipes()()
	p, err := newGatewayProcess(life, o, file)
	if err != nil {
		return err
	}
	defer p.close()
	return p.run(ctx, life, end)
}

// surviveBrokenPipes lets a write to a log that nobody reads any more fail, in place of ending the process
// and with it every user's request, as a write to stdout or stderr otherwise does.
func surviveBrokenPipes() (undo func()) {
	ignored := make(chan os.Signal, 1)
	signal.Notify(ignored, syscall.SIGPIPE)
	return func() { signal.Stop(ignored) }
}

// gatewayProcess is a gateway with all that belongs to it.
type gatewayProcess struct {
	options    Options
	file       atomic.Pointer[config.File] // a reload puts another in its place
	started    time.Time
	plane      *gateway.Gateway
	store      *shift.FileStore
	controller *shift.Controller
	counter    promquery.Client
	history    history.Keeper
	admin      *admin.Server
}

func newGatewayProcess(life context.Context, o Options, file *config.File) (p *gatewayProcess, err error) {
	c := file.Config.Gateway
	p = &gatewayProcess{options: o, started: time.Now()}
	p.file.Store(read(file))
	if p.plane, err = gateway.New(life, *c, o.Logger); err != nil {
		return nil, err
	}
	if err = p.counter.Use(c.Prometheus); err != nil {
		return nil, err
	}
	p.store = shift.OpenFileStore(c.State)
	p.controller, err = shift.New(shift.Options{
		Routes: routes(c), Plane: p.plane, Store: p.store, Ledger: shift.OpenFileLedger(c.State, o.Logger),
		Cluster: file.Cluster, Logger: o.Logger, Observer: p.history.Observe, Counter: &p.counter,
	})
	if err == nil {
		err = p.openAdmin()
	}
	if err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (p *gatewayProcess) openAdmin() (err error) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(p.plane.Metrics())
	p.admin, err = admin.New(p.file.Load().Config.Gateway.Admin, admin.Options{
		Logger: p.options.Logger, Registry: registry, Ready: p.plane.Ready,
	})
	if err != nil {
		return err
	}
	(&api.API{Controller: p.controller, Plane: p.plane, History: &p.history, About: p.about}).Register(p.admin)
	return console.Register(p.admin)
}

// routes are the gateway's routes as the control loop needs them.
func routes(c *gateway.Config) []shift.RouteConfig {
	list := make([]shift.RouteConfig, len(c.Routes))
	for i, r := range c.Routes {
		list[i] = shift.RouteConfig{Name: r.Name, From: r.From, To: r.To, Config: r.Shift}
	}
	return list
}

func (p *gatewayProcess) about() api.About {
	file := p.file.Load()
	a := api.About{
		App: file.Config.App, Cluster: file.Cluster, Version: p.options.Version, Started: p.started,
		Routes: map[string][]string{}, Clusters: []api.Cluster{},
	}
	for _, r := range file.Config.Gateway.Routes {
		a.Routes[r.Name] = r.Match
	}
	for _, page := range file.Pages {
		a.Clusters = append(a.Clusters, api.Cluster{Name: page.Cluster, Page: page.URL})
	}
	return a
}

// run works until ctx ends and everything has stopped, in order: users' requests, the control loop,
// and last the admin port, so that the stop can be watched.
func (p *gatewayProcess) run(ctx, life context.Context, end context.CancelFunc) error {
	hurry, cancel := context.WithCancel(life)
	defer cancel()
	failed := make(chan error, 1)
	loop, stopLoop := context.WithCancel(life)
	defer stopLoop()
	looped := make(chan error, 1)
	go func() { looped <- p.controller.Run(loop) }() // ends with its context only
	administered := make(chan struct{})
	go func() {
		defer close(administered)
		if err := p.administer(life); err != nil {
			failed <- fmt.Errorf("admin port: %w", err)
		}
	}()
	served := make(chan error, 1)
	serving, stopServing := context.WithCancel(ctx)
	defer stopServing()
	go func() { served <- p.plane.Run(serving, hurry) }()
	go p.announce(serving)

	err := p.attend(ctx, failed, served, cancel)
	stopServing()
	err = errors.Join(err, <-served) // whatever has failed, users' requests come to their end
	stopLoop()
	if unsaved := <-looped; unsaved != nil {
		err = errors.Join(err, fmt.Errorf("control loop: %w", unsaved))
	}
	end()
	<-administered
	select {
	case cut := <-failed:
		p.options.Logger.Warn("the admin port did not end in order", "error", cut)
	default:
	}
	return err
}

// attend waits for the end of ctx, or of a part, and reads the file again on SIGHUP meanwhile.
func (p *gatewayProcess) attend(ctx context.Context, failed, served chan error, hurry context.CancelFunc) error {
	again := make(chan os.Signal, 1)
	signal.Notify(again, syscall.SIGHUP)
	defer signal.Stop(again)
	for {
		select {
		case <-again:
			p.reload()
		case err := <-failed:
			return err
		case err := <-served:
			served <- nil
			return err
		case <-ctx.Done():
			_, _ = daemon.SdNotify(false, daemon.SdNotifyStopping) // without systemd nobody listens
			impatient := make(chan os.Signal, 1)
			signal.Notify(impatient, os.Interrupt, syscall.SIGTERM)
			go func() {
				<-impatient
				hurry()
			}()
			return nil
		}
	}
}

// administer serves the admin port until ctx ends. The successor of a process that still runs gets the
// port when that one has stopped; until then calls are answered there.
func (p *gatewayProcess) administer(ctx context.Context) error {
	waiting := false
	for {
		err := p.admin.Serve(ctx, nil)
		if !errors.Is(err, syscall.EADDRINUSE) {
			return err
		}
		p.awaitReady(ctx)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // the process stops; that the port was still taken matters no more
		}
		if !p.plane.TakesOver() {
			return err
		}
		if !waiting {
			waiting = true
			p.options.Logger.Info("the admin port is still the predecessor's", "error", err)
		}
		pause(ctx, 50*time.Millisecond)
	}
}

// awaitReady waits until users are served, or ctx ends.
func (p *gatewayProcess) awaitReady(ctx context.Context) {
	for p.plane.Ready() != nil && ctx.Err() == nil {
		pause(ctx, 10*time.Millisecond)
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// announce tells systemd, if it started us, that requests are served.
func (p *gatewayProcess) announce(ctx context.Context) {
	p.awaitReady(ctx)
	if ctx.Err() != nil {
		return
	}
	_, _ = daemon.SdNotify(false, daemon.SdNotifyReady) // without systemd nobody listens
}

// reload takes over the file as it is now. A file that is not valid changes nothing.
func (p *gatewayProcess) reload() {
	log := p.options.Logger
	file, err := p.options.Load()
	if err == nil && file.Config.Gateway == nil {
		err = errNoSection
	}
	if err != nil {
		log.Error("reload: nothing has changed", "error", err)
		return
	}
	if err := p.plane.Reload(*file.Config.Gateway); err != nil {
		log.Error("reload", "error", err)
		if !errors.Is(err, gateway.ErrNeedsRestart) {
			return
		}
	}
	if err := p.counter.Use(file.Config.Gateway.Prometheus); err != nil {
		log.Error("reload: signals are asked of the former server", "error", err)
	}
	if err := p.controller.Reload(routes(file.Config.Gateway)); err != nil {
		log.Error("reload: the control loop keeps its routes", "error", err)
		return
	}
	p.file.Store(read(file))
	log.Info("reloaded", "file", file.Path)
}

func (p *gatewayProcess) close() {
	_ = p.store.Close() // gives the lock up; the process ends
	p.plane.Close()
}

// read is what is kept of a file: without the tree by which faults are placed, which is most of it.
func read(f *config.File) *config.File {
	return &config.File{Path: f.Path, Cluster: f.Cluster, Config: f.Config, Pages: f.Pages}
}
