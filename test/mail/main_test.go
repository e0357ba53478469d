// Package mail proves what the relay promises on a machine: to the programs that send mail there, and when
// the agent is killed at any moment.
package mail

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// kills can be any number: go test . -kills 1000.
var kills = flag.Int("kills", 200, "times the agent is killed")

// programs is the folder of the program that TestMain has built.
var programs string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "yadokari-mail-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	programs = dir
	build := exec.Command("go", "build", "-o", program("yadokari"), "./cmd/yadokari")
	build.Dir, build.Stdout, build.Stderr = "../..", os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "build:", err)
		return 1
	}
	return m.Run()
}

// program is the path of a program that was built.
func program(name string) string { return filepath.Join(programs, name) }
