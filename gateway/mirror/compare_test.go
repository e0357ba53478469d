package mirror

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// rarely asks for noise where that is due, and by chance never.
const rarely = 1e-12

func testConfig() Config {
	return Config{Rate: 1, Noise: rarely, Concurrency: 4, Timeout: 1e10, Headers: []string{"Content-Type", "Location", "Set-Cookie"},
		Body: 256 << 10, Examples: 20}
}

func answer(contentType, body string) *Response {
	return &Response{Status: 200, Header: http.Header{"Content-Type": {contentType}}, Body: []byte(body)}
}

// kinds are the differences as "kind path".
func kinds(found []difference) []string {
	list := []string{}
	for _, d := range found {
		list = append(list, strings.TrimSpace(d.kind+" "+d.path))
	}
	return list
}

func TestCompareJSON(t *testing.T) {
	for _, c := range []struct {
		name, old, new string
		want           []string
	}{
		{"order of names and white space", `{"a":1,"b":{"c":[1,2]}}`, "{ \"b\": {\"c\": [1, 2]},\n\"a\": 1}", nil},
		{"forms of a number", `[1, 100, 0.5, -0, 0.0010]`, `[1.0, 1e2, 5E-1, 0, 1e-3]`, nil},
		{"numbers beyond floats", `[1e999999999999999999, 9007199254740993]`, `[1e999999999999999998, 9007199254740992]`, []string{"value []"}},
		{"signs and exponents", `{"a":-5,"b":1e5}`, `{"a":5,"b":1e4}`, []string{"value a", "value b"}},
		{"escapes", `{"\u0061":"\u00e9\/"}`, `{"a":"é/"}`, nil},
		{"value", `{"a":{"b":[{"c":1},{"c":2}]}}`, `{"a":{"b":[{"c":1},{"c":3}]}}`, []string{"value a.b[].c"}},
		{"bool", `{"a":true}`, `{"a":false}`, []string{"value a"}},
		{"type", `{"a":1}`, `{"a":"1"}`, []string{"type a"}},
		{"null", `{"a":null}`, `{"a":{}}`, []string{"type a"}},
		{"missing and added", `{"a":1,"b":2}`, `{"b":2,"c":3}`, []string{"missing a", "added c"}},
		{"length", `{"a":[1,2,3]}`, `{"a":[1,2]}`, []string{"length a[]"}},
		{"order", `{"a":[{"x":1,"y":2},{"x":3}]}`, `{"a":[{"x":3},{"y":2,"x":1}]}`, []string{"order a[]"}},
		{"each path once", `[{"t":1},{"t":2}]`, `[{"t":3},{"t":4}]`, []string{"value [].t"}},
		{"ids as names", `{"17":{"n":"a"}}`, `{"17":{"n":"b"}}`, []string{"value {}.n"}},
		{"ignored below", `{"meta":{"at":[1]},"a":1}`, `{"meta":{"at":[2]},"a":1}`, nil},
		{"not ignored beside", `{"metal":1}`, `{"metal":2}`, []string{"value metal"}},
		{"not JSON", `{"a":1}`, `{"a":1`, []string{`text {"a":1`}},
		{"hash order of containers", `[[1],[]]`, `[[],[1]]`, []string{"order []"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := testConfig()
			cfg.Ignore = []string{"meta", "x-request-id"}
			found := newComparer(&cfg).compare("GET", answer("application/json", c.old), answer("application/problem+json; charset=utf-8", c.new))
			got := kinds(found)
			got = slices.DeleteFunc(got, func(s string) bool { return s == "header Content-Type" })
			if !slices.Equal(got, append([]string{}, c.want...)) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// A body that is cut off is compared as far as it goes, wherever the cut is.
func TestCompareTruncated(t *testing.T) {
	body := `{"name":"wiki","list":[{"id":1,"ok":true},{"id":22,"ok":false}],"more":{"a":"x\"y","b":-1.5e3},"end":null}`
	page := "<html><body><h1>Wiki</h1>\n<p>one two three</p>\n<ul><li>a</li><li>b</li></ul></body></html>"
	cfg := testConfig()
	c := newComparer(&cfg)
	for contentType, whole := range map[string]string{"application/json": body, "text/html": page, "image/png": page} {
		for cut := range len(whole) {
			short := answer(contentType, whole[:cut])
			short.Truncated = true
			if found := kinds(c.compare("GET", short, answer(contentType, whole))); len(found) > 0 {
				t.Errorf("%s cut at %d as the old side: %q", contentType, cut, found)
			}
			if found := kinds(c.compare("GET", answer(contentType, whole), short)); len(found) > 0 {
				t.Errorf("%s cut at %d as the new side: %q", contentType, cut, found)
			}
			if cut < 2 {
				continue
			}
			changed := answer(contentType, "["+whole[1:])
			if found := c.compare("GET", short, changed); len(found) == 0 {
				t.Errorf("%s cut at %d: a change before the cut is not seen", contentType, cut)
			}
			short.Truncated = false
			if found := c.compare("GET", answer(contentType, whole), short); len(found) == 0 {
				t.Errorf("%s: a body that ends at %d without being cut off is not seen", contentType, cut)
			}
		}
	}
}

func TestCompareText(t *testing.T) {
	cfg := testConfig()
	c := newComparer(&cfg)
	page := func(csrf, at, title, extra string) string {
		return `<html><head><title>` + title + `</title><meta name="csrf" content="` + csrf + `"></head>
  <body class="wide"><h1>` + title + `</h1>` + extra + strings.Repeat("<p>The same paragraph.</p>\n", 50) +
			`<footer>rendered at <time>` + at + `</time></footer></body></html>`
	}
	old := page("f3a9", "10:00:01", "Wiki", "")
	for name, tc := range map[string]struct {
		new  string
		want []string
	}{
		"indented":      {strings.ReplaceAll(old, "\n", "\n\t\t"), nil},
		"token":         {page("77bc", "10:00:01", "Wiki", ""), []string{`text <meta name="csrf" content="`}},
		"token, time":   {page("77bc", "10:00:09", "Wiki", ""), []string{`text <meta name="csrf" content="`, "text <time>10:00:"}},
		"title":         {page("f3a9", "10:00:01", "Board", ""), []string{"text <title>", "text <h1>"}},
		"block added":   {page("f3a9", "10:00:01", "Wiki", strings.Repeat("<b>x</b>", 200)), []string{"text </h1><"}},
		"cut in middle": {old[:len(old)/2], []string{"text <p>The"}},
	} {
		found := c.compare("GET", answer("text/html", old), answer("text/html", tc.new))
		if got := kinds(found); !slices.Equal(got, append([]string{}, tc.want...)) {
			t.Errorf("%s: got %q, want %q", name, got, tc.want)
		}
	}
}

func TestCompareHead(t *testing.T) {
	cfg := testConfig()
	c := newComparer(&cfg)
	old := &Response{Status: 302, Header: http.Header{"Location": {"/a"}, "Set-Cookie": {"S=1; Path=/; HttpOnly", "T=2"}, "Content-Type": {"text/html; charset=UTF-8"}}}
	same := &Response{Status: 302, Header: http.Header{"Location": {"/a"}, "Set-Cookie": {"T=9", "S=7; HttpOnly; Path=/"}, "Content-Type": {"text/html;charset=utf-8"}}, Body: []byte("x")}
	if found := kinds(c.compare("HEAD", old, same)); len(found) > 0 {
		t.Errorf("equal heads: %q", found)
	}
	other := &Response{Status: 302, Header: http.Header{"Location": {"/b"}, "Set-Cookie": {"S=1; Path=/"}}}
	if got := kinds(c.compare("HEAD", old, other)); !slices.Equal(got, []string{"header Content-Type", "header Location", "header Set-Cookie"}) {
		t.Errorf("other heads: %q", got)
	}
	if got := kinds(c.compare("GET", old, answer("text/html", "x"))); !slices.Equal(got, []string{"status"}) {
		t.Errorf("other status: %q", got)
	}
}

func TestDecoded(t *testing.T) {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	fmt.Fprint(w, strings.Repeat("yadokari ", 100_000))
	w.Close()
	r := &Response{Header: http.Header{"Content-Encoding": {"GZIP"}}, Body: packed.Bytes()}
	if plain, err := decoded(r, 1000); err != nil || len(plain.Body) != 1000 || !plain.Truncated {
		t.Errorf("a body that unpacks to more than the limit: %v", err)
	}
	if plain, err := decoded(r, 1<<20); err != nil || len(plain.Body) != 900_000 || plain.Truncated {
		t.Errorf("a whole body: %v", err)
	}
	cut := *r
	cut.Body = cut.Body[:len(cut.Body)/2]
	if _, err := decoded(&cut, 1<<20); err == nil {
		t.Error("a body that breaks off is taken for whole")
	}
	cut.Truncated = true
	if plain, err := decoded(&cut, 1<<20); err != nil || !plain.Truncated || len(plain.Body) == 0 {
		t.Errorf("a body cut off in transit: %v", err)
	}
	if _, err := decoded(&Response{Header: http.Header{"Content-Encoding": {"br"}}, Body: []byte("x")}, 10); err == nil {
		t.Error("br is decoded")
	}
}

func FuzzCompare(f *testing.F) {
	for _, pair := range [][2]string{
		{`{"a":[1,2,{"b":null}]}`, `{"a":[1,3,{"b":"x"}]}`}, {`[1e999999,-0.0]`, `[1,2`}, {"<p>a b</p>", "<p>a c</p>"},
		{strings.Repeat("[", 300), strings.Repeat("{\"a\":", 300)}, {"\xff\xfe\"", `"\ud800"`}, {`{"a":1,"a":2}`, `{"a":2}`},
		{"a\\", `"\`}, {`{"token":"abcdefgh"}`, `{"token":`}, {"", "x"},
	} {
		f.Add([]byte(pair[0]), []byte(pair[1]), false, true, uint8(0))
		f.Add([]byte(pair[0]), []byte(pair[1]), false, false, uint8(1))
	}
	types := []string{"application/json", "text/html", "application/octet-stream", ""}
	cfg := testConfig()
	c := newComparer(&cfg)
	f.Fuzz(func(t *testing.T, a, b []byte, aCut, bCut bool, kind uint8) {
		old, new := answer(types[kind%4], string(a)), answer(types[kind%4], string(b))
		old.Truncated, new.Truncated = aCut, bCut
		if found := c.compare("GET", old, old); len(found) > 0 {
			t.Fatalf("a body differs from itself: %q", kinds(found))
		}
		found := c.compare("GET", old, new)
		if back := c.compare("GET", new, old); (len(found) == 0) != (len(back) == 0) {
			t.Fatalf("differs one way only: %q, %q", kinds(found), kinds(back))
		}
		if len(found) > maxDifferences+1 {
			t.Fatalf("%d differences", len(found))
		}
		p := pair{request: &Request{Method: "GET", Target: string(a)}, old: old, new: new}
		for i := range found {
			if x := p.example(&found[i], false, zeroTime); len(x.Old) > maxExcerpt || len(x.New) > maxExcerpt || len(x.Target) > maxTarget {
				t.Fatalf("an example of %d and %d bytes", len(x.Old), len(x.New))
			}
		}
	})
}

func listing(n int, title string) string {
	var b strings.Builder
	b.WriteString(`{"total":100,"items":[`)
	for i := 0; b.Len() < n; i++ {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"id":%d,"title":"%s %d","open":true,"labels":["bug","ui"],"votes":%d.50}`, i, title, i, i*3)
	}
	b.WriteString(`]}`)
	return b.String()
}

func BenchmarkCompare(b *testing.B) {
	cfg := testConfig()
	c := newComparer(&cfg)
	reordered := strings.ReplaceAll(listing(10<<10, "Issue"), `"open":true,"labels":["bug","ui"]`, `"labels":["bug","ui"],"open":true`)
	for _, tc := range []struct{ name, kind, old, new string }{
		{"json 10KiB equal in meaning", "application/json", listing(10<<10, "Issue"), reordered},
		{"json 10KiB different", "application/json", listing(10<<10, "Issue"), listing(10<<10, "Other")},
		{"text 10KiB different", "text/html", listing(10<<10, "Issue"), listing(10<<10, "Other")},
		{"json 256KiB of brackets", "application/json", strings.Repeat("[", 256<<10), strings.Repeat("{", 256<<10)},
		{"json 256KiB of zeros", "application/json", "[" + strings.Repeat("0,", 127<<10) + "0]", "[" + strings.Repeat("1,", 127<<10) + "1]"},
		{"text 256KiB nothing alike", "text/plain", strings.Repeat("a ", 128<<10), strings.Repeat("b ", 128<<10)},
		{"text 256KiB resyncing late", "text/plain", strings.Repeat("a b c ", 42<<10), strings.Repeat("a b d c ", 32<<10)},
	} {
		b.Run(tc.name, func(b *testing.B) {
			b.SetBytes(int64(len(tc.old)))
			b.ReportAllocs()
			for b.Loop() {
				c.compare("GET", answer(tc.kind, tc.old), answer(tc.kind, tc.new))
			}
		})
	}
}
