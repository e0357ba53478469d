// Package logs proves what the log shipper promises with the program itself: against Debian's logrotate, an S3 server
// and a double of Firehose, and when the agent is killed at any moment.
package logs

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// kills can be any number: go test . -kills 1000.
var kills = flag.Int("kills", 100, "how often the agent is killed in each of the two modes")

// program is the path of the program that TestMain has built.
var program string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "yadokari-logs-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	program = filepath.Join(dir, "yadokari")
	build := exec.Command("go", "build", "-o", program, "./cmd/yadokari")
	build.Dir, build.Stdout, build.Stderr = "../..", os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "build:", err)
		return 1
	}
	return m.Run()
}
