package tracker

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
)

// Child is a copy that runs as a process of its own.
type Child struct {
	// URL is where its pages are.
	URL string
	// ControlURL is where its control listener is, or empty.
	ControlURL string

	command *exec.Cmd
	exited  chan struct{}
	err     error // how it exited; set before exited is closed
}

// Start runs a command that ends in a call of Main (the arguments of config are added to its own) and
// returns when the copy listens. Its log goes to the command's Stdout when that is set, and nowhere
// otherwise. When ctx ends before the copy listens it is killed. Nothing ends it later but Stop, Kill
// and itself.
func Start(ctx context.Context, command *exec.Cmd, config Config) (*Child, error) {
	command.Args = append(command.Args, config.Args()...)
	log := command.Stdout
	if log == nil {
		log = io.Discard
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	command.Stdout = writer
	err = command.Start()
	if closeErr := writer.Close(); err != nil {
		return nil, errors.Join(fmt.Errorf("start tracker: %w", err), closeErr, reader.Close())
	}
	c := &Child{command: command, exited: make(chan struct{})}
	listening := make(chan ready, 1)
	go c.follow(reader, log, listening)
	select {
	case r := <-listening:
		c.URL, c.ControlURL = r.URL, r.Control
		return c, nil
	case <-c.exited:
		return nil, fmt.Errorf("tracker exited before it listened: %w", errors.Join(c.err, ctx.Err()))
	case <-ctx.Done():
		return nil, errors.Join(fmt.Errorf("tracker does not listen: %w", ctx.Err()), c.Kill())
	}
}

// maxLogLine bounds one line of the log; a longer one is passed on in parts.
const maxLogLine = 64 << 10

// follow passes the log on, looks for the line that says where the copy listens, and waits for its end.
func (c *Child) follow(from io.ReadCloser, to io.Writer, listening chan<- ready) {
	lines := bufio.NewReaderSize(from, maxLogLine)
	for {
		line, err := lines.ReadSlice('\n')
		if r, is := parseReady(line); is {
			select {
			case listening <- r:
			default:
			}
		}
		_, _ = to.Write(line) // a log that cannot be written must not stop the copy
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			break
		}
	}
	_ = from.Close()
	c.err = c.command.Wait()
	close(c.exited)
}

// Pid is the process id.
func (c *Child) Pid() int { return c.command.Process.Pid }

// Exited is closed when the process has ended.
func (c *Child) Exited() <-chan struct{} { return c.exited }

// Stop asks the copy to stop in order and waits until it has, or ctx ends. The error is how it exited.
func (c *Child) Stop(ctx context.Context) error {
	if err := c.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-c.exited:
		return c.err
	case <-ctx.Done():
		return fmt.Errorf("tracker %d does not stop: %w", c.Pid(), ctx.Err())
	}
}

// Kill ends the process at once (SIGKILL) and waits for its end.
func (c *Child) Kill() error {
	if err := c.Signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-c.exited
	return nil
}

// Signal sends a signal to the process: SIGSTOP and SIGCONT make it hang and go on. A process that has
// ended is no error.
func (c *Child) Signal(s syscall.Signal) error {
	err := c.command.Process.Signal(s)
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}
