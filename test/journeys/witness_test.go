package journeys

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"yadokari/test/process"
)

// side is a witness, over the restarts of its process.
type side struct {
	*process.Process
	name, address, control, log string
}

func startSide(t *testing.T, name string) *side {
	t.Helper()
	s := &side{name: name, address: process.FreeAddress(t), control: process.FreeAddress(t), log: filepath.Join(t.TempDir(), name+".log")}
	s.run(t)
	return s
}

// run starts the process, or starts it again.
func (s *side) run(t *testing.T) {
	t.Helper()
	s.Process = process.Start(t, s.name, exec.Command(program("witness"),
		"-listen", s.address, "-control", s.control, "-name", s.name, "-log", s.log))
	s.Listening(t, s.address)
	s.Listening(t, s.control)
}

// received is how often each request arrived, by method and id.
func (s *side) received(t *testing.T) map[string]int {
	t.Helper()
	file := must[*os.File](t)(os.Open(s.log))
	defer file.Close()
	counts := map[string]int{}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var at int64
		var method, id string
		if _, err := fmt.Sscanf(lines.Text(), "%d %s %q", &at, &method, &id); err != nil {
			t.Fatalf("%s: %q: %v", s.log, lines.Text(), err)
		}
		counts[method+" "+id]++
	}
	return counts
}

// sentTwice are the requests of a method that were sent more than once, to one side or to both.
func sentTwice(t *testing.T, method string, sides ...*side) []string {
	t.Helper()
	sums := map[string]int{}
	for _, s := range sides {
		for request, n := range s.received(t) {
			sums[request] += n
		}
	}
	var twice []string
	for request, n := range sums {
		if n > 1 && strings.HasPrefix(request, method+" ") {
			twice = append(twice, request)
		}
	}
	return twice
}
