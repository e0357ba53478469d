// Package process is what the tests in test/ share that run programs: they are started beside a test, waited
// for, stopped, and killed with it.
package process

import (
	"bytes"
	"net"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Process is a program that runs beside the test. It is killed with the test.
type Process struct {
	*exec.Cmd
	Name   string
	Out    *Output       // of stdout and stderr
	Exited chan struct{} // closed when it has
}

// Output keeps what a process has written.
type Output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

// String is all that was written so far.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// Start runs a command until the test ends. What it wrote last is shown if the test fails.
func Start(t *testing.T, name string, command *exec.Cmd) *Process {
	t.Helper()
	p := &Process{Cmd: command, Name: name, Out: &Output{}, Exited: make(chan struct{})}
	command.Stdout, command.Stderr = p.Out, p.Out
	if err := command.Start(); err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	go func() {
		_ = command.Wait() // ProcessState has it
		close(p.Exited)
	}()
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("%s wrote:\n%s", name, tail(p.Out.String()))
		}
	})
	return p
}

// Signal sends a signal; a process that has ended does not mind.
func (p *Process) Signal(s syscall.Signal) { _ = p.Process.Signal(s) }

// Kill is kill -9.
func (p *Process) Kill() {
	p.Signal(syscall.SIGKILL)
	<-p.Exited
}

// Stop asks for an orderly end and returns the exit code.
func (p *Process) Stop(t *testing.T) int {
	t.Helper()
	p.Signal(syscall.SIGTERM)
	select {
	case <-p.Exited:
	case <-time.After(time.Minute):
		t.Fatalf("%s does not stop", p.Name)
	}
	return p.ProcessState.ExitCode()
}

// MustStop asks for an orderly end, and fails the test when there is none.
func (p *Process) MustStop(t *testing.T) {
	t.Helper()
	if code := p.Stop(t); code != 0 {
		t.Errorf("%s: exit %d", p.Name, code)
	}
}

// Listening waits until the process takes connections at an address.
func (p *Process) Listening(t *testing.T, address string) {
	t.Helper()
	Eventually(t, p.Name+" listens on "+address, func() bool {
		p.MustRun(t)
		c, err := net.Dial("tcp", address)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
}

// Says waits until the process has written a text.
func (p *Process) Says(t *testing.T, text string) {
	t.Helper()
	Eventually(t, p.Name+" says "+text, func() bool {
		if strings.Contains(p.Out.String(), text) {
			return true
		}
		p.MustRun(t)
		return false
	})
}

// MustRun ends the test if the process has ended.
func (p *Process) MustRun(t *testing.T) {
	t.Helper()
	select {
	case <-p.Exited:
		t.Fatalf("%s has ended (%v):\n%s", p.Name, p.ProcessState, tail(p.Out.String()))
	default:
	}
}

const mostShown = 4000 // bytes of an output

func tail(text string) string {
	if len(text) > mostShown {
		return "…" + text[len(text)-mostShown:]
	}
	return text
}
