package journeys

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"yadokari/test/process"
)

// newConnections opens rate connections a second, one request on each, until its end is called.
type newConnections struct {
	mu       sync.Mutex
	requests int
	failures []string
	stop     context.CancelFunc
	done     chan struct{}
}

func openConnections(t *testing.T, address string, rate int) *newConnections {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	c := &newConnections{stop: stop, done: make(chan struct{})}
	go func() {
		defer close(c.done)
		var under sync.WaitGroup
		begun := time.Now()
		for n := 0; ctx.Err() == nil; n++ {
			time.Sleep(time.Until(begun.Add(time.Duration(n) * time.Second / time.Duration(rate))))
			under.Go(func() { c.one(address) })
		}
		under.Wait()
	}()
	t.Cleanup(func() { c.end() })
	return c
}

func (c *newConnections) one(address string) {
	err := request(address)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests++
	if err != nil && len(c.failures) < 100 {
		c.failures = append(c.failures, time.Now().Format(time.StampMilli)+" "+err.Error())
	}
}

// request is one request on a connection of its own.
func request(address string) (err error) {
	conn, err := net.DialTimeout("tcp", address, 10*time.Second)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return err
	}
	if _, err := io.WriteString(conn, "GET /page HTTP/1.1\r\nHost: a.test\r\nX-Request-Id: n\r\n\r\n"); err != nil {
		return err
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", answer.Status, text)
	}
	return err
}

func (c *newConnections) end() (requests int, failures []string) {
	c.stop()
	<-c.done
	return c.requests, c.failures
}

// TestTakeover replaces the gateway's process ten times under a load of new connections.
func TestTakeover(t *testing.T) {
	vm, containers := startSide(t, "vm"), startSide(t, "containers")
	g := startGateway(t, setUp{vm: []string{vm.address}, containers: []string{containers.address}, noLog: true})
	g.set(t, "all", "25%")
	c := openConnections(t, g.address, 500)
	for range 10 {
		former := g.Process
		g.Process = process.Start(t, "gateway", g.command())
		g.Says(t, "gateway listening")
		former.MustStop(t)
		process.Eventually(t, "the successor answers for the route", func() bool {
			out, _, exit := g.cli("shift", "status", "all", "-o", "json")
			return exit == 0 && strings.Contains(out, `"25%"`)
		})
	}
	requests, failures := c.end()
	t.Logf("%d new connections over ten takeovers, %d failed", requests, len(failures))
	if len(failures) > 0 {
		t.Errorf("refused, reset or failed:\n%s", strings.Join(failures, "\n"))
	}
	g.set(t, "all", "30%") // the last one in the line owns the state
	g.MustStop(t)
}

// TestSocketActivation does the same with the socket kept open by who starts the gateway, as systemd
// does it (sd_listen_fds(3)).
func TestSocketActivation(t *testing.T) {
	vm, containers := startSide(t, "vm"), startSide(t, "containers")
	g := &gateway{dir: t.TempDir(), address: process.FreeAddress(t), admin: process.FreeAddress(t)}
	g.file, g.state, g.log = g.dir+"/yadokari.yaml", g.dir+"/state", g.dir+"/access.log"
	g.configure(t, setUp{vm: []string{vm.address}, containers: []string{containers.address}, noLog: true})
	plain := new(net.ListenConfig)
	plain.SetMultipathTCP(false) // as systemd's sockets are
	listener := must[net.Listener](t)(plain.Listen(t.Context(), "tcp", g.address))
	defer listener.Close()
	socket := must[*os.File](t)(listener.(*net.TCPListener).File())
	defer socket.Close()
	// The listener in this process accepts nothing: its queue is the socket's, which the gateway has too.
	activate := func() {
		command := g.command()
		// LISTEN_PID must be the process's own id, which only itself knows in time.
		command.Args = append([]string{"sh", "-c", `LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"`, "sh"}, command.Args...)
		command.Path = "/bin/sh"
		command.ExtraFiles = []*os.File{socket}
		g.Process = process.Start(t, "gateway", command)
		g.Says(t, "gateway listening")
	}
	activate()
	c := openConnections(t, g.address, 500)
	for range 10 {
		time.Sleep(100 * time.Millisecond) // some requests for each process
		g.Signal(syscall.SIGTERM)
		<-g.Exited
		activate()
	}
	requests, failures := c.end()
	t.Logf("%d new connections over ten restarts, %d failed", requests, len(failures))
	if len(failures) > 0 {
		t.Errorf("refused, reset or failed:\n%s", strings.Join(failures, "\n"))
	}
	g.MustStop(t)
}
