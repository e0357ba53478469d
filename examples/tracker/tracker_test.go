package tracker

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// childVariable makes the test binary a copy of the tracker instead.
const childVariable = "TRACKER_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		os.Exit(Main(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// child starts a copy as a process.
func child(t *testing.T, config Config) *Child {
	t.Helper()
	config.Listen = "127.0.0.1:0"
	c, err := Start(t.Context(), childCommand(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Kill() })
	return c
}

func childCommand() *exec.Cmd {
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), childVariable+"=1")
	command.Stderr = os.Stderr
	return command
}

// site is a copy in this process, and how to talk to it.
type site struct {
	*Server
	url string
}

func newSite(t *testing.T, config Config) site {
	t.Helper()
	if config.Data == "" {
		config.Data = t.TempDir()
	}
	s, err := New(t.Context(), config, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(s.Handler())
	t.Cleanup(func() {
		s.hub.close() // ends what web.Close would wait for
		web.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return site{s, web.URL}
}

// visitor is a client with a cookie jar that follows no redirect.
type visitor struct {
	t *testing.T
	http.Client
	url string
}

func visit(t *testing.T, url string) *visitor {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &visitor{t, http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}, url}
}

func login(t *testing.T, url, name string) *visitor {
	t.Helper()
	v := visit(t, url)
	v.post("/login", "name", name).want(http.StatusSeeOther)
	return v
}

// reply is an answer with its body read.
type reply struct {
	t *testing.T
	*http.Response
	body string
}

func (v *visitor) do(r *http.Request) reply {
	v.t.Helper()
	response, err := v.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return reply{v.t, response, string(body)}
}

func (v *visitor) request(method, path, body string, headers ...string) reply {
	v.t.Helper()
	r, err := http.NewRequestWithContext(v.t.Context(), method, v.url+path, strings.NewReader(body))
	if err != nil {
		v.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return v.do(r)
}

func (v *visitor) get(path string, headers ...string) reply {
	v.t.Helper()
	return v.request(http.MethodGet, path, "", headers...)
}

func (v *visitor) post(path string, fields ...string) reply {
	v.t.Helper()
	values := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		values.Set(fields[i], fields[i+1])
	}
	return v.request(http.MethodPost, path, values.Encode(), "Content-Type", "application/x-www-form-urlencoded")
}

func (r reply) want(status int) reply {
	r.t.Helper()
	if r.StatusCode != status {
		r.t.Fatalf("%s %s: status %d, want %d: %.300s", r.Request.Method, r.Request.URL.Path, r.StatusCode, status, r.body)
	}
	return r
}

func (r reply) has(texts ...string) reply {
	r.t.Helper()
	for _, text := range texts {
		if !strings.Contains(r.body, text) {
			r.t.Fatalf("%s %s: lacks %q: %.2000s", r.Request.Method, r.Request.URL.Path, text, r.body)
		}
	}
	return r
}

func (r reply) lacks(text string) reply {
	r.t.Helper()
	if strings.Contains(r.body, text) {
		r.t.Fatalf("%s %s: has %q", r.Request.Method, r.Request.URL.Path, text)
	}
	return r
}

func readLines[T any](t *testing.T, path string) []T {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var all []T
	for line := range bytes.Lines(text) {
		var one T
		if err := json.Unmarshal(line, &one); err != nil {
			t.Fatalf("%s: %q: %v", filepath.Base(path), line, err)
		}
		all = append(all, one)
	}
	return all
}
