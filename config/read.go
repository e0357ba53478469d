package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"yadokari/setting"
)

// Bounds on what is read, far above any real file: a file is trusted, but a mistake (or a generator
// gone wrong) must end in a message, not in a machine without memory.
const (
	maxBytes  = 64 << 20
	maxDepth  = 64
	maxValues = 2_000_000 // with every alias counted as often as it is used
)

// errStop ends reading: what is wrong has been reported, and nothing after it can be trusted.
var errStop = errors.New("the file cannot be read any further")

// read parses text as one YAML document and returns its tree, or nil when it cannot be understood;
// faults are reported to f. An empty file is an empty mapping.
func read(text []byte, f *finder) *node {
	empty := &node{place: place{1, 1}, kind: mapping, weight: 1}
	if !isPlainText(text, f) {
		return nil
	}
	document, ok := parse(text, f)
	if !ok {
		return nil
	}
	if document == nil {
		return empty
	}
	r := reader{f: f, made: map[*yaml.Node]*node{}, open: map[*yaml.Node]bool{}}
	root, err := r.convert(document, nil)
	switch {
	case err != nil:
		return nil
	case root.null:
		return empty
	case root.kind != mapping:
		f.report(root.place, nil, "the file is "+root.describe()+", not a mapping", "write keys, as in app: tracker")
		return nil
	}
	return root
}

func isPlainText(text []byte, f *finder) bool {
	if len(text) > maxBytes {
		f.report(place{1, 1}, nil, fmt.Sprintf("the file has %s", setting.Size(len(text))), "write at most 64MiB")
		return false
	}
	at := place{1, 1}
	for rest := text; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		if r == utf8.RuneError && size == 1 {
			f.report(at, nil, fmt.Sprintf("byte 0x%02x is not text", rest[0]), "write the file in UTF-8")
			return false
		}
		if r < ' ' && r != '\n' && r != '\r' && r != '\t' || r == 0x7f {
			f.report(at, nil, fmt.Sprintf("control character 0x%02x", r), `write it in double quotes, as in "\x07"`)
			return false
		}
		at.column++
		if r == '\n' {
			at = place{at.line + 1, 1}
		}
		rest = rest[size:]
	}
	return true
}

// parse returns the only document in text, nil when there is none, and false when there is a fault.
func parse(text []byte, f *finder) (*yaml.Node, bool) {
	loader, err := yaml.NewLoader(bytes.NewReader(text))
	if err != nil {
		f.report(place{1, 1}, nil, oneLine(err.Error()), "")
		return nil, false
	}
	var first, second yaml.Node
	switch err := loader.Load(&first); {
	case errors.Is(err, io.EOF):
		return nil, true
	case err != nil:
		reportSyntax(err, text, f)
		return nil, false
	}
	switch err := loader.Load(&second); {
	case errors.Is(err, io.EOF):
	case err != nil:
		reportSyntax(err, text, f)
		return nil, false
	default:
		f.report(place{second.Line, second.Column}, nil, "a second document begins", "write one document, without a line of ---")
		return nil, false
	}
	if first.Kind != yaml.DocumentNode || len(first.Content) == 0 {
		return nil, true
	}
	return first.Content[0], true
}

func reportSyntax(err error, text []byte, f *finder) {
	at, what, remedy := place{1, 1}, oneLine(err.Error()), ""
	if e := (*yaml.LoadError)(nil); errors.As(err, &e) {
		what = oneLine(e.Message)
		if e.Mark.Line > 0 {
			at = place{e.Mark.Line, max(e.Mark.Column, 1)}
		}
		if e.ContextMsg != "" {
			what += " " + oneLine(e.ContextMsg)
			if e.ContextMark.Line > 0 && e.ContextMark.Line != e.Mark.Line {
				what += fmt.Sprintf(" begun in line %d", e.ContextMark.Line)
			}
		}
		remedy = syntaxRemedy(at, text)
	}
	f.report(at, nil, "not YAML: "+what, remedy)
}

func syntaxRemedy(at place, text []byte) string {
	lines := bytes.Split(text, []byte("\n"))
	if at.line <= len(lines) && bytes.HasPrefix(bytes.TrimLeft(lines[at.line-1], " "), []byte("\t")) {
		return "indent with spaces, not with tabs"
	}
	return "check the indentation, quotes and brackets before this place"
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
