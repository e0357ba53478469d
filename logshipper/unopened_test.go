package logshipper

import (
	"bytes"
	"log/slog"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// refuse makes files that cannot be opened, though they are there, of those whose names end so.
func refuse(p *pipe, suffix string) {
	p.files.open = func(path string) (*os.File, error) {
		if strings.HasSuffix(path, suffix) {
			return nil, &os.PathError{Op: "open", Path: path, Err: syscall.EMFILE}
		}
		return openRegular(path)
	}
}

// TestFileThatCannotBeOpenedAtTheStart starts on a file that is there and cannot be opened: it is not taken for
// removed, and once it can be opened it goes on where it was.
func TestFileThatCannotBeOpenedAtTheStart(t *testing.T) {
	for name, rotate := range map[string]bool{"at its path": false, "renamed meanwhile": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t, nil)
				s.start()
				one, want := block("one", 50)
				s.write("a.log", one)
				s.wait()
				s.crash()
				two, lines := block("two", 60)
				s.write("a.log", two)
				want = append(want, lines...)

				away := s.archive + ".away"
				s.must(os.Rename(s.path("a.log"), away))
				s.must(os.Symlink("a.log", s.path("a.log"))) // a loop: no error that proves anything
				s.open()
				s.must(os.Remove(s.path("a.log")))
				at := "a.log"
				if rotate {
					at = "a.log.1"
				}
				s.must(os.Rename(away, s.path(at)))
				p := s.shipper.pipes[0]
				refuse(p, at)
				s.run()
				s.wait()
				if f := s.shipper.Status()[0]; !f.Missing || f.Acknowledged != int64(len(one)) || f.ID == "" || !strings.Contains(f.Problem, "too many open files") {
					t.Errorf("status: %+v", f)
				}
				if c := s.shipper.Counts(); c.Unreadable != 0 {
					t.Errorf("counts: %+v", c)
				}
				p.mu.Lock()
				p.files.open = openRegular
				p.mu.Unlock()
				s.wait()
				for _, f := range s.shipper.Status() {
					if f.Missing || f.Backlog != 0 || f.Problem != "" {
						t.Errorf("status: %+v", f)
					}
				}
				s.flush()
				s.expect(want...)
			})
		})
	}
}

// TestFileThatIsGoneAfterAll could not be looked for at the start, and is then found to be nowhere.
func TestFileThatIsGoneAfterAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, nil)
		s.config.Every = time.Hour
		s.start()
		text, _ := block("one", 50)
		s.write("a.log", text)
		s.look()
		s.crash()
		s.must(os.Remove(s.path("a.log")))
		s.must(os.Symlink("a.log", s.path("a.log")))
		s.start()
		s.look()
		if c := s.shipper.Counts(); c.Waiting != int64(len(text)) || c.Unreadable != 0 || c.Check() != nil {
			t.Errorf("counts: %+v", c)
		}
		s.must(os.Remove(s.path("a.log")))
		s.look()
		if c := s.shipper.Counts(); c.Waiting != 0 || c.Unreadable != int64(len(text)) || c.Check() != nil {
			t.Errorf("counts: %+v", c)
		}
		s.flush()
	})
}

// TestNewFileThatCannotBeOpened is shown, and is a fault of the stop; nothing of it is counted, as nothing is known.
func TestNewFileThatCannotBeOpened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, nil)
		var log bytes.Buffer
		registry := prometheus.NewRegistry()
		s.options.Logger, s.options.Registerer = slog.New(slog.NewTextHandler(&log, nil)), registry
		s.open()
		refuse(s.shipper.pipes[0], "b.log")
		s.write("a.log", "one\n")
		s.write("b.log", "two\n")
		s.run()
		s.wait()
		status := s.shipper.Status()
		if f := status[len(status)-1]; len(status) != 2 || f.Path != s.path("b.log") || f.ID != "" || f.Backlog != 4 || f.Problem == "" {
			t.Errorf("status: %+v", status)
		}
		if n := metric(t, registry, "yadokari_logs_unopened_files"); n != 1 {
			t.Errorf("%v files in the metric", n)
		}
		if n := strings.Count(log.String(), "cannot be opened"); n != 2 {
			t.Errorf("%d lines logged in %s", n, s.config.Every)
		}
		r := s.shipper.Flush(limited(t, time.Minute))
		s.must(<-s.ran)
		if r.Err == nil || !strings.Contains(r.Err.Error(), s.path("b.log")) || r.Counts.Check() != nil {
			t.Errorf("result: %+v", r)
		}
		s.options.Registerer = nil
		s.start()
		s.wait()
		if status := s.shipper.Status(); len(status) != 2 || status[1].Problem != "" {
			t.Errorf("status: %+v", status)
		}
		s.flush()
		s.expect("one", "two")
	})
}

// TestFileThatCanBeOpenedLater is found without being written to.
func TestFileThatCanBeOpenedLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, nil)
		s.must(os.Symlink("a.log", s.path("a.log")))
		s.start()
		s.look()
		if status := s.shipper.Status(); len(status) != 1 || status[0].Problem == "" {
			t.Errorf("status: %+v", status)
		}
		if status, err := ReadStatus([]Config{s.config}); err != nil || len(status) != 1 || status[0].Problem == "" {
			t.Errorf("status on disk: %+v, %v", status, err)
		}
		s.must(os.Remove(s.path("a.log")))
		s.write("a.log", "one\n")
		s.flush()
		s.expect("one")
	})
}

// metric is the sum of a gauge.
func metric(t *testing.T, registry *prometheus.Registry, name string) (sum float64) {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			if family.GetName() == name {
				sum += m.GetGauge().GetValue()
			}
		}
	}
	return sum
}
