package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	groupPoll   = 20 * time.Millisecond  // between looks at processes that have no one to wait for them
	strayPoll   = 100 * time.Millisecond // between looks for processes that have come to us
	hurriedTime = 500 * time.Millisecond
	killTime    = 2 * time.Second // for processes to vanish after SIGKILL
)

// Exit is how a process ended.
type Exit struct {
	Code   int            `json:"code"`             // as a shell gives it: its own, or 128 and the signal
	Signal syscall.Signal `json:"signal,omitempty"` // what ended it; 0: it exited
	// Killed tells that Stop sent SIGKILL, to it or to one of its descendants.
	Killed bool `json:"killed,omitempty"`
	// OutOfMemory tells that a SIGKILL which Stop did not send came while the kernel counted a process
	// of this container as killed for want of memory.
	OutOfMemory bool `json:"outOfMemory,omitempty"`
}

// String says it in words.
func (e Exit) String() string {
	switch {
	case e.OutOfMemory:
		return "was killed for want of memory"
	case e.Signal != 0:
		return fmt.Sprintf("was ended by signal %d (%v)", int(e.Signal), e.Signal)
	}
	return fmt.Sprintf("exited with %d", e.Code)
}

// Command is what Start runs.
type Command struct {
	Args   []string    // the program, looked for in PATH, and its arguments
	Env    []string    // nil: that of this process, without what systemd means for this process alone
	Dir    string      // ""; the current one
	Output [2]*os.File // stdout and stderr; nil: those of this process
	// Adopt makes this process the one that inherits the command's orphans: as first process of a
	// container it does in any case. They are waited for, so that none stays a zombie, and Stop ends
	// them too. Only one command of a process can have it, and nothing else in the process may start
	// or wait for processes (os/exec does), as every ended child is taken here.
	Adopt bool
}

// StartError is a command that could not be started.
type StartError struct {
	Code int // as a shell gives it: 127 not found, 126 not to be executed
	err  error
}

func (e *StartError) Error() string { return e.err.Error() }
func (e *StartError) Unwrap() error { return e.err }

// Child is a process that was started, with its process group and what it left behind.
type Child struct {
	process *os.Process
	adopt   bool
	oom     int64         // the kernel's count at the start
	ended   chan struct{} // closed when the process itself has ended
	alone   chan struct{} // closed when no child of this process is left (Adopt)
	killed  atomic.Bool

	mu   sync.Mutex
	exit Exit
}

// Start starts the command in a process group of its own. Its error is a *StartError.
func Start(c Command) (*Child, error) {
	if len(c.Args) == 0 {
		return nil, &StartError{127, errors.New("there is no command")}
	}
	path, err := exec.LookPath(c.Args[0])
	if err != nil {
		code := 127
		if errors.Is(err, os.ErrPermission) {
			code = 126
		}
		return nil, &StartError{code, fmt.Errorf("command: %w", err)}
	}
	if c.Adopt {
		if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
			return nil, &StartError{126, fmt.Errorf("command: adopting orphans: %w", err)}
		}
	}
	child := &Child{adopt: c.Adopt, oom: oomKills(), ended: make(chan struct{}), alone: make(chan struct{})}
	child.process, err = os.StartProcess(path, c.Args, &os.ProcAttr{
		Dir: c.Dir, Env: c.environment(), Files: c.files(), Sys: &syscall.SysProcAttr{Setpgid: true},
	})
	if err != nil {
		return nil, &StartError{126, fmt.Errorf("command: %w", err)}
	}
	go child.wait()
	return child, nil
}

// environment leaves out how systemd is told of this process: the command's word would be taken for ours.
func (c *Command) environment() []string {
	if c.Env != nil {
		return c.Env
	}
	return slices.DeleteFunc(os.Environ(), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return name == "NOTIFY_SOCKET" || name == "WATCHDOG_PID" || name == "WATCHDOG_USEC"
	})
}

func (c *Command) files() []*os.File {
	files := []*os.File{os.Stdin, os.Stdout, os.Stderr}
	for i, f := range c.Output {
		if f != nil {
			files[i+1] = f
		}
	}
	return files
}

// PID is the process's number.
func (c *Child) PID() int { return c.process.Pid }

// Done is closed when the process itself has ended; processes it started may still run.
func (c *Child) Done() <-chan struct{} { return c.ended }

