package logs

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"yadokari/logshipper/firehose/firehosetest"
)

const (
	rotateEvery = 4  // kills
	goOnEvery   = 10 // kills; then the agent comes to the end of the short files first, however slow the machine
)

// TestLogrotate writes without a pause while logrotate rotates and the agent is killed at random moments.
func TestLogrotate(t *testing.T) {
	for _, mode := range []string{"create", "copytruncate"} {
		t.Run(mode, func(t *testing.T) { rotate(t, mode) })
	}
}

func rotate(t *testing.T, mode string) {
	dir := t.TempDir()
	logs := filepath.Join(dir, "log")
	must(t, os.Mkdir(logs, 0o755))
	logrotate := newLogrotate(t, dir, logs, mode)
	double := &firehosetest.Server{Script: badDay}
	server := httptest.NewServer(double)
	defer server.Close()
	store := newStore(t, func(call int64) bool { return call%7 == 2 })
	configure(t, dir, fmt.Sprintf(`{path: "DIR/log/audit*.log", checkpoints: DIR/state, every: 30ms, format: json, to: {dir: {path: DIR/archive}, %s, %s}}`,
		stream(server.URL), bucketAt(store.url)))
	w := &writer{t: t, path: filepath.Join(logs, "audit.log")}
	w.line()
	start(t, dir).stop(0) // from now on there is a checkpoint
	stop := w.start()
	short := &shortLived{t: t, dir: logs, seen: map[uint64]bool{}}
	for n := range *kills {
		a := start(t, dir)
		short.create(n)
		time.Sleep(time.Duration(50+rand.N(350)) * time.Millisecond) // the moment is what is tested, not waited for
		if n%rotateEvery == 0 {
			logrotate()
			w.reopen.Store(true)
			time.Sleep(time.Duration(rand.N(50)) * time.Millisecond)
		}
		short.removeShipped(dir) // while it is watched
		for end := time.Now().Add(time.Minute); n%goOnEvery == 0 && short.removed < short.made && time.Now().Before(end); {
			time.Sleep(10 * time.Millisecond)
			short.removeShipped(dir)
		}
		a.Kill()
	}
	stop()
	r := start(t, dir).stop(0)
	want := w.kept(mode, logs)
	for _, line := range short.lines {
		want[line] = true
	}
	t.Logf("%s: %d kills, %d rotations, %d lines written, %d of them kept by logrotate", mode, *kills, (*kills+rotateEvery-1)/rotateEvery, len(w.lines), len(want)-len(short.lines))
	t.Logf("%s: %d short files, %d removed, %d with an inode that another one had; the receipt %+v", mode, short.made, short.removed, short.reused, r.Parts[0].Out)
	if short.removed == 0 || short.reused == 0 {
		t.Errorf("%d short files were removed, %d inodes used again: the directory for temporary files must be on ext4, say, which does", short.removed, short.reused)
	}
	copies := archived(t, dir)
	if twice := compare(t, "dir", copies, want); twice > 0 {
		t.Errorf("dir: %d lines twice", twice)
	}
	inOrder(t, "dir", copies)
	compare(t, "firehose", double.Records(), want)
	objects := store.objects(t)
	compare(t, "s3", objects, want)
	inOrder(t, "s3", objects)
}

// badDay is a stream that throttles, takes only a part, or takes all and does not get to say so.
func badDay(call int, records [][]byte) firehosetest.Reply {
	switch call % 11 {
	case 2:
		return firehosetest.Reply{Status: 400, Error: "ServiceUnavailableException"}
	case 5:
		return firehosetest.Reply{Fail: []int{len(records) - 1}, Error: "ServiceUnavailableException"}
	case 8:
		return firehosetest.Reply{Status: 503, Error: "ServiceUnavailableException", Taken: true}
	}
	return firehosetest.Reply{}
}

func newLogrotate(t *testing.T, dir, logs, mode string) (rotate func()) {
	conf := filepath.Join(dir, "logrotate.conf")
	must(t, os.WriteFile(conf, []byte(fmt.Sprintf("%s/audit.log {\n%s\nrotate 1000\nnocompress\nmissingok\nsu root root\n}\n", logs, mode)), 0o644))
	return func() {
		out, err := exec.Command("/usr/sbin/logrotate", "-f", "-s", filepath.Join(dir, "rotated"), conf).CombinedOutput()
		if err != nil {
			t.Fatalf("logrotate: %v: %s", err, out)
		}
	}
}

// archived is what the output dir holds.
func archived(t *testing.T, dir string) (all [][]byte) {
	t.Helper()
	paths, _ := filepath.Glob(filepath.Join(dir, "archive", "*", "*"))
	for _, path := range paths {
		data, err := os.ReadFile(path)
		must(t, err)
		all = append(all, data)
	}
	return all
}

// inOrder wants the lines of every file in the order in which they were written, without a gap, once those that came
// twice are left out.
func inOrder(t *testing.T, name string, data [][]byte) {
	t.Helper()
	seen, ends := map[string]bool{}, map[string]int64{}
	faults := 0
	for _, one := range data {
		for line := range bytes.Lines(one) {
			var e struct {
				ID     string
				Offset int64
			}
			must(t, json.Unmarshal(line, &e))
			if seen[e.ID] {
				continue
			}
			seen[e.ID] = true
			parts := strings.Split(e.ID, "-")
			length, err := strconv.ParseInt(parts[2], 10, 64)
			must(t, err)
			if end := ends[parts[0]]; e.Offset != end {
				if faults++; faults < 4 {
					t.Errorf("%s: file %s: the line at %d follows %d bytes", name, parts[0], e.Offset, end)
				}
			}
			ends[parts[0]] = e.Offset + length + 1 // with its newline
		}
	}
	if len(ends) == 0 {
		t.Errorf("%s: there is nothing", name)
	}
}

