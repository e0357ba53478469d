package logshipper

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"yadokari/setting"
)

// stage is a directory with log files, and a shipper that copies them into another one.
type stage struct {
	t       *testing.T
	logs    string
	archive string
	config  Config
	options Options
	shipper *Shipper
	stop    context.CancelFunc
	ran     chan error
}

func newStage(t *testing.T, change func(*Config)) *stage {
	t.Helper()
	dir := t.TempDir()
	s := &stage{t: t, logs: filepath.Join(dir, "log"), archive: filepath.Join(dir, "archive")}
	if err := os.Mkdir(s.logs, 0o755); err != nil {
		t.Fatal(err)
	}
	s.options = Options{Host: "host1", Cluster: "c1"}
	setting.Defaults(&s.config)
	s.config.Path = filepath.Join(s.logs, "*.log")
	s.config.Checkpoints = filepath.Join(dir, "state")
	s.config.To.Dir = &Dir{Path: s.archive}
	if change != nil {
		change(&s.config)
	}
	return s
}

func (s *stage) path(name string) string { return filepath.Join(s.logs, name) }

// start runs a shipper, which must happen in a synctest bubble.
func (s *stage) start() {
	s.t.Helper()
	s.open()
	s.run()
}

func (s *stage) open() {
	s.t.Helper()
	var err error
	if s.shipper, err = New([]Config{s.config}, s.options); err != nil {
		s.t.Fatal(err)
	}
	s.must(s.shipper.unwatch()) // who waits for the kernel holds up a bubble's time
	s.shipper.watcher = nil
}

func (s *stage) run() {
	ctx, stop := context.WithCancel(context.Background())
	s.stop, s.ran = stop, make(chan error, 1)
	go func() { s.ran <- s.shipper.Run(ctx) }()
}

// wait lets so much time pass that everything that is due is done.
func (s *stage) wait() {
	time.Sleep(s.config.Every + 5*time.Second)
	synctest.Wait()
}

// look lets files be seen, but nothing be sent.
func (s *stage) look() {
	time.Sleep(2 * time.Second)
	synctest.Wait()
}

// crash ends the shipper without a flush, and forgets what it has saved since the last checkpoint.
func (s *stage) crash() {
	s.stop()
	if err := <-s.ran; err != nil {
		s.t.Error(err)
	}
}

func (s *stage) flush() Result {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	r := s.shipper.Flush(ctx)
	if err := <-s.ran; err != nil {
		s.t.Error(err)
	}
	s.stop()
	if r.Err != nil {
		s.t.Error(r.Err)
	}
	if err := r.Counts.Check(); err != nil {
		s.t.Error(err)
	}
	return r
}

