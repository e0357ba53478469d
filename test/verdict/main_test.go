// Package verdict holds the verdict against real traffic on real servers: what both sides have in common, which
// must condemn nobody, and what users of the new side would complain about, which must be found.
package verdict

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"yadokari/test/process"
)

// How often each line of the two lists is tried, and with what.
var (
	sameShifts  = flag.Int("same", 2, "`shifts` for each trouble that both sides have")
	worseShifts = flag.Int("worse", 1, "`shifts` for each way in which the new side is worse")
	another     = flag.String("yadokari", "", "`path` of another build of the program, to compare with")
)

// programs is the folder of the programs that TestMain has built.
var programs string

func TestMain(m *testing.M) {
	flag.Parse()
	var build []process.Program
	if *another == "" {
		build = append(build, process.Program{Name: "yadokari", Module: "../..", Package: "./cmd/yadokari"})
	}
	os.Exit(process.Run(m, &programs, build...))
}

// yadokari is the path of the program under test.
func yadokari() string {
	if *another != "" {
		return *another
	}
	return filepath.Join(programs, "yadokari")
}

// must returns a function that unpacks a result whose error ends the test.
func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
