// Package mail proves what the relay promises on a machine: to the programs that send mail there, and when
// the agent is killed at any moment.
package mail

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"yadokari/test/process"
)

// kills can be any number: go test . -kills 1000.
var kills = flag.Int("kills", 200, "times the agent is killed")

// programs is the folder of the program that TestMain has built.
var programs string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(process.Run(m, &programs, process.Program{Name: "yadokari", Module: "../..", Package: "./cmd/yadokari"}))
}

// program is the path of a program that was built.
func program(name string) string { return filepath.Join(programs, name) }
