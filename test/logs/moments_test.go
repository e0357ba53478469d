package logs

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"yadokari/test/process"
)

// holds tells whether the agent has the file open.
func (a *agent) holds(path string) bool {
	links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", a.Process.Process.Pid))
	for _, link := range links {
		if to, err := os.Readlink(link); err == nil && to == path {
			return true
		}
	}
	return false
}

// TestFilesThatLiveForAMoment writes files and removes each as soon as the agent has it open, which is long before it
// looks for files again; the lines go to standard output.
func TestFilesThatLiveForAMoment(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "log"), 0o755))
	configure(t, dir, `{path: "DIR/log/*.log", checkpoints: DIR/state, to: {stdout: {}}}`)
	first := filepath.Join(dir, "log", "first.log")
	must(t, os.WriteFile(first, []byte("line first\n"), 0o644))
	a := start(t, dir)
	process.Eventually(t, "it is running", func() bool { return a.holds(first) })
	var took []time.Duration
	want := []string{"line first"}
	for n := range 100 {
		path, line := filepath.Join(dir, "log", fmt.Sprintf("%d.log", n)), fmt.Sprintf("line %d", n)
		began := time.Now()
		must(t, os.WriteFile(path, []byte(line+"\n"), 0o644))
		for !a.holds(path) {
			if time.Since(began) > process.Patience {
				t.Fatalf("%s is not opened", path)
			}
			time.Sleep(100 * time.Microsecond)
		}
		took = append(took, time.Since(began))
		must(t, os.Remove(path))
		want = append(want, line)
	}
	a.stop(0)
	var got []string
	for line := range strings.Lines(a.Out.String()) {
		if text := strings.TrimSuffix(line, "\n"); strings.HasPrefix(text, "line ") {
			got = append(got, text)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%d lines arrived, want %d", len(got), len(want))
	}
	slices.Sort(took)
	t.Logf("open after %s (median), %s (99 of 100)", took[50], took[98])
	if took[50] > 250*time.Millisecond { // a look a second would take half of one
		t.Errorf("half of the files were open only after %s", took[50])
	}
}
