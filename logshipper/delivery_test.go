package logshipper

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"yadokari/cloud"
	"yadokari/logshipper/firehose"
	"yadokari/logshipper/firehose/firehosetest"
)

// toStream makes the stage's output a stream served by server.
func toStream(t *testing.T, s *stage, server *firehosetest.Server) {
	t.Setenv("AWS_ACCESS_KEY_ID", "id")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_CONFIG_FILE", "/dev/null")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
	access := cloud.Access{Region: "ap-northeast-1", Timeout: 30 * time.Second}
	s.config.To.Firehose = &firehose.Config{Stream: "audit", Access: access}
	s.options.Transport = server
}

func linesOf(records [][]byte) []string {
	lines := deleteEmpty(strings.SplitAfter(string(bytes.Join(records, nil)), "\n"))
	sort.Strings(lines)
	return lines
}

// script chooses what a stream does by the number of the call.
func script(replies ...firehosetest.Reply) func(int, [][]byte) firehosetest.Reply {
	return func(call int, records [][]byte) firehosetest.Reply {
		if call < len(replies) {
			r := replies[call]
			if len(r.Fail) > 0 && r.Fail[0] < 0 { // the last
				r.Fail = []int{len(records) - 1}
			}
			return r
		}
		return firehosetest.Reply{}
	}
}

func TestStreamGetsEveryLineOnce(t *testing.T) {
	throttled := firehosetest.Reply{Status: 400, Error: "ServiceUnavailableException"}
	for name, replies := range map[string][]firehosetest.Reply{
		"fair weather":  nil,
		"throttled":     {throttled, throttled, throttled},
		"partly":        {{Fail: []int{0}, Error: "ServiceUnavailableException"}, {Fail: []int{-1}, Error: "InternalFailure"}, throttled},
		"503":           {{Status: 503, Error: "ServiceUnavailableException"}, {Status: 500, Error: "InternalFailure"}},
		"hangs":         {{Hang: true}, {Hang: true}},
		"slow":          {{Delay: 25 * time.Second}},
		"no such, then": {{Status: 400, Error: "ResourceNotFoundException"}, {Status: 400, Error: "AccessDeniedException"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, nil)
			s.config.To.Dir = nil
			server := &firehosetest.Server{Script: script(replies...)}
			toStream(t, s, server)
			synctest.Test(t, func(t *testing.T) {
				s.start()
				text, want := block("line", 100_000) // of 40 bytes: several records
				s.write("a.log", text)
				time.Sleep(10 * time.Minute)
				r := s.flush()
				if got := linesOf(server.Records()); strings.Join(got, "|") != strings.Join(want, "|") {
					t.Errorf("%d lines arrived, want %d", len(got), len(want))
				}
				if r.Counts.Delivered.Lines != int64(len(want)) || (r.Counts.Retries > 0) != (len(replies) > 0 && replies[0].Delay == 0) {
					t.Errorf("counts: %+v", r.Counts)
				}
				for _, record := range server.Records() {
					if !bytes.HasSuffix(record, []byte("\n")) {
						t.Error("a record ends within a line")
					}
				}
			})
		})
	}
}

func TestBatchesLeaveInTime(t *testing.T) {
	s := newStage(t, nil)
	s.config.To.Dir = nil
	server := &firehosetest.Server{}
	toStream(t, s, server)
	synctest.Test(t, func(t *testing.T) {
		s.start()
		s.look()
		s.write("a.log", "one\n")
		time.Sleep(30 * time.Second)
		s.write("a.log", "two\n")
		time.Sleep(20 * time.Second)
		if calls, _ := server.Calls(); calls != 0 {
			t.Errorf("%d calls before the time", calls)
		}
		if f := s.shipper.Status()[0]; f.Backlog != 8 || time.Since(f.Oldest) < 49*time.Second || time.Since(f.Oldest) > 51*time.Second {
			t.Errorf("status: %+v, age %v", f, time.Since(f.Oldest))
		}
		time.Sleep(12 * time.Second)
		synctest.Wait()
		if records := server.Records(); len(records) != 1 || string(records[0]) != "one\ntwo\n" {
			t.Errorf("records: %q", records)
		}
		if f := s.shipper.Status()[0]; f.Backlog != 0 || !f.Oldest.IsZero() || f.Acknowledged != 8 {
			t.Errorf("status: %+v", f)
		}
		text, _ := block("many", 150_000) // more than one batch
		s.write("a.log", text)
		s.look()
		if calls, _ := server.Calls(); calls < 2 {
			t.Error("a full batch waited")
		}
		s.flush()
	})
}

