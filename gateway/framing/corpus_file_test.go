package framing

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var writeCorpus = flag.Bool("write-corpus", false, "write testdata/corpus.json anew")

// TestCorpusFile keeps testdata/corpus.json, which the tests of the whole gateway read, in step with
// the corpus.
func TestCorpusFile(t *testing.T) {
	type entry struct {
		Name     string
		Raw      []byte
		Requests int
		InBody   bool
	}
	var entries []entry
	for _, s := range corpus() {
		passed := 0
		for _, request := range s.want {
			if request.target != "*" { // answered by net/http itself
				passed++
			}
		}
		entries = append(entries, entry{s.name, []byte(s.raw), passed, s.inBody})
	}
	text, err := json.MarshalIndent(entries, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, '\n')
	path := filepath.Join("testdata", "corpus.json")
	if *writeCorpus {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if kept, err := os.ReadFile(path); err != nil || !bytes.Equal(kept, text) {
		t.Errorf("%s is not the corpus (%v): go test -run TestCorpusFile -write-corpus", path, err)
	}
}
