// Package gauntlet is the trial of the verdict: real applications, real users, and new sides that are broken in
// the ways that new sides are.
package gauntlet

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"yadokari/test/process"
)

// programs is the folder of the programs that TestMain has built.
var programs string

func TestMain(m *testing.M) {
	flag.Parse()
	var build []process.Program
	if *binary == "" {
		build = append(build, process.Program{Name: "yadokari", Module: "../..", Package: "./cmd/yadokari"})
	}
	os.Exit(process.Run(m, &programs, build...))
}

// gatewayProgram is the program that is tried.
func gatewayProgram() string {
	if *binary != "" {
		return *binary
	}
	return filepath.Join(programs, "yadokari")
}