func TestASlowOutputHoldsUpNoOther(t *testing.T) {
	s := newStage(t, nil)
	server := &firehosetest.Server{Script: func(int, [][]byte) firehosetest.Reply { return firehosetest.Reply{Hang: true} }}
	toStream(t, s, server)
	synctest.Test(t, func(t *testing.T) {
		s.start()
		text, want := block("line", 300_000)
		s.write("a.log", text)
		s.wait()
		s.expect(want...)
		var acknowledged []int64
		for _, f := range s.shipper.Status() {
			acknowledged = append(acknowledged, f.Acknowledged)
		}
		if fmt.Sprint(acknowledged) != fmt.Sprint([]int{0, len(text)}) {
			t.Errorf("acknowledged: %v", acknowledged)
		}
		s.crash()
		server.Script = nil
		s.start() // what was under way is sent again, the copy has nothing twice
		s.flush()
		s.expect(want...)
		if got := linesOf(server.Records()); len(got) != len(want) {
			t.Errorf("%d lines at the stream", len(got))
		}
	})
}

// TestKeysAreInOrder makes objects within one millisecond, and with a clock that was set back.
func TestKeysAreInOrder(t *testing.T) {
	s := &bucketSink{prefix: "audit/", host: "host1", cluster: "c1"}
	noon := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	before := ""
	for i, at := range []time.Time{noon, noon.Add(time.Microsecond), noon.Add(-time.Hour), noon.Add(time.Second)} {
		b := newBatch(1 << 10)
		b.add(&file{id: fmt.Sprintf("%016x", 10-i)}, mark{}, 1, 1)
		b.began = at
		key := s.keyOf(b, s.timeOf(b))
		if again := s.keyOf(b, s.timeOf(b)); again != key {
			t.Errorf("a second attempt goes to %s, not %s", again, key)
		}
		if key <= before {
			t.Errorf("%s comes after %s", key, before)
		}
		before, s.last = key, s.timeOf(b)
	}
}

func TestJSON(t *testing.T) {
	s := newStage(t, func(c *Config) { c.Format = FormatJSON })
	s.options.Pod = "pod-1"
	synctest.Test(t, func(t *testing.T) {
		s.start()
		texts := []string{`plain`, `"quoted" \ and	tab`, "ünïcode", "", "control \x01 one in many", "\xff not text", "\x00\x01\x02"}
		s.write("a.log", strings.Join(texts, "\n"))
		s.flush()
		lines, _ := s.archived()
		got, ids := map[string]bool{}, map[string]bool{}
		for _, line := range lines {
			var e struct {
				Host, Pod, Cluster, File, ID, Line string
				Offset                             int64
				Bytes                              []byte
			}
			d := json.NewDecoder(strings.NewReader(line))
			d.DisallowUnknownFields()
			if err := d.Decode(&e); err != nil {
				t.Fatalf("%v in %s", err, line)
			}
			if e.Host != "host1" || e.Pod != "pod-1" || e.Cluster != "c1" || e.File != s.path("a.log") || !strings.HasSuffix(e.ID, fmt.Sprintf("-%d-%d", e.Offset, len(e.Line+string(e.Bytes)))) {
				t.Errorf("got %s", line)
			}
			got[e.Line+string(e.Bytes)], ids[e.ID] = true, true
			if whole := strings.Join(texts, "\n"); !strings.HasPrefix(whole[e.Offset:], e.Line+string(e.Bytes)) {
				t.Errorf("offset %d does not lead to %q", e.Offset, e.Line)
			}
		}
		for _, text := range texts {
			if !got[text] {
				t.Errorf("%q is missing", text)
			}
		}
		if len(ids) != len(texts) {
			t.Errorf("%d ids", len(ids))
		}
	})
}

