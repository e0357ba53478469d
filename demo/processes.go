package demo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"yadokari/admin/client"
	"yadokari/examples/tracker"
)

// site is everything that runs: two builds of the app, and the gateway before them.
type site struct {
	settings
	vm, containers *tracker.Child
	gateway        *exec.Cmd
	ended          chan struct{} // closed when the gateway has ended
	exit           error         // how it ended; valid then
	client         *client.Client
}

// startSite starts the two builds and the gateway, each as a process of its own.
func startSite(ctx context.Context, binary, dir string) (s *site, err error) {
	s = &site{ended: make(chan struct{})}
	s.dir = dir
	defer func() {
		if err != nil {
			s.stop()
		}
	}()
	if s.vm, err = s.startBuild(ctx, binary, "vm"); err != nil {
		return nil, err
	}
	if s.containers, err = s.startBuild(ctx, binary, "containers"); err != nil {
		return nil, err
	}
	s.VM, s.Containers = s.vm.URL, s.containers.URL
	if s.Port, err = freePort(); err != nil {
		return nil, err
	}
	if s.AdminPort, err = freePort(); err != nil {
		return nil, err
	}
	s.State, s.AccessLog = filepath.Join(dir, "state"), filepath.Join(dir, "access.log")
	return s, s.startGateway(ctx, binary)
}

// startBuild starts one build of the app on the data that both share, as hosts share a database.
func (s *site) startBuild(ctx context.Context, binary, version string) (*tracker.Child, error) {
	build, err := tracker.Start(ctx, command(binary, TrackerVerb), tracker.Config{
		Listen: "127.0.0.1:0", Control: "127.0.0.1:0", Data: filepath.Join(s.dir, "data"), Version: version,
		Think: tracker.Think{Median: 2 * time.Millisecond, P99: 10 * time.Millisecond},
	})
	if err != nil {
		return nil, fmt.Errorf("start the %s build: %w", version, err)
	}
	return build, nil
}

func (s *site) startGateway(ctx context.Context, binary string) error {
	path, err := s.write()
	if err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(s.dir, "gateway.log"))
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // the child has its own
	s.gateway = command(binary, "gateway", "-c", path)
	s.gateway.Stdout, s.gateway.Stderr = log, log
	if err := s.gateway.Start(); err != nil {
		return fmt.Errorf("start the gateway: %w", err)
	}
	go func() {
		s.exit = s.gateway.Wait()
		close(s.ended)
	}()
	if s.client, err = client.New(client.Options{URL: s.adminURL(), Actor: "demo"}); err != nil {
		return err
	}
	for {
		var about struct{}
		if s.client.Do(ctx, "GET", "/api/v1/gateway", nil, &about) == nil {
			return nil
		}
		select {
		case <-s.ended:
			text, _ := os.ReadFile(log.Name())
			return fmt.Errorf("the gateway ended: %w", errors.Join(s.exit, errors.New(string(text))))
		case <-ctx.Done():
			return errors.New("the gateway did not come up")
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (s *site) url() string      { return fmt.Sprintf("http://127.0.0.1:%d", s.Port) }
func (s *site) adminURL() string { return fmt.Sprintf("http://127.0.0.1:%d", s.AdminPort) }

// stop ends every process that was started: the gateway first, so that no user meets a dead build.
func (s *site) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	if s.gateway != nil && s.gateway.Process != nil {
		_ = s.gateway.Process.Signal(syscall.SIGTERM) // it may have ended
		select {
		case <-s.ended:
		case <-ctx.Done():
			_ = s.gateway.Process.Kill()
		}
	}
	for _, build := range []*tracker.Child{s.vm, s.containers} {
		if build != nil && build.Stop(ctx) != nil {
			_ = build.Kill() // it had its time
		}
	}
}

// command is the program itself with other arguments. It leads a group of its own, so that an
// interrupt at the terminal reaches the demonstration alone, which then stops it in order.
func command(binary string, args ...string) *exec.Cmd {
	c := exec.Command(binary, args...)
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	return c
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port, nil
}
