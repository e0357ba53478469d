package console

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"yadokari/admin"
)

// mostBytes is the compressed size of the whole page that is allowed.
const mostBytes = 150 << 10

func TestThePageIsSmall(t *testing.T) {
	files, err := load(page)
	if err != nil {
		t.Fatal(err)
	}
	sum := 0
	for _, f := range files {
		sum += len(f.zipped)
	}
	t.Logf("%d files, %d bytes compressed", len(files), sum)
	if sum > mostBytes {
		t.Errorf("the page takes %d bytes compressed, %d are allowed", sum, mostBytes)
	}
}

func TestNothingIsInlineOrFromElsewhere(t *testing.T) {
	bad := map[string]*regexp.Regexp{
		"markup from text":       regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|srcdoc`),
		"code from text":         regexp.MustCompile(`\beval\(|new Function|javascript:`),
		"an inline handler":      regexp.MustCompile(`\son[a-z]+="`),
		"an inline style":        regexp.MustCompile(`\sstyle="|<style|cssText|setAttribute\('style'`),
		"an inline script":       regexp.MustCompile(`<script>|<script type="module">`),
		"an address elsewhere":   regexp.MustCompile(`(?:src|href|url|from|import)\s*[=(:]?\s*["'(]?https?://`),
		"an import of elsewhere": regexp.MustCompile(`@import`),
	}
	err := fs.WalkDir(page, "page", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(page, name)
		for what, pattern := range bad {
			if at := pattern.FindIndex(text); at != nil {
				t.Errorf("%s has %s: %q", name, what, text[at[0]:min(len(text), at[1]+40)])
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestEveryFileIsReached follows what the page loads: nothing is missing, and nothing is carried in vain.
func TestEveryFileIsReached(t *testing.T) {
	files, err := load(page)
	if err != nil {
		t.Fatal(err)
	}
	reached := map[string]bool{"index.html": true, "uplot.LICENSE.txt": true}
	names := regexp.MustCompile(`(?:/console/|from '\./)([a-z.]+)`)
	for todo := []string{"index.html"}; len(todo) > 0; todo = todo[1:] {
		f := files[todo[0]]
		if f == nil {
			t.Fatalf("%s is loaded and does not exist", todo[0])
		}
		for _, m := range names.FindAllSubmatch(f.plain, -1) {
			if name := string(m[1]); !reached[name] {
				reached[name] = true
				todo = append(todo, name)
			}
		}
	}
	for name := range files {
		if !reached[name] {
			t.Errorf("%s is never loaded", name)
		}
	}
}

func TestServing(t *testing.T) {
	s, err := admin.New(admin.Config{Listen: "127.0.0.1:0"}, admin.Options{Logger: slog.New(slog.DiscardHandler), Registry: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	if err := Register(s); err != nil {
		t.Fatal(err)
	}
	files, err := load(page)
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range files {
		ask := func(encoding, tag string) *http.Response {
			w := httptest.NewRecorder()
			r := httptest.NewRequest("GET", "/console/"+path.Base(name), nil)
			r.Header.Set("Accept-Encoding", encoding)
			r.Header.Set("If-None-Match", tag)
			f.ServeHTTP(w, r)
			return w.Result()
		}
		plain, zipped := ask("", ""), ask("br, gzip", "")
		if plain.Header.Get("Content-Security-Policy") != Policy || strings.Contains(Policy, "unsafe") || plain.Header.Get("Content-Type") == "" {
			t.Errorf("%s: %v", name, plain.Header)
		}
		body, err := io.ReadAll(plain.Body)
		if err != nil {
			t.Fatal(err)
		}
		unzip, err := gzip.NewReader(zipped.Body)
		if err != nil {
			t.Fatal(err)
		}
		again, err := io.ReadAll(unzip)
		if err != nil || !bytes.Equal(body, again) || zipped.Header.Get("Content-Encoding") != "gzip" {
			t.Errorf("%s: compressed it is another file (%v)", name, err)
		}
		if same := ask("gzip", plain.Header.Get("ETag")); same.StatusCode != http.StatusNotModified {
			t.Errorf("%s: %s for a file that is the same", name, same.Status)
		}
	}
}
