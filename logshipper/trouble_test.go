package logshipper

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
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

// TestReplacedBeforeItWasRead finds a file while the output is busy; it is copied, truncated and longer than before
// when its turn comes.
func TestReplacedBeforeItWasRead(t *testing.T) {
	for _, copied := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			s := newStage(t, func(c *Config) { c.Size, c.Line = 64<<10, 16<<10 })
			s.open()
			output, busy := s.shipper.pipes[0].out, make(chan struct{})
			s.shipper.pipes[0].out = waiting{output, busy}
			s.run()
			large, want := block("large", 20_000)
			s.write("a.log", large)
			s.wait()
			one, oneLines := block("one", 50)
			two, twoLines := block("two", 60)
			s.write("b.log", one)
			s.look()
			if f := s.shipper.pipes[0].files.list[1]; f.name != s.path("b.log") || f.read.offset != 0 {
				t.Fatalf("the test has not met its case: %+v", f)
			}
			lost := int64(len(one))
			if copied {
				copyFile(t, s.path("b.log"), s.path("b.log.1"))
				want, lost = append(want, oneLines...), 0
			}
			s.must(os.Truncate(s.path("b.log"), 0))
			s.write("b.log", two)
			close(busy)
			r := s.flush()
			s.expect(append(want, twoLines...)...)
			if r.Counts.Unreadable > lost || (r.Counts.Unreadable > 0) != (lost > 0) {
				t.Errorf("%d bytes unreadable, want %d", r.Counts.Unreadable, lost)
			}
		})
	}
}

// waiting is an output that takes nothing until it is let go.
type waiting struct {
	sink
	busy chan struct{}
}

func (w waiting) deliver(ctx context.Context, b *batch) (bool, error) {
	select {
	case <-w.busy:
		return w.sink.deliver(ctx, b)
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// TestSameContent compares files of many sizes with ones that differ in one place that is always looked at.
func TestSameContent(t *testing.T) {
	dir := t.TempDir()
	open := func(name string, data []byte) *os.File {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Close() })
		return f
	}
	for _, size := range []int{1, 1 << 10, 64<<10 - 1, 64 << 10, 64<<10 + 1, 1 << 20, 4<<20 + 1, 10<<20 + 12345} {
		data := make([]byte, size)
		for i := range data {
			data[i] = byte(i >> 7)
		}
		one := open("one", data)
		if !sameContent(one, open("two", data), int64(size)) {
			t.Errorf("%d bytes that are alike are not", size)
		}
		for _, at := range []int{0, min(size, 64<<10) - 1, max(0, size-64<<10), size - 1} {
			other := slices.Clone(data)
			other[at]++
			if sameContent(one, open("two", other), int64(size)) {
				t.Errorf("%d bytes that differ at %d are alike", size, at)
			}
		}
	}
}
