package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
)

// format is how results are printed; the zero value is a table.
type format string

const (
	table   format = "table"
	jsonOut format = "json"
)

func (f *format) String() string {
	if *f == "" {
		return string(table)
	}
	return string(*f)
}

// Set takes the value of the flag.
func (f *format) Set(text string) error {
	if text != string(table) && text != string(jsonOut) {
		return fmt.Errorf("%q is neither table nor json", text)
	}
	*f = format(text)
	return nil
}

// Type names the flag's value in the help.
func (f *format) Type() string { return "format" }

// print writes value as JSON when that was asked for, and else what text writes. Tabs between cells
// become columns.
func (e *environment) print(value any, text func(w io.Writer)) error {
	if e.output == jsonOut {
		encoder := json.NewEncoder(e.out)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		return encoder.Encode(value)
	}
	w := tabwriter.NewWriter(e.out, 0, 0, 2, ' ', 0)
	text(w)
	return w.Flush()
}
