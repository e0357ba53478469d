package agent

import (
	"encoding/json"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"yadokari/lifecycle"
	"yadokari/logshipper"
	"yadokari/logshipper/firehose"
	"yadokari/setting"
)

// TestLogsThatNobodyTakes stops with lines for a stream that is down: they stay in the files, which is safe; or
// they go to a leftover; or there is no place for that, and they are lost with the pod.
func TestLogsThatNobodyTakes(t *testing.T) {
	for name, want := range map[string]int{"files": lifecycle.ExitLeftOver, "leftover": lifecycle.ExitLeftOver, "full": lifecycle.ExitLost} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			c := logshipper.Config{}
			setting.Defaults(&c)
			c.Path, c.Checkpoints = s.path("audit*.log"), s.path("state")
			c.To.Firehose = &firehose.Config{}
			setting.Defaults(c.To.Firehose)
			c.To.Firehose.Stream, c.To.Firehose.Region, c.To.Firehose.Endpoint = "audit", "eu-west-1", "http://127.0.0.1:9"
			if name != "files" {
				c.Leftover.Dir = s.path("left")
			}
			if name == "full" { // or any other reason why nothing can be written there
				if err := os.WriteFile(c.Leftover.Dir, nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			s.config.Logs = []logshipper.Config{c}
			s.config.Shutdown.App, s.config.Shutdown.Mail, s.config.Shutdown.Logs = 0.02, 0.01, 0.01
			s.config.Shutdown.Grace, s.config.Shutdown.Reserve, s.config.Shutdown.Quiet = shortGrace, ampleReserve, minQuiet
			s.env = []string{"AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test"}
			if err := os.WriteFile(s.path("audit.log"), []byte("one\ntwo\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			s.start()
			s.ready(false)
			s.signal(syscall.SIGTERM)
			r := s.end()
			a := r.Parts[len(r.Parts)-1]
			if a.Part != logsName || r.Exit != want || a.In["found"] != 8 || a.Check() != nil {
				t.Errorf("%+v", r)
			}
			lost := want == lifecycle.ExitLost
			if lost != (a.Lost == 8) || lost == (a.LeftOver == 8) || lost != (len(a.Faults) > 0) || lost != (a.Where == "") {
				t.Errorf("%+v", a)
			}
		})
	}
}

// TestLogsOverTheAPI asks for the state of two files, one of them with a line that has no end yet.
func TestLogsOverTheAPI(t *testing.T) {
	s := newScene(t)
	c := logshipper.Config{}
	setting.Defaults(&c)
	c.Path, c.Checkpoints, c.Every = s.path("audit*.log"), s.path("state"), 10*time.Millisecond
	c.To.Dir = &logshipper.Dir{Path: s.path("archive")}
	c.To.Also = []logshipper.Output{{Dir: &logshipper.Dir{Path: s.path("second")}}}
	s.config.Logs = []logshipper.Config{c}
	for name, text := range map[string]string{"audit1.log": "one\n", "audit2.log": "one\ntorn"} {
		if err := os.WriteFile(s.path(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.start()
	s.ready(false)
	var r logshipper.Report
	for end := time.Now().Add(time.Minute); r.Counts.Delivered.Lines < 4; {
		code, text := s.get("/api/v1/logs")
		r = logshipper.Report{}
		if err := json.Unmarshal([]byte(text), &r); err != nil || code != 200 || time.Now().After(end) {
			t.Fatalf("%d, %v: %s", code, err, text)
		}
	}
	backlog := map[string]int64{}
	for _, f := range r.Files {
		backlog[filepath.Base(f.Path)] = f.Backlog
		if len(f.Outputs) != 2 || f.Acknowledged != 4 || f.Size-f.Backlog != 4 || (f.Backlog > 0) == f.Oldest.IsZero() {
			t.Errorf("%+v", f)
		}
	}
	if len(r.Files) != 2 || backlog["audit1.log"] != 0 || backlog["audit2.log"] != 4 || r.Counts.Waiting != 8 || r.Counts.Check() != nil {
		t.Errorf("%+v", r)
	}
	s.signal(syscall.SIGTERM)
	if receipt := s.end(); !receipt.Complete {
		t.Errorf("%+v", receipt)
	}
}