func (s *stage) write(name, text string) {
	s.t.Helper()
	f, err := os.OpenFile(s.path(name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		s.t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stage) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// archived is every line in the archive, sorted, and how many files it has.
func (s *stage) archived() (lines []string, files int) {
	s.t.Helper()
	paths, _ := filepath.Glob(filepath.Join(s.archive, "c1", "host1", "*"))
	for _, path := range paths {
		data, err := os.ReadFile(path)
		s.must(err)
		if !bytes.HasSuffix(data, []byte("\n")) && len(data) > 0 {
			s.t.Errorf("%s ends within a line", path)
		}
		lines = append(lines, strings.SplitAfter(string(data), "\n")...)
	}
	lines = deleteEmpty(lines)
	sort.Strings(lines)
	return lines, len(paths)
}

func deleteEmpty(lines []string) (kept []string) {
	for _, l := range lines {
		if l != "" {
			kept = append(kept, strings.TrimSuffix(l, "\n"))
		}
	}
	return kept
}

// expect compares the archive with what was written.
func (s *stage) expect(want ...string) {
	s.t.Helper()
	sort.Strings(want)
	got, _ := s.archived()
	if strings.Join(got, "|") == strings.Join(want, "|") {
		return
	}
	i := 0
	for i < min(len(got), len(want)) && got[i] == want[i] {
		i++
	}
	s.t.Errorf("archived %d lines, want %d; from the first difference:\ngot  %.200q\nwant %.200q", len(got), len(want), got[i:min(i+2, len(got))], want[i:min(i+2, len(want))])
}

// block is n different lines of 40 bytes: long enough a fingerprint for a copy to be known.
func block(name string, n int) (text string, lines []string) {
	for i := range n {
		lines = append(lines, fmt.Sprintf("%-20s line %08d", name, i))
	}
	return strings.Join(lines, "\n") + "\n", lines
}

// renameQuiet renames a file to which nobody has written for a while, and the app goes on in it before it
// opens the new one.
func (s *stage) renameQuiet(quiet time.Duration, one, two, three string) {
	s.write("a.log", one)
	s.must(os.Chtimes(s.path("a.log"), time.Now(), time.Now()))
	time.Sleep(quiet)
	s.must(os.Rename(s.path("a.log"), s.path("a.log.1")))
	s.write("a.log", "")
	s.look()
	s.write("a.log.1", two)
	s.must(os.Chtimes(s.path("a.log.1"), time.Now(), time.Now()))
	time.Sleep(s.config.Linger / 2)
	s.write("a.log", three)
}

// reuse removes a file, and makes one that has its inode, if the file system likes to.
func reuse(s *stage, from, to, text string) {
	before, err := os.Stat(s.path(from))
	s.must(err)
	s.must(os.Remove(s.path(from)))
	s.write(to, text)
	if after, err := os.Stat(s.path(to)); err != nil || !os.SameFile(before, after) {
		s.t.Logf("this file system did not use the inode again (%v)", err)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestRotations(t *testing.T) {
	one, oneLines := block("one", 50)
	two, twoLines := block("two", 60)
	three, threeLines := block("three", 70)
	all := func(lists ...[]string) (sum []string) {
		for _, l := range lists {
			sum = append(sum, l...)
		}
		return sum
	}
	for name, c := range map[string]struct {
		config func(*Config)
		do     func(s *stage)
		want   []string
		lost   int64
	}{
		"rename and create": {do: func(s *stage) {
			s.write("a.log", one)
			s.look()
			s.must(os.Rename(s.path("a.log"), s.path("a.log.1")))
			s.write("a.log.1", two) // the app goes on in the old file for a while
			s.write("a.log", three)
		}, want: all(oneLines, twoLines, threeLines)},
		"renamed after it was quiet, and written to": {do: func(s *stage) { s.renameQuiet(2*time.Minute, one, two, three) },
			want: all(oneLines, twoLines, threeLines)},
		"renamed after it was closed, and written to": {do: func(s *stage) { s.renameQuiet(time.Hour, one, two, three) },
			want: all(oneLines, twoLines, threeLines)},
		"rename while stopped": {do: func(s *stage) {
			s.write("a.log", one)
			s.wait()
			s.crash()
			s.write("a.log", two)
			s.must(os.Rename(s.path("a.log"), s.path("a.log.1")))
			s.write("a.log", three)
			s.start()
		}, want: all(oneLines, twoLines, threeLines)},
		"renamed twice while stopped": {do: func(s *stage) {
			s.write("a.log", one)
			s.wait()
			s.crash()
			time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second)))
			s.must(os.Rename(s.path("a.log"), s.path("a.log.2")))
			s.write("a.log.1", two) // never seen under a name that the pattern matches
			s.must(os.Chtimes(s.path("a.log.1"), time.Now(), time.Now()))
			s.write("a.log", three)
			s.start()
		}, want: all(oneLines, twoLines, threeLines)},
		"copytruncate": {do: func(s *stage) {
			s.write("a.log", one)
			s.look()
			s.write("a.log", two) // not read before it is truncated
			copyFile(s.t, s.path("a.log"), s.path("a.log.1"))
			s.must(os.Truncate(s.path("a.log"), 0))
			s.write("a.log", three[:len(threeLines[0])+1])
		}, want: all(oneLines, twoLines, threeLines[:1])},
		"copytruncate, read beyond the copy": {do: func(s *stage) {
			s.write("a.log", one)
			s.wait()
			copyFile(s.t, s.path("a.log"), s.path("a.log.1"))
			s.write("a.log", two)
			s.wait()
			s.must(os.Truncate(s.path("a.log"), 0))
			s.write("new.log", "new\n") // that a file is new makes it look for others
			s.wait()
			s.crash()
			s.start()
		}, want: all(oneLines, twoLines, []string{"new"})},
		"copytruncate, read beyond the copy, then stopped": {do: func(s *stage) {
			s.write("a.log", one+two)
			s.wait()
			s.crash()
			s.must(os.WriteFile(s.path("a.log.1"), []byte(one), 0o644))
			s.must(os.Chtimes(s.path("a.log.1"), time.Now(), time.Now()))
			s.must(os.Truncate(s.path("a.log"), 0))
			s.write("a.log", three)
			s.start()
		}, want: all(oneLines, twoLines, threeLines)},
		"copytruncate, and grown beyond": {do: func(s *stage) {
			s.write("a.log", one)
			s.look()
			copyFile(s.t, s.path("a.log"), s.path("a.log.1"))
			s.must(os.Truncate(s.path("a.log"), 0))
			s.write("a.log", two)
		}, want: all(oneLines, twoLines)},
		"copytruncate while stopped": {do: func(s *stage) {
			s.write("a.log", one)
			s.wait()
			s.crash()
			s.write("a.log", two)
			copyFile(s.t, s.path("a.log"), s.path("a.log.1"))
			s.must(os.Truncate(s.path("a.log"), 0))
			s.write("a.log", three)
			s.start()
		}, want: all(oneLines, twoLines, threeLines)},
		"copytruncate, and the pattern matches copies": {
			config: func(c *Config) { c.Path = strings.Replace(c.Path, "*.log", "*.log*", 1) },
			do: func(s *stage) {
				s.write("a.log", one)
				s.look()
				s.write("a.log", two)
				s.look()
				copyFile(s.t, s.path("a.log"), s.path("a.log.1"))
				s.look()
				s.must(os.Truncate(s.path("a.log"), 0))
				s.write("a.log", three)
				s.wait()
				s.crash()
				s.start()
			}, want: all(oneLines, twoLines, threeLines)},
		"a pattern that matches renamed files": {
			config: func(c *Config) { c.Path = strings.Replace(c.Path, "*.log", "*.log*", 1) },
			do: func(s *stage) {
				s.write("a.log", one)
				s.wait()
				s.must(os.Rename(s.path("a.log"), s.path("a.log.1")))
				s.write("a.log", two)
				s.wait()
				s.must(os.Rename(s.path("a.log.1"), s.path("a.log.2")))
				s.must(os.Rename(s.path("a.log"), s.path("a.log.1")))
				s.crash()
				s.write("a.log", three)
				s.start()
			}, want: all(oneLines, twoLines, threeLines)},
		"truncated without a copy": {do: func(s *stage) {
			s.write("a.log", one)
			s.wait()
			s.crash()
			s.write("a.log", two)
			s.open()
			s.must(os.Truncate(s.path("a.log"), 0))
			s.run()
			s.look()
			s.write("a.log", three)
		}, want: all(oneLines, threeLines), lost: int64(len(two))},
		"truncated right before the end": {do: func(s *stage) {
			s.write("a.log", one)
			s.wait()
			s.must(os.Truncate(s.path("a.log"), 0))
			s.write("a.log", "new\n")
		}, want: all(oneLines, []string{"new"})},
		"deleted and created anew": {do: func(s *stage) {
			s.write("a.log", one)
			s.look()
			s.must(os.Remove(s.path("a.log")))
			s.write("a.log", two)
			s.look()
			s.must(os.Remove(s.path("a.log")))
			s.look()
			s.write("a.log", three)
		}, want: all(oneLines, twoLines, threeLines)},
		"inode used again": {do: func(s *stage) {
			s.write("a.log", one)
			s.wait()
			s.crash()
			before, err := os.Stat(s.path("a.log"))
			s.must(err)
			s.must(os.Remove(s.path("a.log")))
			s.write("b.log", two)
			if after, err := os.Stat(s.path("b.log")); err != nil || !os.SameFile(before, after) {
				s.t.Logf("this file system did not use the inode again (%v)", err)
			}
			s.write("c.log", three)
			s.start()
		}, want: all(oneLines, twoLines, threeLines)},
		"inode used again while stopped, by a file that begins alike": {do: func(s *stage) {
			s.write("a.log", "begin\n")
			s.wait()
			s.crash()
			reuse(s, "a.log", "b.log", "begin\nmore\n")
			s.start()
		}, want: []string{"begin", "begin", "more"}},
		"inode used again while closed, by a file that begins alike": {do: func(s *stage) {
			s.write("a.log", "begin\n")
			s.must(os.Chtimes(s.path("a.log"), time.Now(), time.Now()))
			time.Sleep(time.Hour)
			reuse(s, "a.log", "a.log", "begin\nmore\n")
		}, want: []string{"begin", "begin", "more"}},
		"short files that are alike": {do: func(s *stage) {
			for _, name := range []string{"a.log", "b.log", "c.log"} {
				s.write(name, "same\n")
			}
		}, want: []string{"same", "same", "same"}},
		"partial last line": {do: func(s *stage) {
			s.write("a.log", one+"no end")
		}, want: append(all(oneLines), "no end")},
		"a line in three writes": {do: func(s *stage) {
			for _, text := range []string{"a", "b", "c\n"} {
				s.write("a.log", text)
				s.wait()
			}
		}, want: []string{"abc"}},
		"long lines": {
			config: func(c *Config) { c.Line = 64 << 10 },
			do:     func(s *stage) { s.write("a.log", "x\n"+strings.Repeat("y", 100<<10)+"\nz\n") },
			want:   []string{"x", strings.Repeat("y", 64<<10), strings.Repeat("y", 36<<10), "z"},
		},
		"long lines, short limit": {
			config: func(c *Config) { c.Line = 256 },
			do:     func(s *stage) { s.write("a.log", "x\n"+strings.Repeat("ü", 200)+"\nz\n") },
			want:   []string{"x", strings.Repeat("ü", 128), strings.Repeat("ü", 72), "z"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t, c.config)
				s.start()
				c.do(s)
				r := s.flush()
				s.expect(c.want...)
				if r.Counts.Unreadable != c.lost {
					t.Errorf("%d bytes unreadable, want %d", r.Counts.Unreadable, c.lost)
				}
				if r.Counts.Waiting != 0 || r.Counts.Delivered != r.Counts.Read {
					t.Errorf("not all is delivered: %+v", r.Counts)
				}
			})
		})
	}
}
