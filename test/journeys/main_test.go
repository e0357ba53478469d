// Package journeys holds tests that drive the real program against real servers, from the start of a
// shift to its end, with everything in between that can go wrong.
package journeys

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
		process.Program{Name: "tracker", Module: "../..", Package: "./examples/tracker/cmd/tracker"},
		process.Program{Name: "witness", Module: ".", Package: "./witness"}))
}

// program is the path of a program that was built.
func program(name string) string { return filepath.Join(programs, name) }
