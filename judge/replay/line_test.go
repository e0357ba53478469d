package replay

import (
	"strings"
	"testing"
	"time"

	"yadokari/judge"
)

func TestParse(t *testing.T) {
	when := time.Date(2026, 11, 27, 22, 45, 48, 0, time.UTC)
	for name, c := range map[string]struct {
		text string
		want Line
	}{
		"common": {`192.0.2.1 - - [27/Nov/2026:22:45:48 +0000] "GET /a HTTP/1.1" 200 512`,
			Line{when, []byte("192.0.2.1"), nil, nil, []byte("GET"), []byte("/a"), 200, 512, -1}},
		"combined": {`192.0.2.1 - alice [27/Nov/2026:23:45:48 +0100] "POST /a?b=c HTTP/2.0" 302 - "https://x/" "Mozilla/5.0 (X11; \"odd\")"`,
			Line{when, []byte("192.0.2.1"), []byte("alice"), []byte(`Mozilla/5.0 (X11; \"odd\")`), []byte("POST"), []byte("/a?b=c"), 302, 0, -1}},
		"NGINX with $request_time": {`2001:db8::1 - - [27/Nov/2026:22:45:48 +0000] "GET / HTTP/1.1" 200 5 "-" "curl/8" 0.123`,
			Line{when, []byte("2001:db8::1"), nil, []byte("curl/8"), []byte("GET"), []byte("/"), 200, 5, 123 * time.Millisecond}},
		"Apache with %D": {`shop.example.com:443 192.0.2.1 - - [27/Nov/2026:22:45:48 +0000] "GET / HTTP/1.1" 200 5 "-" "curl/8" 4500`,
			Line{when, []byte("192.0.2.1"), nil, []byte("curl/8"), []byte("GET"), []byte("/"), 200, 5, 4500 * time.Microsecond}},
		"more fields": {`192.0.2.1 - - [27/Nov/2026:22:45:48 +0000] "GET / HTTP/1.1" 200 5 "-" "curl/8" "203.0.113.9" rt=0.1 0.250`,
			Line{when, []byte("192.0.2.1"), nil, []byte("curl/8"), []byte("GET"), []byte("/"), 200, 5, 250 * time.Millisecond}},
		"no request at all": {`192.0.2.1 - - [27/Nov/2026:22:45:48 +0000] "-" 408 0 "-" "-"`,
			Line{when, []byte("192.0.2.1"), nil, []byte("-"), []byte("-"), nil, 408, 0, -1}},
		"ours": {`{"time":"2026-11-27T22:45:48.000Z","client":"192.0.2.1","method":"GET","target":"/a","status":404,"bytes":9,"duration_ms":1.5,"user_agent":"x"}`,
			Line{when, []byte("192.0.2.1"), nil, []byte("x"), []byte("GET"), []byte("/a"), 404, 9, 1500 * time.Microsecond}},
	} {
		got, err := Parse([]byte(c.text))
		if err != nil || !got.Time.Equal(c.want.Time) || string(got.Client) != string(c.want.Client) || string(got.User) != string(c.want.User) ||
			string(got.Agent) != string(c.want.Agent) || string(got.Method) != string(c.want.Method) || string(got.Path) != string(c.want.Path) ||
			got.Status != c.want.Status || got.Bytes != c.want.Bytes || got.Took != c.want.Took {
			t.Errorf("%s: %v\ngot  %+v\nwant %+v", name, err, got, c.want)
		}
	}
}

func TestParseSaysWhatIsWrong(t *testing.T) {
	for text, want := range map[string]string{
		"hello": "neither the common or combined format nor JSON",
		`192.0.2.1 - - [yesterday] "GET / HTTP/1.1" 200 5`:                    "27/Nov/2026:22:45:48 +0000",
		`192.0.2.1 - - [27/Nov/2026:22:45:48 +0000] "GET / HTTP/1.1 200`:      "no end",
		`192.0.2.1 - - [27/Nov/2026:22:45:48 +0000] "GET / HTTP/1.1" ok 5`:    "status",
		`192.0.2.1 - - [27/Nov/2026:22:45:48 +0000] "GET / HTTP/1.1" 200 big`: "length",
		`{"time": 5}`: "JSON",
		`{}`:          "no time, client or status",
	} {
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func TestAnswers(t *testing.T) {
	for text, want := range map[string]judge.Answer{
		`GET /a 200 512`:     {First: -1, Last: -1, Size: 512},
		`GET /a.png 200 512`: {First: -1, Last: -1, Size: -1},
		`GET /a.php 200 0`:   {Class: judge.Empty, First: -1, Last: -1, Size: -1},
		`GET /a 503 0`:       {Failed: true, First: -1, Last: -1, Size: -1},
		`GET /a 401 0`:       {Class: judge.Unauthorized, First: -1, Last: -1, Size: -1},
		`GET /a 403 0`:       {Class: judge.Forbidden, First: -1, Last: -1, Size: -1},
		`GET /a 410 0`:       {Class: judge.NotFound, First: -1, Last: -1, Size: -1},
		`GET /a 429 0`:       {Class: judge.ClientError, First: -1, Last: -1, Size: -1},
		`GET /a 499 0`:       {Class: judge.Left, First: -1, Last: -1, Size: -1},
		`GET /a 302 0`:       {Class: judge.Redirect, First: -1, Last: -1, Size: -1},
		`GET /a 304 0`:       {First: -1, Last: -1, Size: -1},
		`POST /a 200 9`:      {Class: judge.Form, First: -1, Last: -1, Size: -1},
	} {
		f := strings.Fields(text)
		l, err := Parse([]byte(`192.0.2.1 - - [27/Nov/2026:22:45:48 +0000] "` + f[0] + " " + f[1] + ` HTTP/1.1" ` + f[2] + " " + f[3]))
		if got := l.answer(); err != nil || got != want {
			t.Errorf("%s: %v, got %+v, want %+v", text, err, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`h:80 192.0.2.1 - a b [27/Nov/2026:22:45:48 +0000] "GET /a HTTP/1.1" 200 512 "-" "x" "y" 0.1`))
	f.Add([]byte(`{"time":"2026-11-27T22:45:48.000Z","client":"192.0.2.1","status":404,"bytes":-9,"duration_ms":1e300}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		l, err := Parse(text)
		if err != nil {
			return
		}
		if len(l.Client) == 0 || l.Status < 0 || l.Status > 999 || l.Bytes < -1 || l.Took < -1 {
			t.Errorf("%q: %+v", text, l)
		}
		if a := l.answer(); a.Failed && (a.Class != 0 || a.Last != -1 || a.Size != -1) || int(a.Last) >= judge.Buckets {
			t.Errorf("%q: %+v", text, a)
		}
	})
}
