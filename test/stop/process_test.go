package stop

import (
	"bytes"
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
		_ = command.Wait() // ProcessState has it
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

// kill is kill -9; a process that has ended does not mind.
func (p *process) kill() {
	_ = p.Process.Signal(syscall.SIGKILL)
	<-p.exited
}

// stop asks for an orderly end and returns the exit code.
func (p *process) stop(t *testing.T) int {
	t.Helper()
	_ = p.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(time.Minute):
		t.Fatalf("%s does not stop", p.name)
	}
	return p.ProcessState.ExitCode()
}

// says waits until the process has written a text.
func (p *process) says(t *testing.T, text string) {
	t.Helper()
	eventually(t, p.name+" says "+text, func() bool {
		if strings.Contains(p.out.String(), text) {
			return true
		}
		p.mustRun(t)
		return false
	})
}

// mustRun ends the test if the process has ended.
func (p *process) mustRun(t *testing.T) {
	t.Helper()
	select {
	case <-p.exited:
		t.Fatalf("%s has ended (%v):\n%s", p.name, p.ProcessState, tail(p.out.String(), 4000))
	default:
	}
}

// patience bounds a wait, to end a test that would hang; how long a wait takes is not asserted.
const patience = 2 * time.Minute

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	until := time.Now().Add(patience)
	for !holds() {
		if time.Now().After(until) {
			t.Fatalf("waited in vain: %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
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
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}
