package admin

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestParseTokens(t *testing.T) {
	for text, want := range map[string]string{
		"":                                    "no caller is listed",
		"# nobody\n\n":                        "no caller is listed",
		"ann viewer 0123456789abcdef":         "",
		"\r\n ann\tviewer  0123456789abcdef ": "",
		"ann viewer 0123456789abcdef\nann operator 0123456789abcdeg": "",
		"ann viewer":                                               "line 1: 2 words",
		"x\nann viewer 0123456789abcdef":                           "line 1: 1 words",
		"\nann viewer 0123456789abcdef g":                          "line 2: 4 words",
		"an/n viewer 0123456789abcdef":                             "line 1: the name",
		"ann admin 0123456789abcdef":                               "line 1: the second word",
		"ann viewer 0123456789abcde":                               "line 1: the token has 15",
		"ann viewer 0123456789abcdeé":                              "cannot carry",
		"a viewer 0123456789abcdef\n\nb operator 0123456789abcdef": "line 3: the same token as in line 1",
		"ann viewer " + strings.Repeat("x", 513):                   "line 1: the token has 513",
	} {
		_, err := parseTokens(strings.NewReader(text))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}

func FuzzTokens(f *testing.F) {
	f.Add([]byte("# c\nann viewer 0123456789abcdef\nbob operator ABCDEFGHIJKLMNOP\n"), "0123456789abcdef")
	f.Add([]byte("ann viewer\r\n"), "")
	f.Add([]byte("\x00\xff\x85 viewer 0123456789abcdef"), "x")
	f.Fuzz(func(t *testing.T, text []byte, secret string) {
		list, err := parseTokens(bytes.NewReader(text))
		if err != nil {
			return
		}
		known := &tokens{list: list, looked: time.Now()}
		if len(list) == 0 {
			t.Fatal("no error and no caller")
		}
		for _, line := range strings.Split(string(text), "\n") {
			fields := strings.Fields(line)
			if len(fields) != 3 || fields[0][0] == '#' {
				continue
			}
			who, ok := known.who(fields[2])
			if !ok || who.Name != fields[0] || who.Role.String() != fields[1] || !validName(who.Name) {
				t.Fatalf("%q is %v, %v", line, who, ok)
			}
		}
		if who, ok := known.who(secret); ok && !bytes.Contains(text, []byte(secret)) {
			t.Fatalf("%q is %v", secret, who)
		}
	})
}

func TestTokensAreReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		path := filepath.Join(t.TempDir(), "tokens")
		write := func(text string, mode os.FileMode) {
			t.Helper()
			if err := os.WriteFile(path+".new", []byte(text), mode); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path+".new", mode); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(path+".new", path); err != nil {
				t.Fatal(err)
			}
			time.Sleep(lookEvery)
		}
		const first, second = "0123456789abcdef", "fedcba9876543210"
		write("ann viewer "+first, 0o600)
		known, err := openTokens(path, slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		expect := func(when string, wantFirst, wantSecond bool) {
			t.Helper()
			_, isFirst := known.who(first)
			_, isSecond := known.who(second)
			if isFirst != wantFirst || isSecond != wantSecond {
				t.Errorf("%s: first %v, second %v", when, isFirst, isSecond)
			}
		}
		expect("at first", true, false)
		write("ann viewer "+second, 0o600)
		expect("replaced", false, true)
		write("ann viewer short", 0o600)
		expect("unusable", false, true)
		if n := strings.Count(log.String(), "cannot be used"); n != 1 {
			t.Errorf("said %d times", n)
		}
		time.Sleep(lookEvery)
		expect("still unusable", false, true)
		if n := strings.Count(log.String(), "cannot be used"); n != 1 {
			t.Errorf("said %d times for one change", n)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			time.Sleep(lookEvery)
			expect("gone", false, true)
		}
		if n := strings.Count(log.String(), "cannot be used"); n != 2 {
			t.Errorf("said %d times for two changes", n)
		}
		if strings.Contains(log.String(), "chmod") {
			t.Error("warned of a private file")
		}
		write("ann viewer "+first, 0o644)
		expect("back", true, false)
		if !strings.Contains(log.String(), "chmod 600") {
			t.Error("no warning of a file that everyone can read")
		}
		if strings.Contains(log.String(), first) || strings.Contains(log.String(), second) {
			t.Error("a token is in the log")
		}
	})
}

func TestTokensMayNotBeRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(path, bytes.Repeat([]byte("#\n"), maxTokenFile), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := readTokens(path); err == nil || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("a file without end: %v", err)
	}
}
