package tracker

import (
	"io"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestMarkup(t *testing.T) {
	for text, want := range map[string]string{
		"":                           "",
		"# A\n## B\ntext\nmore\n\nx": "<h2>A</h2>\n<h3>B</h3>\n<p>text\nmore\n</p>\n<p>x\n</p>\n",
		"- a\n- **b**":               "<ul><li>a</li><li><strong>b</strong></li></ul>\n",
		"    a <b>\n    **c**":       "<pre>a &lt;b&gt;\n**c**\n</pre>\n",
		"[[Home]] [[Home|in]] `x`":   `<p><a href="/wiki/Home">Home</a> <a href="/wiki/Home">in</a> <code>x</code>` + "\n</p>\n",
		`[[a"onx=|<b>]] <script>`:    "<p>[[a&#34;onx=|&lt;b&gt;]] &lt;script&gt;\n</p>\n",
	} {
		if got := string(markup(text)); got != want {
			t.Errorf("%q:\n%s\nwant\n%s", text, got, want)
		}
	}
}

// allowedTags are all that a wiki page can contain.
var allowedTags = regexp.MustCompile(`</?(?:h[2-5]|p|ul|li|pre|strong|code)>|<a href="/wiki/[A-Za-z0-9][A-Za-z0-9_.-]*">|</a>`)

func FuzzMarkup(f *testing.F) {
	for _, text := range []string{"# A\n- b\n    c\n[[D|e]] **f** `g`", "<script>alert(1)</script>", `[[x|y" onload="z]]`, "**`[[A]]`**", "\r\n\x00&"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		html := string(markup(text))
		if rest := allowedTags.ReplaceAllString(html, ""); strings.ContainsAny(rest, `<>"`) {
			t.Errorf("%q became %q", text, html)
		}
	})
}

func TestThink(t *testing.T) {
	think, err := ParseThink("4ms/60ms")
	if err != nil {
		t.Fatal(err)
	}
	for normal, want := range map[float64]time.Duration{0: 4 * time.Millisecond, z99: 60 * time.Millisecond, 50: 300 * time.Millisecond} {
		if got := think.sample(normal); math.Abs(float64(got-want)) > float64(want)/1e6 {
			t.Errorf("at %g: %v, want %v", normal, got, want)
		}
	}
	for _, bad := range []string{"x", "-1ms", "5ms/4ms", "5ms/x", "0s/1s"} {
		if got, err := ParseThink(bad); err == nil {
			t.Errorf("%q: %v", bad, got)
		}
	}
}

func TestArgsAreReadBack(t *testing.T) {
	full := Config{
		Listen: "127.0.0.1:1", Control: "127.0.0.1:2", Data: "/d", Version: "containers", Think: Think{time.Millisecond, time.Second},
		Slower: 0.6, Faults: []Fault{{Prefix: "/a", Kind: FaultHang}, {Method: "PUT", Prefix: "/", Kind: FaultClose, Late: true}},
		Audit: "/a", Marker: "/m", Linger: time.Second, Grace: time.Minute, MaxUpload: 1000,
		Mail: Mail{Via: "sendmail", Address: "h:25", Command: []string{"/usr/sbin/sendmail", "-x"}, From: "f@x.example", To: []string{"a@x.example", "b@x.example"},
			Log: "/l", Workers: 3, Queue: 5, Retry: time.Second, Timeout: time.Minute},
	}
	for v := reflect.ValueOf(full); ; v = v.FieldByName("Mail") {
		for i := range v.NumField() {
			if v.Field(i).IsZero() {
				t.Errorf("the test leaves %s out", v.Type().Field(i).Name)
			}
		}
		if v.Type() == reflect.TypeFor[Mail]() {
			break
		}
	}
	got, err := ParseArgs(full.Args(), io.Discard)
	if err != nil || !reflect.DeepEqual(got, full) {
		t.Errorf("%+v, %v", got, err)
	}
	for _, bad := range [][]string{{"extra"}, {"-fault=x"}, {"-think=x"}, {"-unknown"}} {
		if _, err := ParseArgs(bad, io.Discard); err == nil {
			t.Error(bad)
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	mail := func(m Mail) Config { return Config{Data: "x", Mail: m} }
	for n, bad := range []Config{
		{}, {Data: "x", Slower: -1}, {Data: "x", Faults: []Fault{{Prefix: "x"}}}, {Data: "x", Think: Think{P99: 1}},
		mail(Mail{Via: "pigeon"}), mail(Mail{Via: "smtp"}), mail(Mail{Via: "sendmail"}),
		mail(Mail{Via: "smtp", Address: "h:25", From: "a\r\nb"}), mail(Mail{Via: "smtp", Address: "h:25", To: []string{"A <a@b.example>"}}),
	} {
		if _, err := bad.normal(); err == nil {
			t.Errorf("configuration %d was taken: %+v", n, bad)
		}
	}
}

func TestMatchOf(t *testing.T) {
	for query, want := range map[string]string{
		"": "", "  ": "", "a b": `"a"* "b"*`, `x" OR y`: `"x"""* "OR"* "y"*`,
		"1 2 3 4 5 6 7 8 9": `"1"* "2"* "3"* "4"* "5"* "6"* "7"* "8"*`,
	} {
		if got := matchOf(query); got != want {
			t.Errorf("%q: %s, want %s", query, got, want)
		}
	}
}

// FuzzSearch finds no query that the database calls malformed.
func FuzzSearch(f *testing.F) {
	store, err := OpenStore(f.Context(), f.TempDir())
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = store.Close() })
	for _, query := range []string{"one", `"`, `a" NEAR(`, "*", "-", "\x00", "col:x", "^"} {
		f.Add(query)
	}
	f.Fuzz(func(t *testing.T, query string) {
		if _, err := store.Search(t.Context(), query, 3); err != nil {
			t.Errorf("%q: %v", query, err)
		}
	})
}

func TestSearchIsNewestFirst(t *testing.T) {
	store, err := OpenStore(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for _, title := range []string{"zebra one", "zebra two", "zebra three"} {
		if _, err := store.NewIssue(t.Context(), title, "", "alice", time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	hits, err := store.Search(t.Context(), "zeb", 2)
	if err != nil || !slices.EqualFunc(hits, []string{"zebra three", "zebra two"}, func(h Hit, s string) bool { return h.Title == s }) {
		t.Errorf("%+v, %v", hits, err)
	}
}
