package setting

import (
	"errors"
	"fmt"
	"strings"
)

// Path leads to one setting from the top of a Config: keys are strings, places in a list are ints.
type Path []any

// String renders the path as it is written in messages: routes[1].match[0]. A key that could be
// mistaken for more than one is quoted: backends["a.b"].
func (p Path) String() string {
	var b strings.Builder
	for _, step := range p {
		switch s := step.(type) {
		case int:
			fmt.Fprintf(&b, "[%d]", s)
		default:
			writeKey(&b, fmt.Sprint(s))
		}
	}
	return b.String()
}

func writeKey(b *strings.Builder, key string) {
	if key == "" || strings.ContainsFunc(key, isOdd) {
		fmt.Fprintf(b, "[%q]", key)
		return
	}
	if b.Len() > 0 {
		b.WriteByte('.')
	}
	b.WriteString(key)
}

func isOdd(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_')
}

// Problem is one thing that is wrong with one setting. A Config's Validate returns problems, joined
// with errors.Join; package config adds the file, line and column.
type Problem struct {
	Path   Path   // where, from the top of the Config that was validated
	What   string // what is wrong, with the value at fault
	Remedy string // what to do about it
}

// Error names the place, what is wrong and the remedy on one line.
func (p *Problem) Error() string {
	text := p.Path.String()
	if text != "" {
		text += ": "
	}
	text += p.What
	if p.Remedy != "" {
		text += " (" + p.Remedy + ")"
	}
	return text
}

// Under returns the problem as seen from the Config that holds p's Config at prefix.
func (p *Problem) Under(prefix ...any) *Problem {
	return &Problem{Path: append(append(Path{}, prefix...), p.Path...), What: p.What, Remedy: p.Remedy}
}

// Problems returns the problems that err is, joins (errors.Join) or wraps, in their order. An error in
// the tree that is no problem becomes one without a path.
func Problems(err error) []*Problem {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []*Problem
		for _, e := range joined.Unwrap() {
			all = append(all, Problems(e)...)
		}
		return all
	}
	if p := (*Problem)(nil); errors.As(err, &p) {
		return []*Problem{p}
	}
	return []*Problem{{What: err.Error()}}
}

// Under returns the problems of err, as seen from the Config that holds err's Config at prefix; nil
// when err is nil.
func Under(err error, prefix ...any) error {
	problems := Problems(err)
	moved := make([]error, len(problems))
	for i, p := range problems {
		moved[i] = p.Under(prefix...)
	}
	return errors.Join(moved...)
}
