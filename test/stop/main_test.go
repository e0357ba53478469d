// Package stop proves what an agent promises on Kubernetes, in each of its forms, under load and with what
// can go wrong.
package stop

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"yadokari/test/kube"
)

// How much is done of what can be done any number of times: go test . -restarts 4 -deletions 4 is a short run.
var (
	restarts  = flag.Int("restarts", 30, "rolling restarts of each form")
	deletions = flag.Int("deletions", 20, "pod deletions of each form")
)

// programs is the folder of the programs that TestMain has built, static, so that they run in images too.
var programs string

func TestMain(m *testing.M) {
	flag.Parse()
	// The forms wait more than they work: they go side by side, however many processors there are.
	if err := flag.Set("test.parallel", "3"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "yadokari-stop-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	programs = dir
	for name, source := range map[string]string{"yadokari": "./cmd/yadokari", "tracker": "./examples/tracker/cmd/tracker"} {
		if err := kube.Build(context.Background(), "../..", source, program(name)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return m.Run()
}

// program is the path of a program that was built.
func program(name string) string { return filepath.Join(programs, name) }
