// Package stack runs what Debian's PHP applications stand on: MariaDB, NGINX and PHP's process manager,
// each an instance of its own in a temporary folder, stopped with the test that started it.
package stack

import (
	"os"
	"os/exec"
	"syscall"
	"testing"

	"yadokari/test/process"
)

// Folder makes a temporary folder that every user can enter, and that goes with the test. Its path is short:
// sockets will be in it.
func Folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "gauntlet-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Run runs a command to its end, which has to be a good one, and returns what it wrote.
func Run(t *testing.T, command *exec.Cmd) string {
	t.Helper()
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
	return string(out)
}

// start runs a program that stops, with the processes that it has started, when it is asked to. It is asked
// at the end of the test, and also when the test binary is killed.
func start(t *testing.T, name string, command *exec.Cmd) *process.Process {
	t.Helper()
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	p := process.Start(t, name, command)
	t.Cleanup(func() { p.Stop(t) })
	return p
}
