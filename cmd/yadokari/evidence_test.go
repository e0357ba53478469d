package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestStatusOfARoute compares what is printed of the answers in testdata/status with the .want beside each.
func TestStatusOfARoute(t *testing.T) {
	files, err := filepath.Glob("testdata/status/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("found %d files, %v", len(files), err)
	}
	for _, source := range files {
		t.Run(filepath.Base(source), func(t *testing.T) {
			gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				http.ServeFile(w, r, source)
			}))
			defer gateway.Close()
			code, got, stderr := yadokari(t, nil, "shift", "status", "wiki", "--admin", gateway.URL)
			if code != 0 {
				t.Fatalf("exit %d: %s", code, stderr)
			}
			golden := strings.TrimSuffix(source, ".json") + ".want"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if want, err := os.ReadFile(golden); err != nil || got != string(want) {
				t.Errorf("%v\ngot:\n%s\nwant:\n%s", err, got, want)
			}
		})
	}
}
