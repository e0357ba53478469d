package journeys

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// process is a program that runs beside the test. It is killed with the test.
type process struct {
	*exec.Cmd
	name   string
	out    *output
	exited chan struct{}
	err    error // how it exited; set before exited is closed
}

// output keeps what a process has written.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// start runs a command until the test ends.
func start(t *testing.T, name string, command *exec.Cmd) *process {
	t.Helper()
	p := &process{Cmd: command, name: name, out: &output{}, exited: make(chan struct{})}
	command.Stdout, command.Stderr = p.out, p.out
	if err := command.Start(); err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	go func() {
		p.err = command.Wait()
		close(p.exited)
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("%s wrote:\n%s", name, tail(p.out.String(), 4000))
		}
	})
	return p
}

// signal sends a signal; a process that has ended does not mind.
func (p *process) signal(s syscall.Signal) { _ = p.Process.Signal(s) }

// kill is kill -9.
func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	<-p.exited
}

// stop asks for an orderly end and fails the test when there is none.
func (p *process) stop(t *testing.T) {
	t.Helper()
	if err := p.end(t); err != nil {
		t.Errorf("%s: %v", p.name, err)
	}
}

// end asks the process to stop, waits until it has, and returns how it exited.
func (p *process) end(t *testing.T) error {
	t.Helper()
	p.signal(syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(30 * time.Second):
		t.Fatalf("%s does not stop", p.name)
	}
	return p.err
}

// says waits until the process has written a text.
func (p *process) says(t *testing.T, text string) {
	t.Helper()
	eventually(t, p.name+" says "+text, func() bool { return strings.Contains(p.out.String(), text) })
}

// eventually waits until a condition holds. How long that takes is no promise and not asserted: the
// bound only ends a test that would hang.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	until := time.Now().Add(60 * time.Second)
	for !holds() {
		if time.Now().After(until) {
			t.Fatalf("waited in vain: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// listening waits until an address takes connections.
func listening(t *testing.T, p *process, address string) {
	t.Helper()
	eventually(t, p.name+" listens on "+address, func() bool {
		select {
		case <-p.exited:
			t.Fatalf("%s has ended: %v\n%s", p.name, p.err, p.out)
		default:
		}
		c, err := net.Dial("tcp", address)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
}

// freeAddress is a loopback address nobody uses, below the ports that the kernel gives to clients: no
// outgoing connection can take it before its server does.
func freeAddress(t *testing.T) string {
	t.Helper()
	for range 200 {
		address := fmt.Sprintf("127.0.0.1:%d", 12000+rand.IntN(18000))
		l, err := net.Listen("tcp", address)
		if err == nil {
			_ = l.Close()
			return address
		}
	}
	t.Fatal("no free port")
	return ""
}

func tail(text string, most int) string {
	if len(text) > most {
		return "…" + text[len(text)-most:]
	}
	return text
}

// writeFile writes a file in a folder and returns its path.
func writeFile(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// must ends the test on an error of its own making.
func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// order tells a witness how to answer.
func order(t *testing.T, control, mode string) {
	t.Helper()
	r := must[*http.Request](t)(http.NewRequest(http.MethodPut, "http://"+control+"/mode", strings.NewReader(mode)))
	answer := must[*http.Response](t)(http.DefaultClient.Do(r))
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("order %q: %s", mode, answer.Status)
	}
}
