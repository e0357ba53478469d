package api

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"yadokari/admin"
)

// call is a line of the table of calls in docs/admin-api.md.
type call struct{ method, path, role string }

// documented reads that table: it is what people rely on.
func documented(t *testing.T) []call {
	t.Helper()
	text, err := os.ReadFile("../docs/admin-api.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## Calls\n")
	section, _, _ = strings.Cut(section, "\n**Bodies.**")
	paths := regexp.MustCompile("`([^`]+)`")
	var calls []call
	for line := range strings.Lines(section) {
		cells := strings.Split(line, "|")
		if len(cells) < 4 || !strings.Contains(cells[1], " /") {
			continue
		}
		method, first := "", ""
		for _, m := range paths.FindAllStringSubmatch(cells[1], -1) {
			path := m[1]
			if before, after, ok := strings.Cut(path, " "); ok {
				method, first, path = before, after, after
			} else {
				path = first[:strings.LastIndex(first, "/")] + path // `/pause`, `/resume`
			}
			calls = append(calls, call{method, "/api/v1" + path, strings.TrimSpace(cells[2])})
		}
	}
	return calls
}

// aboutTheCaller are the codes that speak of who calls, or of a call that there is not.
var aboutTheCaller = map[string]bool{"no-token": true, "unknown-token": true, "not-allowed": true, "cross-origin": true, "not-found": true, "wrong-method": true}

// TestWhoMayCall asks for every call without a token, with a stranger's, with a viewer's and with an
// operator's.
func TestWhoMayCall(t *testing.T) {
	tokens := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(tokens, []byte("vic viewer vic-0123456789abcdef\nolga operator olga-0123456789abcdef\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := newFixtureOn(t, admin.Config{Listen: "127.0.0.1:0", TokenFile: tokens})
	calls := documented(t)
	fill := strings.NewReplacer("{route}", "wiki", "{backend}", "vm", "{server}", "10.0.0.1:80")
	for _, c := range calls {
		for _, who := range []struct{ token, role, refused string }{
			{"", "", "no-token"},
			{"somebody-0123456789abcdef", "", "unknown-token"},
			{"vic-0123456789abcdef", "viewer", "not-allowed"},
			{"olga-0123456789abcdef", "operator", ""},
		} {
			want := who.refused
			if who.role == "operator" || who.role == c.role {
				want = ""
			}
			code := f.refusal(t, c.method, fill.Replace(c.path), who.token)
			if want == "" && !aboutTheCaller[code] {
				code = "" // what the call itself thinks of these arguments
			}
			if code != want {
				t.Errorf("%s %s with the token %q is answered %q; it is a call for a %s", c.method, c.path, who.token, code, c.role)
			}
		}
	}
	if st, err := f.controller.Status("wiki"); err != nil || st.By == "vic" {
		t.Errorf("a viewer has moved a route: %+v %v", st, err)
	}
}

// TestEveryCallIsDocumented, with its role, so that TestWhoMayCall leaves none out.
func TestEveryCallIsDocumented(t *testing.T) {
	text, err := os.ReadFile("api.go")
	if err != nil {
		t.Fatal(err)
	}
	known := documented(t)
	found := regexp.MustCompile(`"(GET|POST|PUT|PATCH|DELETE) (/api/v1/[^"]*)"`).FindAllStringSubmatch(string(text), -1)
	if len(found) < 15 || len(known) < 20 {
		t.Fatalf("%d patterns and %d documented calls: they are not to be read any more", len(found), len(known))
	}
	for _, m := range found {
		listed := false
		for _, c := range known {
			listed = listed || c.method == m[1] && (c.path == m[2] || strings.HasSuffix(m[2], "/") && strings.HasPrefix(c.path, m[2]))
		}
		if !listed {
			t.Errorf("%s %s is not in docs/admin-api.md", m[1], m[2])
		}
	}
}

// refusal makes a call and returns the code of the error that answers it, or "".
func (f *fixture) refusal(t *testing.T, method, path, token string) string {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop() // a stream ends with it
	r, err := http.NewRequestWithContext(ctx, method, f.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode < 400 {
		return ""
	}
	var refused struct {
		Error struct{ Code string } `json:"error"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&refused); err != nil || refused.Error.Code == "" {
		t.Fatalf("%s %s is answered %s without a code: %v", method, path, answer.Status, err)
	}
	return refused.Error.Code
}