// TestJSONOfManyLines makes batches grow while entries are written into them.
func TestJSONOfManyLines(t *testing.T) {
	s := newStage(t, func(c *Config) { c.Format = FormatJSON })
	synctest.Test(t, func(t *testing.T) {
		s.start()
		text, want := block("line", 50_000)
		s.write("a.log", text)
		s.flush()
		lines, _ := s.archived()
		var got []string
		for _, line := range lines {
			var e struct{ Line string }
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				t.Fatalf("%v in %.200q", err, line)
			}
			got = append(got, e.Line)
		}
		sort.Strings(got)
		if strings.Join(got, "|") != strings.Join(want, "|") {
			t.Errorf("%d lines arrived, want %d", len(got), len(want))
		}
	})
}

func TestEntriesThatSpanLines(t *testing.T) {
	s := newStage(t, func(c *Config) { c.Format, c.Start, c.Line = FormatJSON, `^\d`, 256 })
	synctest.Test(t, func(t *testing.T) {
		s.start()
		s.write("a.log", "1 a\n at b\n at c\n2 d\n at")
		s.wait()
		s.write("a.log", " e\n3 f\n")
		s.look()
		s.wait() // quiet: the last entry is complete
		s.write("a.log", "4 g\n at h\n")
		s.flush()
		lines, _ := s.archived()
		var got []string
		for _, line := range lines {
			var e struct{ Line string }
			s.must(json.Unmarshal([]byte(line), &e))
			got = append(got, e.Line)
		}
		sort.Strings(got)
		if want := "[1 a\n at b\n at c 2 d\n at e 3 f 4 g\n at h]"; fmt.Sprint(got) != want {
			t.Errorf("got %q", got)
		}
	})
}

func TestLeftoverIsShippedLater(t *testing.T) {
	for _, format := range []string{FormatRaw, FormatJSON} {
		s := newStage(t, func(c *Config) { c.Format = format })
		s.config.Leftover.Dir = filepath.Join(t.TempDir(), "left")
		s.config.To.Dir = nil
		server := &firehosetest.Server{}
		toStream(t, s, server)
		synctest.Test(t, func(t *testing.T) {
			s.start()
			text, want := block("line", 1000)
			s.write("a.log", text)
			s.wait()
			server.Script = func(int, [][]byte) firehosetest.Reply {
				return firehosetest.Reply{Status: 503, Error: "ServiceUnavailableException"}
			}
			more, wantMore := block("more", 1000)
			s.write("a.log", more+"no end")
			r := s.flush()
			if r.Counts.LeftOver != int64(len(more)+6) || len(r.Where) != 1 || r.Took > time.Minute+time.Second {
				t.Errorf("result: %+v", r)
			}
			if f := r.Files[0]; f.Acknowledged != int64(len(text)) || f.LeftOver != r.Counts.LeftOver || f.Backlog != 0 {
				t.Errorf("status: %+v", f)
			}
			if counts, err := Ship(limited(t, time.Minute), s.config.Leftover.Dir, []Config{s.config}, s.options); err == nil || counts.Delivered.Lines != 0 {
				t.Errorf("the stream is down: %+v, %v", counts, err)
			}
			server.Script = nil
			counts, err := Ship(limited(t, time.Minute), s.config.Leftover.Dir, []Config{s.config}, s.options)
			if err != nil || counts.Check() != nil || counts.Delivered.Lines != 1001 {
				t.Errorf("shipped: %+v, %v", counts, err)
			}
			if entries, _ := os.ReadDir(s.config.Leftover.Dir); len(entries) != 0 {
				t.Errorf("%d directories are left", len(entries))
			}
			got := linesOf(server.Records())
			if format == FormatRaw && strings.Join(got, "|") != strings.Join(append(append(want, wantMore...), "no end"), "|") {
				t.Errorf("%d lines arrived", len(got))
			}
			for _, offset := range []int{len(text), len(text) + len(more)} {
				if found := strings.Contains(strings.Join(got, ""), fmt.Sprintf(`"offset":%d,`, offset)); found != (format == FormatJSON) {
					t.Errorf("offset %d: %v", offset, found)
				}
			}
		})
	}
}

