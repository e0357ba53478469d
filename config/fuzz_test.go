package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzParse reads anything. Whatever it is, it ends in a file or in faults that each are one line and
// stand inside the text, in order; what is valid stays valid when it is asked about.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range append(files, "../yadokari.example.yaml") {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text, "")
		f.Add(text, "west")
	}
	for _, seed := range []string{
		"", "\n", "a", "~", "---\n", "...\n", "{}", "{", "<<: 1", "<<: [1, {}]", "&a {<<: *a}", "? &k app\n: *k", "{*a : 1}", "[]: 1",
		"app: |\n  x\n", "\ufeffapp: a", "app: \"\\x00\"", "gateway: {backends: {\"\\n\": {}}}", "clusters: {\"\": {}}", "%YAML 1.1\n---\n{}", "app: 'a\n\n\n",
	} {
		f.Add([]byte(seed), "")
		f.Add([]byte(seed), "x")
	}
	f.Fuzz(func(t *testing.T, text []byte, cluster string) {
		file, err := Parse("f", text, cluster)
		if err == nil {
			if file == nil {
				t.Fatal("neither a file nor faults")
			}
			file.Explain()
			return
		}
		var faults Faults
		if !errors.As(err, &faults) || len(faults) == 0 {
			t.Fatalf("an error that is no fault: %v", err)
		}
		lines := strings.Split(string(text), "\n")
		last := &Fault{}
		for _, fault := range faults {
			if strings.ContainsAny(fault.Error(), "\n\r") {
				t.Errorf("more than one line: %q", fault.Error())
			}
			if !inside(fault, lines) {
				t.Errorf("%q stands outside of %q", fault, text)
			}
			if fault.Line < last.Line || fault.Line == last.Line && fault.Column < last.Column {
				t.Errorf("%q comes after %q", fault, last)
			}
			last = fault
		}
	})
}

// inside allows the place right behind the end, where something is missing. YAML counts other line
// breaks than \n too.
func inside(f *Fault, lines []string) bool {
	if f.Line < 1 || f.Column < 1 {
		return false
	}
	breaks := 0
	for _, line := range lines {
		breaks += strings.Count(line, "\r") + strings.Count(line, "\u0085") + strings.Count(line, "\u2028") + strings.Count(line, "\u2029")
	}
	if breaks > 0 {
		return f.Line <= len(lines)+breaks+1
	}
	if f.Line > len(lines) {
		return f.Line == len(lines)+1 && f.Column == 1
	}
	return f.Column <= len([]rune(lines[f.Line-1]))+1
}
