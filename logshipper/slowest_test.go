package logshipper

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"yadokari/logshipper/firehose/firehosetest"
)

// told is what a list of files says, for people.
func told(files []File) (lines []string) {
	for _, f := range files {
		line := fmt.Sprintf("%s %d/%d, %d", filepath.Base(f.Path), f.Acknowledged, f.Size, f.Backlog)
		for _, o := range f.Outputs {
			line += fmt.Sprintf("; %.4s %d", o.Output, o.Backlog)
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return lines
}

// TestTheSlowestOutputCounts ships to a directory and to a stream that takes nothing, over a rotation: every file is
// there once, with what the slowest has of it, live and from the disk.
func TestTheSlowestOutputCounts(t *testing.T) {
	s := newStage(t, func(c *Config) { c.Linger = time.Hour })
	down := true
	server := &firehosetest.Server{Script: func(int, [][]byte) firehosetest.Reply { return firehosetest.Reply{Hang: down} }}
	toStream(t, s, server)
	synctest.Test(t, func(t *testing.T) {
		s.start()
		s.write("a.log", "one\n")
		began := time.Now()
		s.wait()
		s.must(os.Rename(s.path("a.log"), s.path("a.log.1")))
		s.write("a.log", "three\n")
		s.wait()
		want := fmt.Sprint([]string{"a.log 0/6, 6; fire 6; dir: 0", "a.log.1 0/4, 4; fire 4; dir: 0"})
		files := ByFile(s.shipper.Status())
		if got := fmt.Sprint(told(files)); got != fmt.Sprint([]string{"a.log 0/4, 4; fire 4; dir: 0", "a.log 0/6, 6; fire 6; dir: 0"}) {
			t.Errorf("live: %s", got)
		}
		if age := files[0].Oldest.Sub(began); age < 0 || age > 2*time.Second {
			t.Errorf("the oldest line is from %s", files[0].Oldest)
		}
		s.must(os.Link(s.path("a.log"), s.path("b.log"))) // one file in two places
		status, err := ReadStatus([]Config{s.config})
		s.must(err)
		if got := fmt.Sprint(told(ByFile(status))); got != want {
			t.Errorf("from the disk: %s", got)
		}
		s.must(os.Remove(s.path("b.log")))
		down = false
		s.crash()
		s.start()
		s.flush()
		for _, f := range ByFile(s.shipper.Status()) {
			if f.Backlog != 0 || len(f.Outputs) != 2 {
				t.Errorf("at the end: %+v", f)
			}
		}
	})
}

// TestFilesOfOneInode are two, when one of them is gone.
func TestFilesOfOneInode(t *testing.T) {
	node := inode{1, 2}
	all := []FileStatus{
		{Path: "a", Output: "x", Size: 9, Acknowledged: 4, Backlog: 5, node: node, gone: true},
		{Path: "a", Output: "x", Size: 3, Acknowledged: 3, node: node},
		{Path: "a", Output: "y", Size: 9, Acknowledged: 9, node: node, gone: true},
		{Path: "a", Output: "y", Size: 3, Acknowledged: 1, Backlog: 2, node: node},
		{Path: "a", Output: "y", Size: 7, Acknowledged: 7, node: node, gone: true}, // there were two of them
		{Path: "shut", Output: "x", Size: 1, Backlog: 1, Problem: "permission denied"},
		{Path: "shut", Output: "y", Size: 1, Backlog: 1, Problem: "permission denied"},
	}
	want := []string{"a 1/3, 2; y 2; x 0", "a 4/9, 5; x 5; y 0", "a 7/7, 0; y 0", "shut 0/1, 1; x 1; y 1"}
	if got := told(ByFile(all)); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
