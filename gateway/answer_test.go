package gateway

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"strings"
	"testing"

	"yadokari/gateway/upstream"
	"yadokari/judge"
)

func TestClassOfAnAnswer(t *testing.T) {
	const redirect, login, other = judge.Redirect, judge.Redirect | judge.Login, judge.Redirect | judge.OtherHost
	for _, c := range []struct {
		method, target string
		status         int
		location       string
		want           judge.Class
	}{
		{"GET", "/", 200, "", 0},
		{"GET", "/", 401, "", judge.Unauthorized},
		{"GET", "/", 403, "", judge.Forbidden},
		{"GET", "/", 404, "", judge.NotFound},
		{"GET", "/", 410, "", judge.NotFound},
		{"POST", "/", 413, "", judge.ClientError},
		{"GET", "/", 421, "", judge.ClientError},
		{"POST", "/", 200, "", judge.Form},
		{"PUT", "/", 204, "", judge.Form},
		{"DELETE", "/", 204, "", judge.Form},
		{"LOCK", "/", 200, "", judge.Form},
		{"PROPFIND", "/", 207, "", 0},
		{"REPORT", "/", 207, "", 0},
		{"SEARCH", "/", 207, "", 0},
		{"POST", "/", 303, "/done", redirect},
		{"GET", "/", 304, "/", 0},
		{"GET", "/", 300, "", 0},
		{"GET", "/a", 302, "b?login=1#login", redirect},
		{"GET", "/a", 302, "/wp-login.php?redirect_to=/a", login},
		{"GET", "/a", 302, "/index.php?title=Special:UserLogin&returnto=a", login},
		{"GET", "/a", 302, "/users/sign_in", login},
		{"GET", "/a", 302, "/session/new", login},
		{"GET", "/a", 302, "//APP.example.:80/signin", login},
		{"GET", "/a", 302, "https://sso.example/saml?x", login | other},
		{"GET", "/login", 302, "/login/?failed", redirect},
		{"GET", "/a", 302, "/authors/blogin", redirect},
		{"GET", "/a", 302, "/a?next=/login", redirect},
		{"GET", "/a", 301, "http://app.example:443/a/", redirect},
		{"GET", "/a", 301, "https://www.app.example/a/", redirect}, // as a listed peer calls the host
		{"GET", "/a", 301, "http://old.example/a/", other},
		{"GET", "/a", 301, "http://user@old.example:8080?a", other},
		{"GET", "/a", 301, "/go?to=http://old.example/", redirect},
	} {
		q := asked{method: c.method, target: c.target, host: "App.Example:80", known: "www.app.example"}
		h := http.Header{}
		if c.location != "" {
			h.Set("Location", c.location)
		}
		if got := q.classOf(c.status, h); got != c.want {
			t.Errorf("%s %s answered %d %s: class %b, want %b", c.method, c.target, c.status, c.location, got, c.want)
		}
	}
}

// The length of a page is that of what the user sees, whatever it was packed in.
func TestLengthOfAPage(t *testing.T) {
	page := []byte(strings.Repeat("<p>a paragraph</p>", 1000))
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = w.Write(page)
	_ = w.Close()
	var nothing bytes.Buffer
	w.Reset(&nothing)
	_ = w.Close()
	for name, c := range map[string]struct {
		coding string
		body   []byte
		want   int64
	}{
		"plain":    {"", page, int64(len(page))},
		"identity": {"identity", page, int64(len(page))},
		"gzip":     {"gzip", packed.Bytes(), int64(len(page))},
		"br":       {"br", packed.Bytes(), -1},
		"empty":    {"gzip", nil, 0},
		"of none":  {"gzip", nothing.Bytes(), 0},
		"no gzip":  {"gzip", []byte("short"), -1},
	} {
		for _, step := range []int{1, 3, 100, len(c.body) + 1} {
			h := http.Header{}
			if c.coding != "" {
				h.Set("Content-Encoding", c.coding)
			}
			s := newSizer(h)
			for left := c.body; len(left) > 0; {
				n := min(step, len(left))
				s.add(left[:n])
				left = left[n:]
			}
			if got := s.size(); got != c.want {
				t.Errorf("%s, %d bytes at a time: %d, want %d", name, step, got, c.want)
			}
		}
	}
}

func TestAnswerOfAnAttempt(t *testing.T) {
	head, last := int16(judge.Bucket(1e9)), int16(judge.Bucket(2e9))
	for name, c := range map[string]struct {
		result result
		want   judge.Answer
	}{
		"whole":       {result{status: 200, head: 1e9, took: 2e9, size: 7}, judge.Answer{First: head, Last: last, Size: 7}},
		"5xx":         {result{status: 500, head: 1e9, took: 2e9, size: 7, class: judge.Form}, failedAnswer},
		"broke":       {result{status: 200, outcome: upstream.Broken, head: 1e9}, failedAnswer},
		"stream":      {result{status: 200, head: 1e9, took: 1e9, size: -1, endless: true}, judge.Answer{First: head, Last: -1, Size: -1}},
		"left early":  {result{outcome: upstream.Canceled, head: 2e9, took: 2e9, size: -1}, judge.Answer{Class: judge.Left, First: -1, Last: last, Size: -1}},
		"left late":   {result{status: 200, outcome: upstream.Canceled, head: 1e9, took: 2e9, size: -1}, judge.Answer{Class: judge.Left, First: head, Last: -1, Size: -1}},
		"while it is": {result{status: 413, head: 1e9, took: 2e9, size: -1, early: true, class: judge.ClientError}, judge.Answer{Class: judge.ClientError, First: -1, Last: -1, Size: -1}},
	} {
		if got := c.result.answer(); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

func BenchmarkClassOfARedirect(b *testing.B) {
	q := asked{method: "GET", target: "/a", host: "app.example"}
	h := http.Header{"Location": {"https://app.example/wp-admin/index.php?page=dashboard"}}
	b.ReportAllocs()
	for b.Loop() {
		q.classOf(302, h)
	}
}
