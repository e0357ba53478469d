package setting

import (
	"fmt"
	"strings"
)

// Path leads to one setting from the top of a Config: keys are strings, places in a list are ints.
type Path []any

// String renders the path as it is written in messages: routes[1].match[0].
func (p Path) String() string {
	var b strings.Builder
	for _, step := range p {
		switch s := step.(type) {
		case int:
			fmt.Fprintf(&b, "[%d]", s)
		default:
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			fmt.Fprint(&b, s)
		}
	}
	return b.String()
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
