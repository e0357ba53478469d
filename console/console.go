// Package console is the page that shows a migration and lets a person act. Everything that it shows
// and does goes through the admin API; the package only serves its files.
package console

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"

	"yadokari/admin"
)

//go:embed page
var page embed.FS

// Policy is the Content-Security-Policy of the page: its own files and the API, nothing inline, nothing
// from elsewhere.
const Policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// file is one file of the page as it is sent.
type file struct {
	kind   string // its Content-Type
	tag    string // its ETag
	plain  []byte
	zipped []byte
}

// Register serves the page at / and its files under /console/. They hold no secrets and ask for no role:
// the page itself asks for a token when the API does.
func Register(s *admin.Server) error {
	files, err := load(page)
	if err != nil {
		return fmt.Errorf("console: %w", err)
	}
	s.Handle("GET /{$}", admin.Anyone, files["index.html"])
	for name, f := range files {
		if name != "index.html" {
			s.Handle("GET /console/"+name, admin.Anyone, f)
		}
	}
	return nil
}

// load reads and compresses the files once, so that sending one costs nothing.
func load(from fs.FS) (map[string]*file, error) {
	files := map[string]*file{}
	err := fs.WalkDir(from, "page", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		plain, err := fs.ReadFile(from, name)
		if err != nil {
			return err
		}
		files[strings.TrimPrefix(name, "page/")], err = newFile(name, plain)
		return err
	})
	return files, err
}

func newFile(name string, plain []byte) (*file, error) {
	var zipped bytes.Buffer
	w, err := gzip.NewWriterLevel(&zipped, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(plain); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(plain)
	return &file{kind: kind(name), tag: `"` + hex.EncodeToString(sum[:12]) + `"`, plain: plain, zipped: zipped.Bytes()}, nil
}

// kind does not depend on what the machine knows of file types, except for endings nobody changes.
func kind(name string) string {
	switch path.Ext(name) {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".html":
		return "text/html; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	}
	return mime.TypeByExtension(path.Ext(name))
}

// ServeHTTP sends the file. A browser keeps it and asks each time whether it is still the same, so that
// page and API are always of one build.
func (f *file) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", Policy)
	h.Set("Cache-Control", "no-cache")
	h.Set("ETag", f.tag)
	h.Set("Vary", "Accept-Encoding")
	if strings.Contains(r.Header.Get("If-None-Match"), f.tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", f.kind)
	body := f.plain
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		body = f.zipped
	}
	h.Set("Content-Length", fmt.Sprint(len(body)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // a client that is gone is not told so
	}
}
