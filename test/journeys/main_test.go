// Package journeys holds tests that drive the real program against real servers, from the start of a
// shift to its end, with everything in between that can go wrong.
package journeys

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// programs is the folder of the programs that TestMain has built.
var programs string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "yadokari-journeys-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	programs = dir
	for name, source := range map[string][2]string{ // folder of the module, package
		"yadokari": {"../..", "./cmd/yadokari"},
		"tracker":  {"../..", "./examples/tracker/cmd/tracker"},
		"witness":  {".", "./witness"},
	} {
		build := exec.Command("go", "build", "-o", program(name), source[1])
		build.Dir, build.Stdout, build.Stderr = source[0], os.Stderr, os.Stderr
		if err := build.Run(); err != nil {
			fmt.Fprintf(os.Stderr, "build %s: %v\n", name, err)
			return 1
		}
	}
	return m.Run()
}

// program is the path of a program: one that was built, or one of the machine.
func program(name string) string { return filepath.Join(programs, name) }
