package tracker

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"fmt"
	"net/http"
	"time"
)

//go:embed static
var staticFiles embed.FS

// asset is a file that never changes while a build lives.
type asset struct {
	name    string
	content []byte
	tag     string
}

func loadAssets() (map[string]asset, error) {
	entries, err := staticFiles.ReadDir("static")
	if err != nil {
		return nil, err
	}
	assets := make(map[string]asset, len(entries))
	for _, e := range entries {
		content, err := staticFiles.ReadFile("static/" + e.Name())
		if err != nil {
			return nil, err
		}
		hash := sha256.Sum256(content)
		assets[e.Name()] = asset{e.Name(), content, fmt.Sprintf(`"%x"`, hash[:12])}
	}
	return assets, nil
}

// static serves an asset; its tag is of its content, so that all copies of one build agree on it.
func (s *Server) static(w http.ResponseWriter, r *http.Request) {
	a, known := s.assets[r.PathValue("name")]
	if !known {
		s.fail(w, r, errNotFound)
		return
	}
	w.Header().Set("ETag", a.tag)
	w.Header().Set("Cache-Control", "public, max-age=300")
	http.ServeContent(w, r, a.name, time.Time{}, bytes.NewReader(a.content))
}