func limited(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestWithoutLeftoverTheFileKeepsTheRest(t *testing.T) {
	s := newStage(t, nil)
	s.config.To.Dir = nil
	server := &firehosetest.Server{Script: func(int, [][]byte) firehosetest.Reply { return firehosetest.Reply{Hang: true} }}
	toStream(t, s, server)
	synctest.Test(t, func(t *testing.T) {
		s.start()
		text, want := block("line", 1000)
		s.write("a.log", text)
		if r := s.flush(); r.Counts.Waiting != int64(len(text)) || r.Counts.Delivered.Lines != 0 {
			t.Errorf("result: %+v", r.Counts)
		}
		status, err := ReadStatus([]Config{s.config})
		if err != nil || len(status) != 1 || status[0].Backlog != int64(len(text)) || status[0].Oldest.IsZero() {
			t.Errorf("status: %+v, %v", status, err)
		}
		synctest.Wait() // for calls that were given up
		server.Script = nil
		s.start()
		s.flush()
		if got := linesOf(server.Records()); len(got) != len(want) {
			t.Errorf("%d lines arrived", len(got))
		}
	})
}

// TestStatusOfRotatedFiles asks for the status while no agent runs.
func TestStatusOfRotatedFiles(t *testing.T) {
	one, _ := block("one", 50)
	two, _ := block("two", 60)
	for name, c := range map[string]struct {
		rotate func(s *stage)
		want   map[string]int64 // path: backlog
	}{
		"renamed, and written to": {func(s *stage) {
			s.must(os.Rename(s.path("a.log"), s.path("a.log.1")))
			s.write("a.log.1", two)
			s.write("a.log", "new\n")
		}, map[string]int64{"a.log.1": int64(len(two)), "a.log": 4}},
		"copied, and truncated": {func(s *stage) {
			s.write("a.log", two)
			copyFile(s.t, s.path("a.log"), s.path("a.log.1"))
			s.must(os.Truncate(s.path("a.log"), 0))
			s.write("a.log", "new\n")
		}, map[string]int64{"a.log.1": int64(len(two)), "a.log": 4}},
		"removed, and its inode used again": {func(s *stage) {
			s.must(os.Remove(s.path("a.log")))
			s.write("a.log", "new\n")
		}, map[string]int64{"a.log (missing)": 0, "a.log": 4}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t, nil)
				s.start()
				s.write("a.log", one)
				s.wait()
				s.crash()
				c.rotate(s)
				status, err := ReadStatus([]Config{s.config})
				s.must(err)
				got := map[string]int64{}
				for _, f := range status {
					key := filepath.Base(f.Path)
					if f.Missing {
						key += " (missing)"
					}
					got[key] += f.Backlog
				}
				if fmt.Sprint(got) != fmt.Sprint(c.want) {
					t.Errorf("got %v, want %v", got, c.want)
				}
			})
		})
	}
}

func TestOneProcessAtATime(t *testing.T) {
	s := newStage(t, nil)
	first, err := New([]Config{s.config}, Options{})
	s.must(err)
	if _, err := New([]Config{s.config}, Options{}); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("got %v", err)
	}
	s.must(first.abort())
}

func TestDamagedCheckpoint(t *testing.T) {
	s := newStage(t, nil)
	synctest.Test(t, func(t *testing.T) {
		s.start()
		s.write("a.log", "one\n")
		s.flush()
		path := filepath.Join(s.config.Checkpoints, checkpointName(s.config.Path, "dir:"+s.archive))
		s.must(os.WriteFile(path, []byte(`{"version":1,"files":[{`), 0o600))
		s.start()
		s.flush()
		s.expect("one", "one") // twice is better than not at all
		if _, err := os.Stat(path + ".damaged"); err != nil {
			t.Error(err)
		}
	})
}