// Exit is how the process ended, once Done is closed.
func (c *Child) Exit() Exit {
	c.mu.Lock()
	defer c.mu.Unlock()
	exit := c.exit
	exit.Killed = c.killed.Load()
	return exit
}

// Signal sends a signal to the process alone; it is no error if that has ended.
func (c *Child) Signal(s syscall.Signal) error {
	select {
	case <-c.ended: // its number may belong to another
		return nil
	default:
	}
	if err := c.process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal %v to process %d: %w", s, c.PID(), err)
	}
	return nil
}

// wait takes the process when it ends and, with Adopt, every other child too. It never looks away
// between: a child that ends before it is asked for waits as a zombie.
func (c *Child) wait() {
	defer close(c.alone)
	which := c.PID()
	if c.adopt {
		which = -1
	}
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(which, &status, 0, nil)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil: // ECHILD: no child is left, and so no descendant either, as orphans come to us
			return
		case pid == c.PID():
			c.took(status)
			if !c.adopt {
				return
			}
		}
	}
}

func (c *Child) took(status unix.WaitStatus) {
	exit := Exit{Code: status.ExitStatus()}
	if status.Signaled() {
		exit.Signal = status.Signal()
		exit.Code = 128 + int(exit.Signal)
		exit.OutOfMemory = exit.Signal == unix.SIGKILL && !c.killed.Load() && oomKills() > c.oom
	}
	c.mu.Lock()
	c.exit = exit
	c.mu.Unlock()
	close(c.ended)
}

// ask sends SIGTERM to a process, or to a group if number is negative, and wakes what is stopped: it would not
// get the signal before. ESRCH: it has ended.
func ask(number int) {
	_ = unix.Kill(number, unix.SIGTERM)
	_ = unix.Kill(number, unix.SIGCONT)
}

// Stop sends SIGTERM to the process group and, with Adopt, to all that was or is left behind outside of it,
// and waits until they have ended. When ctx ends first they get SIGKILL, and the error is ctx's cause; if
// that is ErrHurried they have half a second. A process that has ended by itself is no error; what it
// left behind is still ended. Stop may be called once.
func (c *Child) Stop(ctx context.Context) error {
	ask(-c.PID())
	extinct, asked := c.extinct(), map[int]bool{}
	if c.await(ctx, extinct, asked) {
		return nil
	}
	if errors.Is(context.Cause(ctx), ErrHurried) {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), hurriedTime)
		defer cancel()
		if c.await(last, extinct, asked) {
			return nil
		}
	}
	if err := c.kill(extinct); err != nil {
		return fmt.Errorf("%w; %w", context.Cause(ctx), err)
	}
	return context.Cause(ctx)
}

// await tells whether nothing is left before ctx ends. Meanwhile it sends SIGTERM, once, to each process that
// comes to us: its parent may have ended, when it was asked to, without asking it.
func (c *Child) await(ctx context.Context, extinct <-chan struct{}, asked map[int]bool) bool {
	look := time.NewTicker(strayPoll)
	defer look.Stop()
	for {
		for _, pid := range c.strays() {
			if !asked[pid] {
				asked[pid] = true
				ask(pid)
			}
		}
		select {
		case <-extinct:
			return true
		case <-ctx.Done():
			return false
		case <-look.C:
		}
	}
}

// kill sends SIGKILL until nothing is left: while it does, a process may start another.
func (c *Child) kill(extinct <-chan struct{}) error {
	c.killed.Store(true)
	give := time.After(killTime)
	for {
		_ = unix.Kill(-c.PID(), unix.SIGKILL)
		for _, pid := range c.strays() {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
		select {
		case <-extinct:
			return nil
		case <-give:
			return errors.New("processes remain after SIGKILL")
		case <-time.After(groupPoll):
		}
	}
}

// strays are, with Adopt, our children outside of the process group: they were orphaned by the command,
// having left its group.
func (c *Child) strays() (pids []int) {
	if !c.adopt {
		return nil
	}
	for _, p := range children(os.Getpid()) {
		if p.group != c.PID() {
			pids = append(pids, p.pid)
		}
	}
	return pids
}

// extinct returns a channel that is closed when nothing of the family is left. Others than ours take the
// orphans of a command that was started without Adopt; for them there is only looking.
func (c *Child) extinct() <-chan struct{} {
	if c.adopt {
		return c.alone
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		<-c.ended
		for !errors.Is(unix.Kill(-c.PID(), 0), unix.ESRCH) {
			time.Sleep(groupPoll)
		}
	}()
	return gone
}
