// Package logs proves what the log shipper promises with the program itself: against Debian's logrotate, an S3 server
// and a double of Firehose, and when the agent is killed at any moment.
package logs

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"yadokari/test/process"
)

// kills can be any number: go test . -kills 1000.
var kills = flag.Int("kills", 100, "how often the agent is killed in each of the two modes")

// programs is the folder of the program that TestMain has built.
var programs string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(process.Run(m, &programs, process.Program{Name: "yadokari", Module: "../..", Package: "./cmd/yadokari"}))
}

// program is the path of a program that was built.
func program(name string) string { return filepath.Join(programs, name) }
