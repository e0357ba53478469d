package logshipper

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

// TestLeavingThatTakesLong stops with a small and a large rest, of which the large one gets stuck in a pipe: the
// small one is safe by then, and the counts can be had.
func TestLeavingThatTakesLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, func(c *Config) { c.Every = time.Hour })
		s.config.Leftover.Dir = filepath.Join(t.TempDir(), "left")
		s.start()
		large, _ := block("large", 50_000)
		small, _ := block("small", 10)
		s.write("a.log", large)
		s.write("b.log", small)
		s.look()
		p := s.shipper.pipes[0]
		dir := filepath.Join(s.config.Leftover.Dir, "host1-"+time.Now().UTC().Format("20060102T150405Z")+"-"+strings.TrimSuffix(filepath.Base(p.store), ".json"))
		s.must(os.MkdirAll(dir, 0o700))
		stuck := filepath.Join(dir, p.files.list[0].id+restSuffix)
		s.must(unix.Mkfifo(stuck, 0o600))
		end, err := os.OpenFile(stuck, os.O_RDWR, 0)
		s.must(err)
		defer end.Close()

		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		ended := make(chan Result, 1)
		go func() { ended <- s.shipper.Flush(ctx) }()
		_, err = io.ReadFull(end, make([]byte, 1)) // the large one is being copied
		s.must(err)
		if !p.mu.TryLock() {
			t.Fatal("nobody can look meanwhile")
		}
		p.mu.Unlock()
		if c := s.shipper.Counts(); c.LeftOver != int64(len(small)) || c.Waiting != int64(len(large)) || c.Check() != nil {
			t.Errorf("meanwhile: %+v", c)
		}
		if l, err := readLeftover(dir); err != nil || len(l.Files) != 1 || l.Files[0].Size != int64(len(small)) {
			t.Errorf("manifest: %+v, %v", l, err)
		}
		if _, err := s.ship(); err == nil || !strings.Contains(err.Error(), "used by another process") {
			t.Errorf("shipped while it is being left: %v", err)
		}
		_, err = io.CopyN(io.Discard, end, int64(len(large))-1)
		s.must(err)
		r := <-ended // a pipe cannot be synced
		if r.Err == nil || !strings.Contains(r.Err.Error(), "a.log") || r.Counts.LeftOver != int64(len(small)) || r.Counts.Waiting != int64(len(large)) {
			t.Errorf("result: %+v, %v", r.Counts, r.Err)
		}
		<-s.ran
		s.stop()
		if counts, err := s.ship(); err != nil || counts.Delivered.Lines != 10 {
			t.Errorf("shipped: %+v, %v", counts, err)
		}
	})
}

// stuck is an output whose deliveries hang until it is let go, whatever becomes of the context.
type stuck chan struct{}

func (s stuck) deliver(context.Context, *batch) (bool, error) { <-s; return true, nil }
func (s stuck) lazy() bool                                    { return false }
func (s stuck) sync() error                                   { return nil }
func (s stuck) close() error                                  { return nil }

// TestOutputThatHangsAtTheStop hangs in the disk of its directory: the rest is left all the same.
func TestOutputThatHangsAtTheStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, nil)
		s.config.Leftover.Dir = filepath.Join(t.TempDir(), "left")
		s.open()
		hangs := make(stuck)
		s.shipper.pipes[0].out = hangs
		s.run()
		text, want := block("line", 100)
		s.write("a.log", text)
		s.wait()
		if r := s.flush(); r.Counts.LeftOver != int64(len(text)) {
			t.Errorf("result: %+v", r.Counts)
		}
		close(hangs)
		synctest.Wait()
		if counts, err := s.ship(); err != nil || counts.Delivered.Lines != 100 {
			t.Errorf("shipped: %+v, %v", counts, err)
		}
		s.expect(want...)
	})
}

// TestOutageIsQuiet looks at how soon there is something to do while the output takes nothing.
func TestOutageIsQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, nil)
		s.open()
		p, hangs := s.shipper.pipes[0], make(stuck)
		p.out = hangs
		s.run()
		for _, name := range []string{"one", "two"} { // one is under way, one waits for it
			text, _ := block(name, 100)
			s.write("a.log", text)
			s.wait()
			s.wait()
		}
		p.mu.Lock()
		now := time.Now()
		p.work(now, false)
		send, wait := p.due(now, false)
		p.mu.Unlock()
		if !send || wait < pollEvery/10 {
			t.Errorf("send %v, looks again after %s", send, wait)
		}
		close(hangs)
		s.flush()
	})
}

// once hangs as long as its first context, and then works.
type once struct {
	drop
	tried int
}

func (o *once) deliver(ctx context.Context, b *batch) (bool, error) {
	if o.tried++; o.tried == 1 {
		<-ctx.Done()
		return false, ctx.Err()
	}
	return o.drop.deliver(ctx, b)
}

// TestConnectionThatHangsAtTheStop hangs when the flush begins, or from the first attempt in it on: there is time for
// another attempt.
func TestConnectionThatHangsAtTheStop(t *testing.T) {
	for _, before := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			s := newStage(t, nil)
			s.open()
			output := &once{}
			s.shipper.pipes[0].out = output
			s.run()
			text, _ := block("line", 100)
			s.write("a.log", text)
			if before {
				s.wait()
			}
			if r := s.flush(); r.Counts.Delivered.Lines != 100 || r.Counts.Waiting != 0 || output.tried != 2 {
				t.Errorf("before %v: %d attempts, %+v", before, output.tried, r.Counts)
			}
		})
	}
}
