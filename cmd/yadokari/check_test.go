package main

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what is found as what is wanted")

// TestCheckSays compares what check prints of testdata/*.yaml with the .want beside it. STATE in a
// file stands for a directory that can be written; the working directory is the file's.
func TestCheckSays(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("found %d files, %v", len(files), err)
	}
	for _, source := range files {
		text, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		golden, err := filepath.Abs(strings.TrimSuffix(source, ".yaml") + ".want")
		if err != nil {
			t.Fatal(err)
		}
		t.Run(filepath.Base(source), func(t *testing.T) {
			dir := t.TempDir()
			t.Chdir(dir)
			if err := os.WriteFile("yadokari.yaml", []byte(strings.ReplaceAll(string(text), "STATE", dir)), 0o600); err != nil {
				t.Fatal(err)
			}
			args := []string{"check"}
			if first, _, _ := strings.Cut(string(text), "\n"); strings.HasPrefix(first, "# args: ") {
				args = append(args, strings.Fields(strings.TrimPrefix(first, "# args: "))...)
			}
			_, out, stderr := yadokari(t, nil, args...)
			got := strings.ReplaceAll(out+stderr, dir, "STATE")
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

func TestCheckInJSON(t *testing.T) {
	var result struct {
		Valid    bool
		Faults   []struct{ Line, Column int }
		Meanings []struct {
			Cluster, App string
			Routes       []struct {
				Name         string
				LeastSeconds float64
			}
		}
	}
	code, out, _ := yadokari(t, nil, "check", "-o", "json", "-c", file(t, valid))
	if err := json.Unmarshal([]byte(out), &result); err != nil || code != 0 {
		t.Fatalf("exit %d, %v, %s", code, err, out)
	}
	if m := result.Meanings; !result.Valid || len(m) != 3 || m[1].App != "western" || m[1].Cluster != "west" || m[0].Routes[0].LeastSeconds != 600 {
		t.Errorf("got %+v", result)
	}
	code, out, stderr := yadokari(t, nil, "check", "-o", "json", "-c", file(t, valid+"colour: green\nshape: round\n"))
	if err := json.Unmarshal([]byte(out), &result); err != nil || code != 2 {
		t.Fatalf("exit %d, %v, %s", code, err, out)
	}
	if result.Valid || len(result.Faults) != 2 || result.Faults[1].Line != 11 || strings.Count(stderr, "\n") != 2 {
		t.Errorf("got %+v, %s", result, stderr)
	}
}
