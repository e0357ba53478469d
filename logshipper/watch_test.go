package logshipper

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// watchOnly runs the stage's shipper with its watcher, and lets it scan no more. It is not for a bubble.
func watchOnly(s *stage) {
	s.t.Helper()
	var err error
	s.shipper, err = New([]Config{s.config}, s.options)
	s.must(err)
	s.run()
	for s.scanned().IsZero() {
		time.Sleep(time.Millisecond)
	}
	for _, p := range s.shipper.pipes {
		p.mu.Lock()
		p.nextScan = time.Now().Add(time.Hour)
		p.mu.Unlock()
	}
}

// scanned is when the last of the pipes has scanned.
func (s *stage) scanned() (last time.Time) {
	last = time.Now()
	for _, p := range s.shipper.pipes {
		p.mu.Lock()
		if p.lastScan.Before(last) {
			last = p.lastScan
		}
		p.mu.Unlock()
	}
	return last
}

// isOpen tells whether every pipe has the file at path.
func (s *stage) isOpen(path string) bool {
	open := 0
	for _, f := range s.shipper.Status() {
		if f.Path == path {
			open++
		}
	}
	return open == len(s.shipper.pipes)
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not after a minute: %s", what)
		}
	}
}

// TestFilesThatNoScanSees come and go without a scan: what appears is opened at once, by every output, and
// shipped although it has no name any more.
func TestFilesThatNoScanSees(t *testing.T) {
	s := newStage(t, func(c *Config) {
		c.Every = 10 * time.Millisecond
		c.To.Also = []Output{{Stdout: &Stdout{}}}
	})
	var out bytes.Buffer
	s.options.Stdout = &out
	watchOnly(s)
	var want []string
	for n := range 50 {
		name := fmt.Sprintf("short-%d.log", n)
		line := fmt.Sprintf("line of %d", n)
		want = append(want, line)
		if n%2 == 0 {
			s.write(name, line+"\n")
		} else { // written elsewhere, and moved here
			s.write("elsewhere", line+"\n")
			s.must(os.Rename(s.path("elsewhere"), s.path(name)))
		}
		eventually(t, name+" is open", func() bool { return s.isOpen(s.path(name)) })
		s.must(os.Remove(s.path(name)))
	}
	r := s.flush()
	s.expect(want...)
	if r.Counts.Unreadable != 0 || r.Counts.Waiting != 0 || strings.Count(out.String(), "\n") != len(want) {
		t.Errorf("%+v; %d lines at stdout", r.Counts, strings.Count(out.String(), "\n"))
	}
}

// TestDirectoriesThatAppear are looked into at once, and are watched again when they are others.
func TestDirectoriesThatAppear(t *testing.T) {
	s := newStage(t, func(c *Config) {
		c.Path = filepath.Join(filepath.Dir(c.Path), "*", "x", "*.log")
		c.Every = 10 * time.Millisecond
	})
	watchOnly(s)
	var want []string
	for n := range 3 {
		dir := s.path("pod")
		s.must(os.MkdirAll(filepath.Join(dir, "x"), 0o755))
		eventually(t, "it is watched", func() bool {
			s.shipper.watcher.mu.Lock()
			defer s.shipper.watcher.mu.Unlock()
			watches := 0
			for _, names := range s.shipper.watcher.names {
				if names[filepath.Join(dir, "x")] {
					watches++
				}
			}
			return watches == n+1 // an open file keeps its directory, and the watch
		})
		line := fmt.Sprint("line ", n)
		want = append(want, line)
		s.write(filepath.Join("pod", "x", "a.log"), line+"\n")
		eventually(t, "the line is there", func() bool { lines, _ := s.archived(); return slices.Contains(lines, line) })
		s.must(os.RemoveAll(dir))
	}
	s.flush()
	s.expect(want...)
}

// TestWatchesEnd with their directories, and the watcher with its file.
func TestWatchesEnd(t *testing.T) {
	w, err := newWatcher()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "dir")
	if err := errors.Join(os.Mkdir(dir, 0o755), w.add(dir), w.add(dir)); err != nil {
		t.Fatal(err)
	}
	if err := w.add(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	ended := make(chan bool)
	go func() { w.tell(func(string) {}); close(ended) }()
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the watch has ended", func() bool { w.mu.Lock(); defer w.mu.Unlock(); return len(w.names) == 0 })
	if err := w.close(); err != nil {
		t.Fatal(err)
	}
	<-ended
}

