package keys

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

func ours(name string) bool { return name == "yadokari" || name == "yadokari-vm" }

func TestCutLeavesEveryOtherByte(t *testing.T) {
	for _, c := range []struct{ lines, want []string }{
		{nil, nil},
		{[]string{"a=1; b=2"}, []string{"a=1; b=2"}},
		{[]string{"yadokari=x"}, nil},
		{[]string{"a=1; yadokari=x; b=2"}, []string{"a=1; b=2"}},
		{[]string{"yadokari=x; a=1"}, []string{"a=1"}},
		{[]string{"a=1; yadokari=x"}, []string{"a=1"}},
		{[]string{"a=1;yadokari=x;b=2"}, []string{"a=1;b=2"}},
		{[]string{"a=1; yadokari=x; yadokari-vm=y; yadokari=z; b=2"}, []string{"a=1; b=2"}},
		{[]string{`a="q=1"; ; b; =; yadokari=x;  c = 3 `}, []string{`a="q=1"; ; b; =;  c = 3 `}},
		{[]string{" yadokari =x; a=1;"}, []string{" a=1;"}},
		{[]string{"a=yadokari=x; yadokarix", "xyadokari=1"}, []string{"a=yadokari=x; yadokarix", "xyadokari=1"}},
		{[]string{"a=1; yadokari"}, []string{"a=1"}},
		{[]string{"a=1", "yadokari=x", "b=2; yadokari=x", ""}, []string{"a=1", "b=2"}},
	} {
		before := slices.Clone(c.lines)
		got := Cut(c.lines, ours)
		if !slices.Equal(got, c.want) || (got == nil) != (c.want == nil) {
			t.Errorf("%q: got %q, want %q", c.lines, got, c.want)
		}
		if !slices.Equal(before, c.lines) {
			t.Errorf("%q was changed to %q", before, c.lines)
		}
	}
}

func TestCutMakesNoCopyWhereNothingIsCut(t *testing.T) {
	lines := []string{strings.Repeat("name=value; ", 20) + "last=1"}
	got := Cut(lines, ours)
	if &got[0] != &lines[0] {
		t.Error("a copy")
	}
}

// What is left has none of ours, and of the others all that net/http finds, in order.
func FuzzCut(f *testing.F) {
	f.Add("a=1; yadokari=x; b=2", "yadokari-vm=y")
	f.Add(" ;yadokari=;=;;\t yadokari\t=\"a;b\" ", "")
	f.Fuzz(func(t *testing.T, a, b string) {
		lines := []string{a, b}
		rest := Cut(lines, ours)
		for _, name := range []string{"yadokari", "yadokari-vm"} {
			if value := Value(rest, name); value != "" {
				t.Errorf("%q: %s=%q is left in %q", lines, name, value, rest)
			}
		}
		want := slices.DeleteFunc(cookies(lines), func(c *http.Cookie) bool { return ours(c.Name) })
		got := cookies(rest)
		if !slices.EqualFunc(got, want, func(a, b *http.Cookie) bool { return a.Name == b.Name && a.Value == b.Value }) {
			t.Errorf("%q: %v is left in %q, want %v", lines, got, rest, want)
		}
	})
}

func cookies(lines []string) []*http.Cookie {
	r := http.Request{Header: http.Header{"Cookie": lines}}
	return r.Cookies()
}

func TestHostsThatAreOne(t *testing.T) {
	for host, want := range map[string]string{
		"acme.example": "acme.example", "Acme.EXAMPLE": "acme.example", "acme.example:80": "acme.example", "acme.example.:443": "acme.example",
		"ACME.example.": "acme.example", "acme.example:8080": "acme.example:8080", "acme.example.:8080": "acme.example:8080", "": "", ".": ".",
		"[::1]:80": "[::1]", "[::1]": "[::1]", "[::1]:8080": "[::1]:8080", "10.0.0.1:443": "10.0.0.1", "a.:80": "a", ":80": "",
	} {
		if got := Host(host); got != want {
			t.Errorf("%q: got %q, want %q", host, got, want)
		}
	}
}
