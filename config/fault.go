package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"yadokari/setting"
)

// Fault is one thing that is wrong with the file.
type Fault struct {
	File   string `json:"file"`
	Line   int    `json:"line,omitempty"`   // from 1; 0 when the fault has no place in the file
	Column int    `json:"column,omitempty"` // from 1, in characters
	Path   string `json:"path,omitempty"`   // of the setting, as in gateway.routes[0].match
	What   string `json:"what"`
	Remedy string `json:"remedy,omitempty"`
}

// Error is one line: FILE:LINE:COLUMN: path: what (remedy).
func (f *Fault) Error() string {
	var b strings.Builder
	b.WriteString(f.File)
	if f.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", f.Line, f.Column)
	}
	b.WriteString(": ")
	if f.Path != "" {
		b.WriteString(f.Path + ": ")
	}
	b.WriteString(f.What)
	if f.Remedy != "" {
		b.WriteString(" (" + f.Remedy + ")")
	}
	return b.String()
}

// Faults are all faults of a file, in the order of the file.
type Faults []*Fault

// Error is one line a fault.
func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, fault := range f {
		lines[i] = fault.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the faults one by one, for errors.Is and errors.As.
func (f Faults) Unwrap() []error {
	all := make([]error, len(f))
	for i, fault := range f {
		all[i] = fault
	}
	return all
}

// tidy puts faults into the order of the file, each once; nil when there are none.
func (f Faults) tidy() error {
	if len(f) == 0 {
		return nil
	}
	f.sort()
	seen := make(map[Fault]bool, len(f))
	return slices.DeleteFunc(f, func(fault *Fault) bool {
		again := seen[*fault]
		seen[*fault] = true
		return again
	})
}

func (f Faults) sort() {
	slices.SortStableFunc(f, func(a, b *Fault) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}

// finder collects the faults of one file.
type finder struct {
	file   string
	faults Faults
	// broken are the paths of settings that could not be decoded, with everything above them. What a
	// part's Validate says about these would only repeat the fault in other words.
	broken map[string]bool
	above  map[string]bool
}

func newFinder(file string) *finder {
	return &finder{file: file, broken: map[string]bool{}, above: map[string]bool{}}
}

// report adds a fault and marks its path as broken.
func (f *finder) report(at place, path setting.Path, what, remedy string) {
	f.add(at, path, what, remedy)
	f.markBroken(path)
}

func (f *finder) add(at place, path setting.Path, what, remedy string) {
	f.faults = append(f.faults, &Fault{
		File: f.file, Line: at.line, Column: at.column, Path: path.String(), What: what, Remedy: remedy,
	})
}

func (f *finder) markBroken(path setting.Path) {
	f.broken[path.String()] = true
	for i := range path {
		f.above[path[:i].String()] = true
	}
}

// isBroken says whether the setting at path, or one below or above it, could not be decoded.
func (f *finder) isBroken(path setting.Path) bool {
	if f.above[path.String()] {
		return true
	}
	for i := range len(path) + 1 {
		if f.broken[path[:i].String()] {
			return true
		}
	}
	return false
}
