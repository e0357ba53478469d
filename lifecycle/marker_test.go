package lifecycle

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestParseMark(t *testing.T) {
	for text, want := range map[string]struct {
		exit  int // -1: none
		fault string
	}{
		"":                               {-1, ""},
		"\n":                             {-1, ""},
		"done at noon":                   {-1, ""},
		`{"exit": 3, "more": [1]}`:       {3, ""},
		`{"exit": 0}` + "\n":             {0, ""},
		`{}`:                             {-1, ""},
		`{"exit": 3`:                     {-1, "cannot be read"},
		`{"exit": "three"}`:              {-1, "cannot be read"},
		`{"exit": 256}`:                  {-1, "not an exit code"},
		`{"exit": -1}`:                   {-1, "not an exit code"},
		strings.Repeat("x", maxMarker):   {-1, ""},
		strings.Repeat("x", maxMarker+1): {-1, "longer than"},
	} {
		m := parseMark([]byte(text))
		exit := -1
		if m.Exit != nil {
			exit = *m.Exit
		}
		if exit != want.exit || (want.fault == "") != (m.Fault == "") || !strings.Contains(m.Fault, want.fault) {
			t.Errorf("%.40q: %d, %q", text, exit, m.Fault)
		}
	}
}

// A pipe in the marker's place is an error, and nobody waits for who writes to it.
func TestMarkIsAPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "marker")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	found := make(chan error, 1)
	go func() {
		_, err := FindMark(path)
		found <- err
	}()
	select {
	case err := <-found:
		if err == nil || !strings.Contains(err.Error(), "is not a file") {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Error("it waits")
	}
}

func TestMarkOnDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stopped")
	if m, err := FindMark(path); m != nil || err != nil {
		t.Fatal(m, err)
	}
	if found, err := ClearMark(path); found || err != nil {
		t.Fatal(found, err)
	}
	if err := LeaveMark(path, 81); err != nil {
		t.Fatal(err)
	}
	m, err := FindMark(path)
	if err != nil || m == nil || m.Exit == nil || *m.Exit != 81 || time.Since(m.Written) > time.Hour || m.inode == 0 {
		t.Fatal(m, err)
	}
	if again, err := FindMark(path); err != nil || !m.Same(again) || m.Same(nil) || (*Mark)(nil).Same(m) || !(*Mark)(nil).Same(nil) {
		t.Fatal(again, err)
	}
	if err := LeaveMark(path, 81); err != nil {
		t.Fatal(err)
	}
	if other, err := FindMark(path); err != nil || m.Same(other) {
		t.Fatal(other, err)
	}
	if found, err := ClearMark(path); !found || err != nil {
		t.Fatal(found, err)
	}
	if m, err := FindMark(path); m != nil || err != nil {
		t.Fatal(m, err)
	}
	if _, err := FindMark(t.TempDir()); err == nil {
		t.Error("a directory is no marker")
	}
	if err := LeaveMark(filepath.Join(path, "below"), 0); err == nil {
		t.Error("there is no such directory")
	}
	if names, _ := os.ReadDir(filepath.Dir(path)); len(names) != 0 {
		t.Error("something was left behind", names)
	}
}

func TestParseGrace(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"60": time.Minute, "60\n": time.Minute, `"90"`: 90 * time.Second, "1m30s": 90 * time.Second, "0.5": 500 * time.Millisecond,
		"": 0, "0": 0, "-5": 0, "soon": 0, "60 s": 0, "1e3": 0, "25h": 0, "99999999999999999999": 0,
	} {
		if got, err := ParseGrace(text); got != want && err == nil || (err == nil) != (want > 0) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

func FuzzMark(f *testing.F) {
	for _, text := range []string{"", "{", `{"exit":0}`, `{"exit":255,"a":{"b":[]}}`, "{}}", "\x00", `{"exit":1e2}`, `{"EXIT":7}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		m := parseMark(text)
		if m.Exit != nil && (m.Fault != "" || *m.Exit < 0 || *m.Exit > 255) {
			t.Errorf("%+v", m)
		}
	})
}

func FuzzGrace(f *testing.F) {
	for _, text := range []string{"60", "1m", "", "1h1h", `"5"`, "9223372036854775807", "0x10", "NaN", "Inf"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if d, err := ParseGrace(text); err == nil && (d <= 0 || d > 24*time.Hour) {
			t.Errorf("%q: %v", text, d)
		}
	})
}

func FuzzStat(f *testing.F) {
	for _, text := range []string{"12 (sh) S 1 12 12 0", "1 (a) b) (c) Z 7 8 9", "1 () R", ") (", "", "7 (x)", "9 (a\nb) S -1 0 0"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) { parseStat(text) })
}

func TestParseStat(t *testing.T) {
	if p, ok := parseStat([]byte("12 (a) b (c) S 7 8 9 0 -1")); !ok || p != (relative{12, 7, 8}) {
		t.Error(p, ok)
	}
	for _, text := range []string{"", "x (a) S 1 2", "1 (a) S 1", "1 a S 1 2", "1 (a) S y 2"} {
		if p, ok := parseStat([]byte(text)); ok {
			t.Errorf("%q: %v", text, p)
		}
	}
}

func TestParseOOMKills(t *testing.T) {
	for text, want := range map[string]int64{
		"low 0\nhigh 0\nmax 4\noom 3\noom_kill 2\noom_group_kill 1\n": 2,
		"oom_kill_disable 0\nunder_oom 0\noom_kill 7\n":               7,
		"oom_kill many": 0, "": 0,
	} {
		if got := parseOOMKills(text); got != want {
			t.Errorf("%q: %d", text, got)
		}
	}
}
