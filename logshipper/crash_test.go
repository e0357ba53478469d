package logshipper

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestMain lets the test binary be a shipper that can be killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv("LOGSHIPPER_CHILD"); dir != "" {
		os.Exit(child(dir))
	}
	os.Exit(m.Run())
}

func child(dir string) int {
	s, err := New([]Config{crashConfig(dir)}, Options{Host: "host1", Cluster: "c1"})
	if err == nil {
		err = s.Run(context.Background())
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

func crashConfig(dir string) Config {
	return Config{
		Path: filepath.Join(dir, "log", "*.log"), Every: 20 * time.Millisecond, Size: 64 << 10, Line: 4 << 10, Format: FormatRaw,
		To: Outputs{Output: Output{Dir: &Dir{Path: filepath.Join(dir, "archive")}}}, Checkpoints: filepath.Join(dir, "state"), Linger: time.Minute,
	}
}

// TestKilledAtAnyMoment writes and rotates by renaming while the shipper is killed again and again. The
// copies hold every line, once.
func TestKilledAtAnyMoment(t *testing.T) {
	s := &stage{t: t, logs: filepath.Join(t.TempDir(), "log")}
	dir := filepath.Dir(s.logs)
	s.archive = filepath.Join(dir, "archive")
	s.must(os.Mkdir(s.logs, 0o755))
	s.write("a.log", "the first\n")
	s.shipAll(dir) // from now on there is a checkpoint
	want := []string{"the first"}
	generation := 0
	for round := range 15 {
		c := exec.Command(os.Args[0])
		c.Env = append(os.Environ(), "LOGSHIPPER_CHILD="+dir)
		s.must(c.Start())
		killed := make(chan error, 1)
		after := time.AfterFunc(time.Duration(rand.N(400))*time.Millisecond, func() { killed <- c.Process.Kill() })
		for i, over := 0, false; !over; i++ {
			line := fmt.Sprintf("round %d line %d %s", round, i, strings.Repeat("x", rand.IntN(300)))
			s.write("a.log", line+"\n")
			want = append(want, line)
			if i%200 == 199 {
				generation++
				s.must(os.Rename(s.path("a.log"), s.path("a.log."+strconv.Itoa(generation))))
			}
			select {
			case err := <-killed:
				s.must(err)
				over = true
			default:
			}
		}
		after.Stop()
		_ = c.Wait() // it was killed
	}
	r := s.shipAll(dir)
	if r.Counts.Unreadable > 0 || r.Counts.Waiting > 0 {
		t.Errorf("%+v", r.Counts)
	}
	s.expect(want...)
}

// shipAll ships what there is, in this process.
func (s *stage) shipAll(dir string) Result {
	s.t.Helper()
	shipper, err := New([]Config{crashConfig(dir)}, Options{Host: "host1", Cluster: "c1"})
	s.must(err)
	ran := make(chan error, 1)
	go func() { ran <- shipper.Run(context.Background()) }()
	r := shipper.Flush(limited(s.t, time.Minute))
	s.must(<-ran)
	s.must(r.Counts.Check())
	return r
}