// compare looks for every line, and counts those that are there twice: with the same id, so that it can be
// told.
func compare(t *testing.T, name string, data [][]byte, want map[string]bool) (twice int) {
	t.Helper()
	byID, got := map[string]string{}, map[string]int{}
	for _, one := range data {
		lines := bufio.NewScanner(bytes.NewReader(one))
		for lines.Scan() {
			var e struct{ ID, Line string }
			if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
				t.Fatalf("%s: %v in %q", name, err, lines.Bytes())
			}
			if before, ok := byID[e.ID]; ok {
				twice++
				if before != e.Line {
					t.Errorf("%s: id %s is %q and %q", name, e.ID, before, e.Line)
				}
				continue
			}
			byID[e.ID] = e.Line
			got[e.Line]++
		}
	}
	missing, same := 0, 0
	for line := range want {
		if got[line] == 0 {
			if missing++; missing < 4 {
				t.Errorf("%s: %q is missing", name, line)
			}
		}
	}
	for _, n := range got {
		if n > 1 {
			same++
		}
	}
	if missing > 0 || same > 0 {
		t.Errorf("%s: %d lines missing of %d, %d twice with different ids", name, missing, len(want), same)
	}
	t.Logf("%s: %d lines, %d twice with the same id", name, len(got), twice)
	return twice
}

// writer appends numbered lines, and reopens the file when told to, as an app does after a rotation.
type writer struct {
	t      *testing.T
	path   string
	file   *os.File
	lines  []string
	reopen atomic.Bool
}

func (w *writer) line() {
	if w.file == nil || w.reopen.Swap(false) {
		if w.file != nil {
			_ = w.file.Close() // it was written without a buffer
		}
		file, err := os.OpenFile(w.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			w.t.Error(err)
			return
		}
		w.file = file
	}
	line := fmt.Sprintf("line %d %s", len(w.lines), strings.Repeat("x", rand.N(200)))
	if _, err := w.file.WriteString(line + "\n"); err != nil {
		w.t.Error(err)
		return
	}
	w.lines = append(w.lines, line)
}

func (w *writer) start() (stop func()) {
	var over atomic.Bool
	var done sync.WaitGroup
	done.Go(func() {
		for !over.Load() {
			for range 10 {
				w.line()
			}
			time.Sleep(200 * time.Microsecond) // load, not haste
		}
	})
	return func() {
		over.Store(true)
		done.Wait()
	}
}

// kept is what was written and is in the files that logrotate has left: with copytruncate, what is written
// between its copy and its truncation is in none of them.
func (w *writer) kept(mode, logs string) map[string]bool {
	kept := map[string]bool{}
	paths, _ := filepath.Glob(filepath.Join(logs, "audit.log*"))
	for _, path := range paths {
		data, err := os.ReadFile(path)
		must(w.t, err)
		for line := range strings.Lines(string(data)) {
			kept[strings.TrimSuffix(line, "\n")] = true
		}
	}
	if mode == "create" && len(kept) != len(w.lines) {
		w.t.Errorf("the test lost lines: %d of %d", len(kept), len(w.lines))
	}
	return kept
}

// shortLived are files that go as soon as they are shipped, so that inodes are used again.
type shortLived struct {
	t                     *testing.T
	dir                   string
	lines                 []string
	seen                  map[uint64]bool // inodes
	made, removed, reused int
}

func (s *shortLived) create(n int) {
	var text strings.Builder
	for i := range 5 {
		line := fmt.Sprintf("short %d line %d", n, i)
		s.lines = append(s.lines, line)
		text.WriteString(line + "\n")
	}
	path := filepath.Join(s.dir, fmt.Sprintf("audit-short-%d.log", n))
	must(s.t, os.WriteFile(path, []byte(text.String()), 0o644))
	info, err := os.Stat(path)
	must(s.t, err)
	s.made++
	if inode := info.Sys().(*syscall.Stat_t).Ino; s.seen[inode] {
		s.reused++
	} else {
		s.seen[inode] = true
	}
}

// removeShipped removes what yadokari logs status says no output needs any more.
func (s *shortLived) removeShipped(dir string) {
	s.t.Helper()
	out, err := exec.Command(program("yadokari"), "logs", "status", "-c", filepath.Join(dir, "yadokari.yaml"), "-o", "json").Output()
	if err != nil {
		s.t.Fatalf("logs status: %v: %s", err, out)
	}
	var files []struct {
		Path    string
		Backlog int64
	}
	must(s.t, json.Unmarshal(out, &files))
	backlog := map[string]int64{}
	for _, f := range files {
		backlog[f.Path] += f.Backlog
	}
	for path, n := range backlog {
		if n == 0 && strings.Contains(path, "audit-short-") {
			switch err := os.Remove(path); {
			case err == nil:
				s.removed++
			case !os.IsNotExist(err):
				s.t.Error(err)
			}
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
