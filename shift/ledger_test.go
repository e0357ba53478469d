package shift

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func openLedger(dir string) *FileLedger {
	return OpenFileLedger(dir, slog.New(slog.NewTextHandler(io.Discard, nil)))
}

func entry(seq uint64) Entry {
	return Entry{Seq: seq, Route: fmt.Sprintf("route%d", seq%3), Actor: Actor{Name: "aiko"}, Action: ActSet, Why: strings.Repeat("why ", int(seq)%50)}
}

func seqs(entries []Entry) (list []uint64) {
	for _, e := range entries {
		list = append(list, e.Seq)
	}
	return list
}

func TestTheLedgerHoldsEachEntryOnce(t *testing.T) {
	l := openLedger(t.TempDir())
	if last, err := l.Last(); err != nil || last != 0 {
		t.Fatalf("fresh: %d, %v", last, err)
	}
	if err := l.Append(entry(1), entry(2)); err != nil {
		t.Fatal(err)
	}
	again := openLedger(filepath.Dir(l.Path()))
	for _, ledger := range []*FileLedger{l, again, l} {
		if err := ledger.Append(entry(1), entry(2), entry(3)); err != nil {
			t.Fatal(err)
		}
	}
	got, err := l.Read(Filter{})
	if err != nil || fmt.Sprint(seqs(got)) != "[3 2 1]" {
		t.Errorf("%v, %v", seqs(got), err)
	}
}

func TestATornLedger(t *testing.T) {
	line := `{"seq":3,"route":"wiki"}`
	for name, torn := range map[string]string{
		"half a line":        line[:10],
		"a line without end": line,
		"zeros":              strings.Repeat("\x00", 4096),
		"zeros and an end":   strings.Repeat("\x00", 100) + "\n",
		"garbage, two lines": "gar\nbage\n",
		"a broken number":    `{"seq":"3"}` + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			var log bytes.Buffer
			l := openLedger(dir)
			if err := l.Append(entry(1), entry(2)); err != nil {
				t.Fatal(err)
			}
			whole, _ := os.ReadFile(l.Path())
			if err := os.WriteFile(l.Path(), append(whole, torn...), 0o600); err != nil {
				t.Fatal(err)
			}
			l = OpenFileLedger(dir, slog.New(slog.NewTextHandler(&log, nil)))
			if got, _ := l.Read(Filter{}); fmt.Sprint(seqs(got)) != "[2 1]" {
				t.Errorf("read before the repair: %v", seqs(got))
			}
			if last, err := l.Last(); err != nil || last != 2 {
				t.Errorf("last %d, %v", last, err)
			}
			if err := l.Append(entry(3)); err != nil {
				t.Fatal(err)
			}
			if got, err := l.Read(Filter{}); err != nil || fmt.Sprint(seqs(got)) != "[3 2 1]" {
				t.Errorf("%v, %v", seqs(got), err)
			}
			aside, _ := filepath.Glob(filepath.Join(dir, ledgerName+".torn-*"))
			if len(aside) != 1 || !strings.Contains(log.String(), aside[0]) {
				t.Fatalf("set aside: %v, logged %q", aside, log.String())
			}
			if kept, _ := os.ReadFile(aside[0]); string(kept) != torn {
				t.Errorf("set aside: %q", kept)
			}
		})
	}
}

// TestAFileThatIsNoLedger is not taken apart.
func TestAFileThatIsNoLedger(t *testing.T) {
	l := openLedger(t.TempDir())
	text := bytes.Repeat([]byte(strings.Repeat("not a ledger ", 1000)+"\n"), longestLine/13_000+1)
	if err := os.WriteFile(l.Path(), text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := l.Append(entry(1)); err == nil || !strings.Contains(err.Error(), "move it away") {
		t.Fatalf("%v", err)
	}
	if info, err := os.Stat(l.Path()); err != nil || info.Size() != int64(len(text)) {
		t.Errorf("%v, %d bytes", err, info.Size())
	}
}

func TestReadFilters(t *testing.T) {
	l := openLedger(t.TempDir())
	var entries []Entry
	for seq := range uint64(3000) { // about 400 KiB: several blocks
		e := entry(seq + 1)
		if e.Seq == 1234 {
			e.Actor.Name, e.Action = "ben", ActRollback
			e.Why = strings.Repeat("long ", backBlock) // a line over several blocks
		}
		entries = append(entries, e)
	}
	if err := l.Append(entries...); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		filter Filter
		want   string
	}{
		{Filter{Limit: 3}, "[3000 2999 2998]"},
		{Filter{Limit: 2, Route: "route1"}, "[2998 2995]"},
		{Filter{Limit: 2, Before: 3}, "[2 1]"},
		{Filter{Limit: 3, Before: 1235}, "[1234 1233 1232]"},
		{Filter{Actor: "ben"}, "[1234]"},
		{Filter{Action: ActRollback}, "[1234]"},
		{Filter{Route: "none"}, "[]"},
	} {
		got, err := l.Read(c.filter)
		if err != nil || fmt.Sprint(seqs(got)) != c.want {
			t.Errorf("%+v: %v, %v, want %s", c.filter, seqs(got), err, c.want)
		}
	}
	if got, err := l.Read(Filter{}); err != nil || len(got) != usualLimit {
		t.Errorf("%d entries, %v", len(got), err)
	}
	if got, err := l.Read(Filter{Limit: 1 << 30}); err != nil || len(got) != 3000 {
		t.Errorf("%d entries, %v", len(got), err)
	}
}

func TestALineInTheMiddleThatCannotBeRead(t *testing.T) {
	l := openLedger(t.TempDir())
	if err := os.WriteFile(l.Path(), []byte("{\"seq\":1}\nbroken\n\n{\"seq\":2}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := l.Read(Filter{})
	if fmt.Sprint(seqs(got)) != "[2 1]" || err == nil || !strings.Contains(err.Error(), "byte 16") {
		t.Errorf("%v, %v", seqs(got), err)
	}
}

// FuzzLedgerEnd checks that reading backward finds the lines that splitting finds, in blocks of any
// content, and that the end is after a line that can be read.
func FuzzLedgerEnd(f *testing.F) {
	f.Add([]byte("{\"seq\":1}\n{\"seq\":2}\n"))
	f.Add([]byte("{\"seq\":1}\n{\"seq\":2}"))
	f.Add([]byte("\n\nx\n"))
	f.Add([]byte("{\"seq\":0}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		var want [][]byte
		for _, line := range bytes.Split(text, []byte("\n")) {
			if len(line) > 0 {
				want = append(want, line)
			}
		}
		lines := backward{file: bytes.NewReader(text), at: int64(len(text))}
		for i := len(want) - 1; i >= 0; i-- {
			line, end, err := lines.next()
			if err != nil || !bytes.Equal(line, want[i]) {
				t.Fatalf("line %d: %q, %v, want %q", i, line, err, want[i])
			}
			if !bytes.Equal(text[end-int64(len(line)):end], line) {
				t.Fatalf("line %q does not end at %d", line, end)
			}
		}
		if _, _, err := lines.next(); err != io.EOF {
			t.Fatalf("after the first line: %v", err)
		}
		whole, last, err := ledgerEnd(bytes.NewReader(text), int64(len(text)))
		if err != nil || whole > int64(len(text)) || (whole > 0) != (last > 0) {
			t.Fatalf("ends at %d with seq %d, %v", whole, last, err)
		}
		if whole > 0 && text[whole-1] != '\n' {
			t.Fatalf("byte %d ends no line", whole)
		}
	})
}
