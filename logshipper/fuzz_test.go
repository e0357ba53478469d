package logshipper

import (
	"bytes"
	"encoding/json"
	"regexp"
	"testing"
)

func FuzzSplitter(f *testing.F) {
	for _, seed := range []string{"", "a\n", "a", "1 a\n b\n2 c\n", "\n\n\n", "ü\xff\xc3\n", "1\n2\n3", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n"} {
		f.Add([]byte(seed), 16, true)
		f.Add([]byte(seed), 300, false)
	}
	start := regexp.MustCompile(`^\d`)
	f.Fuzz(func(t *testing.T, data []byte, limit int, many bool) {
		limit = 16 + max(limit, -limit)%512
		s := splitter{limit: limit}
		if many {
			s.start = start
		}
		for _, how := range []reading{growing, quiet, final} {
			at := 0
			for at < len(data) {
				rest := data[at:]
				n, cut := s.next(rest, how)
				if n == 0 {
					if len(rest) >= limit || how == final {
						t.Fatalf("stuck at %d of %d, limit %d, reading %d", at, len(data), limit, how)
					}
					break
				}
				if n < 0 || n > len(rest) || n > limit && (s.start == nil || bytes.Count(rest[:n], []byte("\n")) > 1) {
					t.Fatalf("an entry of %d bytes, limit %d", n, limit)
				}
				if !cut && how != final && rest[n-1] != '\n' {
					t.Fatalf("a line without its end was taken: %q", rest[:n])
				}
				at += n
			}
		}
	})
}

func FuzzCheckpoint(f *testing.F) {
	f.Add([]byte(`{"version":1,"path":"/l/*.log","output":"stdout","saved":"2026-01-02T15:04:05Z","files":[{"id":"0123456789abcdef",` +
		`"name":"/l/a.log","path":"/l/a.log","dev":1,"inode":2,"head":"ff","headLength":3,"offset":4,"out":4,"tail":"1","size":9}]}`))
	f.Add([]byte(`{"version":1,"files":[{"id":"0123456789abcdef","name":"a","path":"a","base":5,"offset":4,"size":9}]}`))
	f.Add([]byte(`{"version":2}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := parseCheckpoint(data)
		if _, lerr := parseLeftover(data); (lerr == nil) != (err == nil) && err != nil {
			t.Fatalf("a leftover that is no checkpoint: %v", err)
		}
		if err != nil {
			return
		}
		for i := range c.Files {
			e := c.Files[i].file().entry()
			if err := e.check(); err != nil {
				t.Fatalf("what was read would be refused when written: %v", err)
			}
		}
		again, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parseCheckpoint(again); err != nil {
			t.Fatalf("%s: %v", again, err)
		}
	})
}

func FuzzEncode(f *testing.F) {
	for _, seed := range []string{"", "plain", `"\`, "\x00", "\xff", "ü\u2028</script>", "\x01\x02 text that is long enough"} {
		f.Add([]byte(seed), int64(7))
	}
	prefix := newEncoder("h\"ost", "", "c").prefixOf("/l/ü.log", "0123456789abcdef")
	f.Fuzz(func(t *testing.T, entry []byte, offset int64) {
		line := appendEntry(nil, prefix, offset, entry)
		if len(line) > worst(len(prefix), len(entry)) {
			t.Fatalf("%d bytes became %d", len(entry), len(line))
		}
		var e struct {
			Line   string
			Bytes  []byte
			Offset int64
		}
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if got := e.Line + string(e.Bytes); got != string(entry) || e.Offset != offset || bytes.Count(line, []byte("\n")) != 1 {
			t.Fatalf("%q became %s", entry, line)
		}
	})
}
