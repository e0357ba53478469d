package process

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Program is one that tests run, and that is built for them.
type Program struct {
	Name    string // of the file
	Module  string // the folder of its module
	Package string // as go build takes it
}

// Run builds programs into a folder of their own, names the folder to dir, and runs the tests of m; it
// returns the exit code for TestMain.
func Run(m *testing.M, dir *string, programs ...Program) int {
	made, err := os.MkdirTemp("", "yadokari-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(made) }()
	*dir = made
	for _, p := range programs {
		build := exec.Command("go", "build", "-o", filepath.Join(made, p.Name), p.Package)
		build.Dir, build.Stdout, build.Stderr = p.Module, os.Stderr, os.Stderr
		if err := build.Run(); err != nil {
			fmt.Fprintf(os.Stderr, "build %s: %v\n", p.Name, err)
			return 1
		}
	}
	return m.Run()
}