// TestAWatchThatIsOverrun looks at everything.
func TestAWatchThatIsOverrun(t *testing.T) {
	s := newStage(t, func(c *Config) { c.Every = 10 * time.Millisecond })
	watchOnly(s)
	p := s.shipper.pipes[0]
	p.mu.Lock() // the pipe is busy
	for n := range 2 * mostFresh {
		s.write(fmt.Sprintf("%d.log", n), "line\n")
	}
	eventually(t, "no more fit", func() bool { return len(p.fresh) == mostFresh })
	p.mu.Unlock()
	eventually(t, "those are shipped", func() bool { lines, _ := s.archived(); return len(lines) >= mostFresh })
	p.mu.Lock()
	p.nextScan = time.Time{}
	p.mu.Unlock()
	eventually(t, "all are shipped", func() bool { lines, _ := s.archived(); return len(lines) == 2*mostFresh })
	if names := (&watcher{}).paths(-1, 0x4000, ""); len(names) != 1 || names[0] != "" {
		t.Errorf("when the kernel's queue was overrun: %q", names)
	}
	s.flush()
}

// refusing is an output that takes nothing.
type refusing struct{ drop }

func (*refusing) deliver(context.Context, *batch) (bool, error) { return false, errors.New("no") }

// TestAFileWithoutAName does not wait for others, for it goes with the agent; and when nobody takes it, that is said.
func TestAFileWithoutAName(t *testing.T) {
	for _, taken := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			s := newStage(t, func(c *Config) { c.Every = time.Hour })
			s.open()
			if !taken {
				s.shipper.pipes[0].out = &refusing{}
			}
			s.run()
			one, want := block("one", 20)
			s.write("a.log", one)
			s.look()
			s.must(os.Remove(s.path("a.log")))
			s.look()
			if taken {
				s.expect(want...)
				s.flush()
				return
			}
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			r := s.shipper.Flush(ctx)
			s.must(<-s.ran)
			s.stop()
			if err := r.Counts.Check(); err != nil || r.Counts.Unreadable != int64(len(one)) || r.Counts.Waiting != 0 {
				t.Errorf("%v, %+v", err, r.Counts)
			}
		})
	}
}

// TestTheTornEndOfAFileThatIsAway is taken when nobody has gone on with it for a while; it would wait, and keep the
// file open, until the stop.
func TestTheTornEndOfAFileThatIsAway(t *testing.T) {
	for name, away := range map[string]func(s *stage){
		"renamed": func(s *stage) { s.must(os.Rename(s.path("a.log"), s.path("a.log.1"))) },
		"removed": func(s *stage) { s.must(os.Remove(s.path("a.log"))) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t, func(c *Config) { c.Every = time.Second })
				s.start()
				s.write("a.log", "one\ntorn")
				s.look()
				away(s)
				time.Sleep(s.config.Linger / 2)
				s.expect("one")
				time.Sleep(s.config.Linger)
				s.expect("one", "torn")
				if files := s.shipper.Status(); len(files) != 0 {
					t.Errorf("still kept: %+v", files)
				}
				s.flush()
			})
		})
	}
}

// TestACopyInTheMaking is empty when it is seen first, under a name that the pattern matches.
func TestACopyInTheMaking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, func(c *Config) { c.Path = strings.Replace(c.Path, "*.log", "*.log*", 1) })
		s.start()
		one, want := block("one", 100)
		s.write("a.log", one)
		s.wait()
		s.write("a.log.1", "")
		s.look()
		s.write("a.log.1", one)
		s.wait()
		s.must(os.Truncate(s.path("a.log"), 0))
		s.flush()
		s.expect(want...)
	})
}

// TestAFleetingFileWithAnInodeUsedAgain has that of a file which was closed as it was quiet.
func TestAFleetingFileWithAnInodeUsedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, nil)
		s.start()
		s.write("a.log", "one\n")
		s.must(os.Chtimes(s.path("a.log"), time.Now(), time.Now()))
		time.Sleep(time.Hour)
		reuse(s, "a.log", "b.log", "one\ntwo\n")
		handle, err := os.Open(s.path("b.log"))
		s.must(err)
		s.must(os.Remove(s.path("b.log")))
		p := s.shipper.pipes[0]
		p.fresh <- fresh{s.path("b.log"), handle}
		s.wait()
		s.flush()
		s.expect("one", "one", "two")
	})
}
