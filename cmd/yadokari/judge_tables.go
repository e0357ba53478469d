package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"yadokari/judge/simulate"
)

// tables prints what it takes to see that a side is worse: docs/verdict.md has them.
func (s *simulation) tables(ctx context.Context, env *environment) error {
	list, err := simulate.Tables(ctx, s.stages, s.seed, func(row string) { fmt.Fprintln(env.err, row) })
	if err != nil {
		return err
	}
	return env.print(list, func(w io.Writer) {
		for i := range list {
			tellTable(w, &list[i])
		}
	})
}

// tellTable writes Markdown.
func tellTable(w io.Writer, t *simulate.Table) {
	fmt.Fprintf(w, "### %s\n\n| %s | before |\n|%s\n", t.Title, strings.Join(t.Heads, " | "), strings.Repeat(" --- |", len(t.Heads)+1))
	for _, r := range t.Rows {
		fmt.Fprintf(w, "| %s | %s |", strings.ReplaceAll(r.Harm, "%", " %"), strings.ReplaceAll(r.Share.String(), "%", " %"))
		for _, cell := range r.Cells {
			fmt.Fprintf(w, " %s |", cellText(cell))
		}
		before := ""
		if r.Before != nil {
			before = cellText(*r.Before)
		}
		fmt.Fprintf(w, " %s |\n", before)
	}
	fmt.Fprintln(w)
}

// cellText is a median and, in brackets, what 95 of 100 do not exceed.
func cellText(r simulate.Range) string {
	figure := func(x float64) string {
		if x == 0 {
			return "not seen"
		}
		return grouped(int64(x))
	}
	if r.Median == 0 {
		return "not seen"
	}
	return fmt.Sprintf("%s (%s)", figure(r.Median), figure(r.P95))
}

// grouped writes a number with its thousands apart: 12,068.
func grouped(n int64) string {
	text := fmt.Sprint(n)
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}
