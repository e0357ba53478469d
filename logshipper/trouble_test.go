package logshipper

import (
	"errors"
	"os"
	"strings"
	"testing"
	"testing/synctest"
)

// TestReadingThatFailsForAWhile gives the file a handle that cannot be read, and later the right one: nothing else
// happens to it, and all is shipped.
func TestReadingThatFailsForAWhile(t *testing.T) {
	for _, format := range []string{FormatRaw, FormatJSON} {
		synctest.Test(t, func(t *testing.T) {
			s := newStage(t, func(c *Config) { c.Format = format })
			s.start()
			s.write("a.log", "one\n")
			s.wait()
			p := s.shipper.pipes[0]
			broken, err := os.OpenFile(s.path("a.log"), os.O_WRONLY, 0)
			s.must(err)
			p.mu.Lock()
			f := p.files.list[0]
			right := f.handle
			f.handle = broken
			p.mu.Unlock()
			s.write("a.log", "two\n")
			s.wait()
			if one := s.shipper.Status()[0]; one.Backlog != 4 || !strings.Contains(one.Problem, "bad file descriptor") {
				t.Errorf("while it cannot be read: %+v", one)
			}
			p.mu.Lock()
			f.handle = right
			p.mu.Unlock()
			s.wait()
			if one := s.shipper.Status()[0]; one.Backlog != 0 || one.Problem != "" {
				t.Errorf("afterwards: %+v", one)
			}
			s.flush()
			s.must(broken.Close())
		})
	}
}

// unsafe is an output that cannot make safe what it got, at first.
type unsafe struct {
	drop
	failed bool
}

func (u *unsafe) lazy() bool { return true }

func (u *unsafe) sync() error {
	if !u.failed {
		u.failed = true
		return errors.New("no space left on device")
	}
	return nil
}

// TestOutputThatIsNotSafe loses what it was given of a file that is gone by then: that is said, and the stop does
// not wait for it.
func TestOutputThatIsNotSafe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, nil)
		s.open()
		output := &unsafe{}
		s.shipper.pipes[0].out = output
		s.run()
		one, _ := block("one", 50)
		two, _ := block("two", 60)
		s.write("a.log", one)
		s.write("b.log", two)
		s.look()
		s.must(os.Truncate(s.path("a.log"), 0))
		s.look()
		s.write("a.log", "new\n")
		r := s.flush()
		if !output.failed || r.Counts.Unreadable != int64(len(one)) || r.Counts.Waiting != 0 || r.Counts.Delivered.Bytes != int64(len(two)+4) {
			t.Errorf("%+v", r.Counts)
		}
	})
}
