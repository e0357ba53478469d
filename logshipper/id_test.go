package logshipper

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"yadokari/logshipper/firehose/firehosetest"
)

// arrival is an entry as a consumer finds it.
type arrival struct {
	file           string // its id
	offset, length int
	text           string
}

// arrivals reads entries as JSON, and wants every id to name one text.
func arrivals(t *testing.T, data []byte) (all []arrival) {
	t.Helper()
	texts := map[string]string{}
	for line := range bytes.Lines(data) {
		var e struct{ ID, Line string }
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		if text, ok := texts[e.ID]; ok {
			if text != e.Line {
				t.Errorf("id %s is %q and %q", e.ID, text, e.Line)
			}
			continue
		}
		texts[e.ID] = e.Line
		parts := strings.Split(e.ID, "-")
		if len(parts) != 3 {
			t.Fatalf("id %s", e.ID)
		}
		offset, _ := strconv.Atoi(parts[1])
		length, _ := strconv.Atoi(parts[2])
		if length != len(e.Line) {
			t.Errorf("id %s is %q", e.ID, e.Line)
		}
		all = append(all, arrival{parts[0], offset, length, e.Line})
	}
	return all
}

// whole leaves out what lies within another entry of the same file, as docs/logs.md tells a consumer to.
func whole(all []arrival) (texts []string) {
	slices.SortFunc(all, func(a, b arrival) int {
		return cmp.Or(strings.Compare(a.file, b.file), a.offset-b.offset, b.length-a.length)
	})
	file, end := "", 0
	for _, e := range all {
		if e.file == file && e.offset+e.length <= end {
			continue
		}
		file, end = e.file, e.offset+e.length
		texts = append(texts, e.text)
	}
	return texts
}

// TestAnIDNamesOneText takes an entry that is not whole, which the stream gets and does not say so; then the app
// goes on with it, and it comes again.
func TestAnIDNamesOneText(t *testing.T) {
	for name, c := range map[string]struct {
		change      func(*Config)
		text, later string
		want        []string
	}{
		"torn":            {text: "one\ntwo, whi", later: "ch goes on\nthree\n", want: []string{"one", "two, which goes on", "three"}},
		"only its end":    {text: "one\ntwo", later: "\nthree\n", want: []string{"one", "two", "three"}},
		"several lines":   {func(c *Config) { c.Start = `^\d` }, "1 a\n at b\n2 c\n", " at d\n3 e\n", []string{"1 a\n at b", "2 c\n at d", "3 e"}},
		"the other limit": {func(c *Config) { c.Line = 256 }, strings.Repeat("x", 300) + "\n", "y\n", []string{strings.Repeat("x", 300), "y"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, func(c *Config) { c.Format, c.To.Dir = FormatJSON, nil })
			later := s.config
			if c.change != nil {
				c.change(&s.config)
			}
			if s.config.Start != "" {
				later = s.config
			}
			silent := true
			server := &firehosetest.Server{Script: func(int, [][]byte) firehosetest.Reply {
				return firehosetest.Reply{Hang: silent, Taken: silent}
			}}
			toStream(t, s, server)
			later.To = s.config.To
			synctest.Test(t, func(t *testing.T) {
				s.start()
				s.write("a.log", c.text)
				s.look()
				ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
				defer cancel()
				if r := s.shipper.Flush(ctx); r.Counts.Delivered.Bytes != 0 {
					t.Errorf("acknowledged: %+v", r.Counts)
				}
				s.must(<-s.ran)
				s.stop()
				silent = false
				s.write("a.log", c.later)
				s.config = later
				s.start()
				s.flush()
				if got := whole(arrivals(t, bytes.Join(server.Records(), nil))); fmt.Sprint(got) != fmt.Sprint(c.want) {
					t.Errorf("got %q, want %q", got, c.want)
				}
			})
		})
	}
}

// TestALineAsLongAsTheLimit is one entry: the newline behind it is no other.
func TestALineAsLongAsTheLimit(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"read into the batch": func(c *Config) { c.Line = 64 << 10 },
		"cut":                 func(c *Config) { c.Line = 300 },
		"several lines":       func(c *Config) { c.Line, c.Start = 300, "^[0-9x]" },
		"as JSON":             func(c *Config) { c.Line, c.Format = 300, FormatJSON },
	} {
		for _, late := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", the newline is late: ", late), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := newStage(t, change)
					s.start()
					long := strings.Repeat("x", int(s.config.Line))
					s.write("a.log", "1\n"+long)
					if late {
						s.wait()
						s.wait()
					}
					s.write("a.log", "\n2\n")
					r := s.flush()
					lines, _ := s.archived()
					if len(lines) != 3 || r.Counts.Delivered.Lines != 3 || r.Counts.Waiting != 0 {
						t.Errorf("%d lines, %+v", len(lines), r.Counts)
					}
				})
			})
		}
	}
}

// TestANewlineAlone is all that is new when a batch is due: nothing is sent for it, and it is acknowledged.
func TestANewlineAlone(t *testing.T) {
	for _, format := range []string{FormatRaw, FormatJSON} {
		synctest.Test(t, func(t *testing.T) {
			s := newStage(t, func(c *Config) { c.Format = format })
			s.start()
			s.write("a.log", "torn")
			s.flush()
			s.start()
			s.write("a.log", "\n")
			s.wait()
			if f := s.shipper.Status()[0]; f.Backlog != 0 {
				t.Errorf("status: %+v", f)
			}
			s.write("a.log", "\n") // an empty line
			if r := s.flush(); r.Counts.Delivered.Lines != 1 {
				t.Errorf("counts: %+v", r.Counts)
			}
			paths, data := s.copies()
			if want := 2; len(paths) != 1 || bytes.Count(data, []byte("\n")) != want {
				t.Errorf("%d copies: %q", len(paths), data)
			}
		})
	}
}

// copies are the archive's files as they are.
func (s *stage) copies() (paths []string, data []byte) {
	s.t.Helper()
	paths, _ = filepath.Glob(filepath.Join(s.archive, "c1", "host1", "*"))
	for _, path := range paths {
		one, err := os.ReadFile(path)
		s.must(err)
		data = append(data, one...)
	}
	return paths, data
}

// TestNoObjectForNothing would put an empty object into the bucket.
func TestNoObjectForNothing(t *testing.T) {
	b := newBatch(1 << 10)
	b.add(&file{id: "0123456789abcdef"}, mark{offset: 1}, 0, 0)
	if taken, err := (&bucketSink{}).deliver(t.Context(), b); !taken || err != nil { // it has no writer
		t.Errorf("%v, %v", taken, err)
	}
}
