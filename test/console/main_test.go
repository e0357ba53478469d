// Package console drives the page in a real Chromium against the real gateway under real load.
package console

import (
	"os"
	"path/filepath"
	"testing"

	"yadokari/test/process"
)

// programs is the folder of the programs that TestMain has built.
var programs string

func TestMain(m *testing.M) {
	os.Exit(process.Run(m, &programs,
		process.Program{Name: "yadokari", Module: "../..", Package: "./cmd/yadokari"},
		process.Program{Name: "tracker", Module: "../..", Package: "./examples/tracker/cmd/tracker"}))
}

// program is the path of a program that was built.
func program(name string) string { return filepath.Join(programs, name) }
