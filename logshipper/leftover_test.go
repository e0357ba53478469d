package logshipper

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

// cutShort ends the shipper by a flush that has no time.
func (s *stage) cutShort() Result {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	r := s.shipper.Flush(ctx)
	s.must(<-s.ran)
	s.stop()
	s.must(r.Err)
	s.must(r.Counts.Check())
	return r
}

// ship sends what is left over, once.
func (s *stage) ship() (Counts, error) {
	s.t.Helper()
	counts, err := Ship(limited(s.t, time.Minute), s.config.Leftover.Dir, []Config{s.config}, s.options)
	if broken := counts.Check(); broken != nil {
		s.t.Error(broken)
	}
	return counts, err
}

// TestLeftoverBesideALiveAgent ships to a directory what an earlier stop left over, while an agent that was
// started again on the same files goes on in its copies there.
func TestLeftoverBesideALiveAgent(t *testing.T) {
	for _, format := range []string{FormatRaw, FormatJSON} {
		synctest.Test(t, func(t *testing.T) {
			s := newStage(t, func(c *Config) { c.Format = format })
			s.config.Leftover.Dir = filepath.Join(t.TempDir(), "left")
			s.start()
			want := 0
			add := func(name string, n int) int64 {
				text, lines := block(name, n)
				s.write("a.log", text)
				want += len(lines)
				return int64(len(text))
			}
			add("one", 50)
			s.wait()
			left := add("left over", 60)
			if r := s.cutShort(); r.Counts.LeftOver != left {
				t.Errorf("result: %+v", r.Counts)
			}
			s.start()
			add("two", 100)
			s.wait()
			if counts, err := s.ship(); err != nil || counts.Delivered.Lines != 60 {
				t.Errorf("shipped: %+v, %v", counts, err)
			}
			add("three", 70)
			s.wait()
			s.crash()
			s.start() // what is in the copy and was acknowledged is not written again
			add("four", 10)
			s.flush()
			lines, _ := s.archived()
			distinct := map[string]bool{}
			for _, line := range lines {
				distinct[line] = true
			}
			if len(lines) != want || len(distinct) != want {
				t.Errorf("%s: %d lines archived, %d distinct, want %d", format, len(lines), len(distinct), want)
			}
		})
	}
}

// TestLeftoverThatCannotBeReadStays repeats to ship what is only partly there: nothing is removed before all of
// it is delivered.
func TestLeftoverThatCannotBeReadStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, nil)
		s.config.Leftover.Dir = filepath.Join(t.TempDir(), "left")
		s.start()
		one, oneLines := block("one", 50)
		two, twoLines := block("two", 60)
		s.write("a.log", one)
		s.write("b.log", two)
		dir := s.cutShort().Where[0]
		l, err := readLeftover(dir)
		s.must(err)
		hidden := filepath.Join(dir, l.Files[0].ID+restSuffix)
		away := filepath.Join(t.TempDir(), "away")
		s.must(os.Rename(hidden, away))
		for range 3 {
			if counts, err := s.ship(); err == nil || counts.Unreadable+counts.Waiting == 0 {
				t.Errorf("a part was not there: %+v, %v", counts, err)
			}
		}
		s.must(os.Rename(away, hidden))
		if counts, err := s.ship(); err != nil || counts.Delivered.Lines != l.Files[0].Size/35 {
			t.Errorf("shipped: %+v, %v", counts, err)
		}
		s.expect(append(oneLines, twoLines...)...)
		if entries, _ := os.ReadDir(s.config.Leftover.Dir); len(entries) != 0 {
			t.Errorf("%d directories are left", len(entries))
		}
	})
}

// TestLeavingTwiceInASecond stops, starts and stops again: the second leftover does not replace the first.
func TestLeavingTwiceInASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, nil)
		s.config.Leftover.Dir = filepath.Join(t.TempDir(), "left")
		var want []string
		began := time.Now()
		for _, name := range []string{"one", "two", "three"} {
			text, lines := block(name, 50)
			want = append(want, lines...)
			s.write("a.log", text)
			s.start()
			s.cutShort()
		}
		if took := time.Since(began); took >= time.Second {
			t.Fatalf("it took %s: the test has not met its case", took)
		}
		if counts, err := s.ship(); err != nil || counts.Delivered.Lines != int64(len(want)) {
			t.Errorf("shipped: %+v, %v", counts, err)
		}
		s.expect(want...)
	})
}
