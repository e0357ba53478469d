// Package console drives the page in a real Chromium against the real gateway under real load.
package console

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// programs is the folder of the programs that TestMain has built.
var programs string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "yadokari-console-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	programs = dir
	for name, source := range map[string]string{"yadokari": "./cmd/yadokari", "tracker": "./examples/tracker/cmd/tracker"} {
		build := exec.Command("go", "build", "-o", program(name), source)
		build.Dir, build.Stdout, build.Stderr = "../..", os.Stderr, os.Stderr
		if err := build.Run(); err != nil {
			fmt.Fprintf(os.Stderr, "build %s: %v\n", name, err)
			return 1
		}
	}
	return m.Run()
}

// program is the path of a program that was built.
func program(name string) string { return filepath.Join(programs, name) }
