package tracker

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTornLine: what was written is in the file with half a line behind it, and the rest completes it.
func TestTornLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	a, err := openAudit(path, "vm", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	a.write("alice", "issue.create", "1", "")
	mend := a.tear()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.SplitAfter(string(text), "\n"); len(lines) != 2 || !strings.HasSuffix(lines[0], "}\n") || lines[1] == "" || strings.HasSuffix(lines[1], "}") {
		t.Errorf("%q", text)
	}
	mend()
	a.write("bob", "issue.create", "2", "")
	if err := a.close(); err != nil {
		t.Fatal(err)
	}
	for n, e := range readLines[AuditEntry](t, path) {
		if e.Seq != int64(n+1) {
			t.Errorf("line %d: %+v", n, e)
		}
	}
	if c := a.counts(); c != (AuditCounts{Written: 3, Flushed: 3}) {
		t.Errorf("%+v", c)
	}
}
