package stop

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"yadokari/examples/tracker"
	"yadokari/lifecycle"
	"yadokari/logshipper/firehose/firehosetest"
	"yadokari/test/kube"
	"yadokari/test/process"
)

// auditLog is the audit log as the containers know it.
const auditLog = "/out/audit.log"

// written are the audit logs of all pods.
func (s *site) written() (files []string) {
	s.Helper()
	names, err := filepath.Glob(filepath.Join(s.out, "*", "audit.log"))
	s.must(err)
	for _, name := range names {
		text, err := os.ReadFile(name)
		s.must(err)
		if len(text) > 0 {
			files = append(files, strings.TrimSuffix(string(text), "\n"))
		}
	}
	return files
}

// shipped wants every audit log to have arrived, byte for byte, and nothing else. A line whose tracker was
// killed in the middle of it may have come in two parts.
func (s *site) shipped() {
	s.Helper()
	written := s.written()
	arrived, entries, copies, err := s.archive.contents()
	if err != nil {
		s.Errorf("what has arrived is not whole: %v", err)
	}
	for _, file := range arrived {
		s.numbered(file)
	}
	lines := 0
	for _, file := range written {
		lines += strings.Count(file, "\n") + 1
		if !slices.Contains(arrived, file) {
			s.Errorf("not arrived as it was written: %s", file)
		}
	}
	s.Logf("%s: %d audit lines written in %d files, %d distinct entries arrived, which make up the same files; %d copies beyond the first, each with the id of its first",
		s.namespace, lines, len(written), entries, copies)
	if len(arrived) != len(written) || lines == 0 || entries < lines || entries > lines+s.torn() {
		s.Errorf("%d lines in %d files were written, %d entries of %d files arrived", lines, len(written), entries, len(arrived))
	}
}

// numbered wants the entries of every life of a tracker in the order in which it wrote them, from 1 on and without a
// gap. It says so of what has arrived, whatever is in the files: a line that never got there would be missing, too.
func (s *site) numbered(file string) {
	s.Helper()
	last := map[string]int64{}
	for line := range strings.SplitSeq(file, "\n") {
		e, ok := lastEntry(line)
		if !ok {
			continue // cut off when its tracker was killed
		}
		if e.Seq != last[e.Run]+1 {
			s.Errorf("run %s: entry %d comes after %d", e.Run, e.Seq, last[e.Run])
		}
		last[e.Run] = e.Seq
	}
	if len(last) == 0 {
		s.Errorf("no entry in %.200q", file)
	}
}

// lastEntry is the entry of a line. What a killed tracker has cut off may stand before it.
func lastEntry(line string) (e tracker.AuditEntry, ok bool) {
	begin := strings.LastIndex(line, `{"time":`)
	if begin < 0 {
		return e, false
	}
	return e, json.Unmarshal([]byte(line[begin:]), &e) == nil && e.Seq > 0
}

