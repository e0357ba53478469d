// Package firstprocess runs the real yadokari agent as process 1 of a PID namespace, as a container's first
// process is. It needs root, and fails without it.
package firstprocess

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

var binary string // of yadokari, built by TestMain

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "firstprocess")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "yadokari")
	build := exec.Command("go", "build", "-o", binary, "./cmd/yadokari")
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%v: %s\n", err, out)
		return 1
	}
	return m.Run()
}

// container is a process 1 with a /proc of its own.
type container struct {
	t     *testing.T
	cmd   *exec.Cmd
	lines *bufio.Scanner
}

const settings = `agent:
  admin: "127.0.0.1:0"
  shutdown: {grace: 20s, deregister: 0s, quiet: 500ms}
`

// start runs an agent with a command, or without one as a sidecar.
func start(t *testing.T, command ...string) *container {
	t.Helper()
	file := filepath.Join(t.TempDir(), "yadokari.yaml")
	if err := os.WriteFile(file, []byte(settings), 0o644); err != nil {
		t.Fatal(err)
	}
	args := []string{"-c", `mount --make-rprivate / && mount -t proc proc /proc && exec "$@"`, "sh", binary, "agent", "-c", file}
	if len(command) > 0 {
		args = append(append(args, "--"), command...)
	}
	c := &container{t: t, cmd: exec.CommandContext(t.Context(), "/bin/sh", args...)}
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS}
	c.cmd.Stderr = os.Stderr
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatalf("a PID namespace cannot be made (are you root?): %v", err)
	}
	t.Cleanup(func() {
		if c.cmd.ProcessState == nil { // the test failed
			_ = c.cmd.Process.Kill()
			_ = c.cmd.Wait()
		}
	})
	c.lines = bufio.NewScanner(out)
	return c
}

// line reads on until a line that has each of the texts, in any order of lines.
func (c *container) line(texts ...string) string {
	c.t.Helper()
	for len(texts) > 0 {
		if !c.lines.Scan() {
			c.t.Fatalf("it ended before %q", texts)
		}
		var missing []string
		for _, text := range texts {
			if !strings.Contains(c.lines.Text(), text) {
				missing = append(missing, text)
			}
		}
		texts = missing
	}
	return c.lines.Text()
}

func (c *container) signal(s syscall.Signal) {
	c.t.Helper()
	if err := c.cmd.Process.Signal(s); err != nil {
		c.t.Fatal(err)
	}
}

// receipt is what the tests look at.
type receipt struct {
	Exit   int
	Reason string
	App    struct{ Words string }
}

// end reads the receipt and returns it with the exit code.
func (c *container) end() (receipt, int) {
	c.t.Helper()
	var r receipt
	if err := json.Unmarshal([]byte(c.line(`"msg":"receipt"`)), &r); err != nil {
		c.t.Fatal(err)
	}
	err := c.cmd.Wait()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return r, exit.ExitCode()
	} else if err != nil {
		c.t.Fatal(err)
	}
	return r, 0
}

// zombies counts the ended children that process 1 has not taken.
func (c *container) zombies() (count int) {
	c.t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		c.t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		if fields[0] == "Z" && fields[1] == strconv.Itoa(c.cmd.Process.Pid) {
			count++
		}
	}
	return count
}

// noZombies waits until there are none; that there always are is a deadline's failure.
func (c *container) noZombies() {
	c.t.Helper()
	for end := time.Now().Add(30 * time.Second); c.zombies() > 0; {
		if time.Now().After(end) {
			c.t.Fatalf("%d zombies remain", c.zombies())
		}
	}
}

func TestExitCodes(t *testing.T) {
	for script, want := range map[string]int{"exit 0": 0, "exit 42": 42, "kill -9 $$": 137, "kill -11 $$": 139} {
		if r, code := start(t, "/bin/sh", "-c", script).end(); code != want || r.Exit != want {
			t.Errorf("%s: exit code %d, %+v", script, code, r)
		}
	}
}

func TestTermIsHandedOn(t *testing.T) {
	for script, want := range map[string]int{
		`trap 'exit 9' TERM; echo up; while :; do sleep 0.1; done`: 9,
		`echo up; exec sleep 1000`:                                 143,
	} {
		c := start(t, "/bin/sh", "-c", script)
		c.line("up", "agent is ready")
		c.signal(syscall.SIGTERM)
		if r, code := c.end(); code != want || r.Reason == "" {
			t.Errorf("%s: exit code %d, %+v", script, code, r)
		}
	}
}

func TestHangupIsHandedOn(t *testing.T) {
	c := start(t, "/bin/sh", "-c", `trap 'echo again' HUP; trap 'exit 0' TERM; echo up; while :; do sleep 0.1; done`)
	c.line("up", "agent is ready")
	c.signal(syscall.SIGHUP)
	c.line("again")
	c.signal(syscall.SIGTERM)
	if _, code := c.end(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// TestOrphansAreReaped makes 200 of them, and keeps one that has left the group and ignores SIGTERM: it is
// killed at the budget.
func TestOrphansAreReaped(t *testing.T) {
	c := start(t, "/bin/sh", "-c", `
		for i in $(seq 200); do (sleep 0 & exit 0); done
		setsid sh -c 'trap "" TERM; while :; do sleep 0.1; done' &
		trap 'exit 0' TERM; echo up; while :; do sleep 0.1; done`)
	c.line("up", "agent is ready")
	c.noZombies()
	c.signal(syscall.SIGTERM)
	c.line("phase began")
	c.signal(syscall.SIGTERM) // hurries, so that the deaf one need not be waited for
	if r, code := c.end(); code != 1 || r.App.Words != "exited with 0" {
		t.Errorf("exit code %d, %+v", code, r)
	}
}

// TestSidecarReaps leaves orphans as a command that is executed in a container does.
func TestSidecarReaps(t *testing.T) {
	c := start(t)
	c.line("agent is ready")
	pid := strconv.Itoa(c.cmd.Process.Pid)
	for range 20 {
		enter := exec.CommandContext(t.Context(), "nsenter", "-t", pid, "-p", "-m", "/bin/sh", "-c", "(sleep 0.01 &) ; exit 0")
		if out, err := enter.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	c.noZombies()
	c.signal(syscall.SIGTERM)
	if _, code := c.end(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}