// checkLogs wants the receipt of a pod to say to which byte its audit log is acknowledged: that is what was
// delivered, and the rest is what is left over. It returns how much that is.
func (s *site) checkLogs(pod string) (leftOver int64) {
	s.Helper()
	var r struct {
		Parts []struct {
			Part     string
			Out      map[string]int64
			LeftOver int64
			Detail   struct {
				Files []struct {
					Path         string
					Acknowledged int64
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(s.fileReceipt(pod)), &r); err != nil {
		s.Errorf("the receipt's file of %s: %v", pod, err)
		return 0
	}
	info, err := os.Stat(s.here(pod, auditLog))
	if err != nil {
		s.Error(err)
		return 0
	}
	for _, part := range r.Parts {
		if part.Part != "logs" {
			continue
		}
		files := part.Detail.Files
		if len(files) != 1 || files[0].Path != auditLog || files[0].Acknowledged != part.Out["delivered"] || files[0].Acknowledged+part.LeftOver != info.Size() {
			s.Errorf("%s: the audit log has %d bytes; the receipt: %+v", pod, info.Size(), part)
		}
		return part.LeftOver
	}
	s.Errorf("%s: the receipt says nothing of logs", pod)
	return 0
}

// lineTrouble is how the archive can be in trouble while a pod stops.
type lineTrouble struct {
	name  string
	begin func(*archive)
}

var lineTroubles = []lineTrouble{
	{"ArchiveDown", (*archive).down},
	{"ArchiveHangs", func(a *archive) { a.trouble.Store(&firehosetest.Reply{Hang: true}) }},
	{"ArchiveThrottles", func(a *archive) {
		a.trouble.Store(&firehosetest.Reply{Status: http.StatusBadRequest, Error: "ThrottlingException"})
	}},
}

// test: the archive is in trouble while a pod ends. What was written is where the receipt says, and is
// shipped from there.
func (l lineTrouble) test(t *testing.T, c *kube.Cluster, f form, number int) {
	s := newSite(t, c, f, number)
	s.visit()
	s.mails(10)
	l.begin(s.archive)
	pod := s.mails(20) // each with a line
	s.remove(pod)
	process.Eventually(t, "the pod has ended", func() bool { return s.ends.gone(pod) })
	s.leave()
	s.load.Wait()
	s.archive.down()
	s.archive.up(t)
	s.whole(pod)
	s.close()

	where := ""
	sum := s.settle(func(e end, r *lifecycle.Receipt) {
		left := s.checkLogs(e.pod)
		if e.pod != pod {
			if !r.Complete || left != 0 {
				t.Errorf("%v: %s", e, e.Message)
			}
			return
		}
		if r.Exit != lifecycle.ExitLeftOver || r.Complete {
			t.Errorf("%v: %s", e, e.Message)
		}
		for _, part := range r.Parts {
			if part.Part == "logs" && part.LeftOver > 0 && part.LeftOver == left {
				where = part.Where
			}
		}
	})
	t.Logf("%s: %v", s.namespace, sum)
	if where == "" {
		t.Fatal("nothing is left over: the test has not met its case")
	}
	s.ship(s.here(pod, where))
	s.shipped()
	s.arrived(2 * mailWorkers)
}

// ship sends what is left over, as a person does.
func (s *site) ship(dir string) {
	s.Helper()
	_, before, _, _ := s.archive.contents()
	file := process.WriteFile(s.T, s.TempDir(), "yadokari.yaml", fmt.Sprintf("agent:\n  logs:\n%s", s.logs("/nonexistent")))
	command := s.cluster.Command(s.ctx, program("yadokari"), "logs", "ship", dir, "-c", file, "-o", "json")
	command.Env = append(command.Environ(), "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test")
	answer, err := command.CombinedOutput()
	_, after, _, _ := s.archive.contents()
	if err != nil || after <= before {
		s.Errorf("ship: %v, %d lines more: %s", err, after-before, answer)
	}
	if _, err := os.Stat(dir); err == nil {
		s.Errorf("%s is still there", dir)
	}
}

// logs is the section agent.logs.
func (s *site) logs(checkpoints string) string {
	return fmt.Sprintf(`    - path: %s
      to: {firehose: {stream: audit, region: ap-northeast-1, endpoint: "http://%s", timeout: 5s}}
      every: 1s
      format: json
      checkpoints: %s
      leftover: {dir: /out/leftover-logs}
`, auditLog, net.JoinHostPort(kube.NodeIP, fmt.Sprint(2600+s.number)), checkpoints)
}

// torn is how many of the lines that were written are no entry: one was cut off when its tracker was
// killed, and what the next one wrote follows it in the same line.
func (s *site) torn() (n int) {
	s.Helper()
	for _, file := range s.written() {
		for line := range strings.SplitSeq(file, "\n") {
			if !json.Valid([]byte(line)) {
				n++
			}
		}
	}
	return n
}
