package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"yadokari/judge"
	"yadokari/shift"
)

const (
	barWidth = 20    // of a bar that has reached its end, in characters
	speaks   = 0.005 // the part of the way to the threshold that is rounded to one percent
)

// writeEvidence writes what a route's verdict was made from: who is compared, and one bar for each signal that
// speaks against the new side. It writes nothing when nothing is judged.
func writeEvidence(w io.Writer, s *shift.Status) {
	var e judge.Evidence
	if err := json.Unmarshal(s.Evidence, &e); err != nil || e.Signals == nil {
		return
	}
	_, _ = fmt.Fprintf(w, "\n%s\n", compared(&e, s))
	writeSignals(w, &e, s)
}

// compared says between whom the verdict is.
func compared(e *judge.Evidence, s *shift.Status) string {
	switch {
	case e.Reference:
		return fmt.Sprintf("%s on %s, compared with what %s did in earlier stages", usersOf(e.New.Users), s.To, s.From)
	case e.New.Users == 0:
		return fmt.Sprintf("%s, all on %s", usersOf(e.Old.Users), s.From)
	}
	are := "are"
	if s.State == shift.RolledBack {
		are = "were"
	}
	return fmt.Sprintf("%d of %s %s on %s", e.New.Users, usersOf(e.Old.Users+e.New.Users), are, s.To)
}

func usersOf(n uint64) string {
	if n == 1 {
		return "1 user"
	}
	return fmt.Sprintf("%d users", n)
}

// writeSignals writes the signals that speak against the new side, those that count users first, then the
// loudest; the others are one line.
func writeSignals(w io.Writer, e *judge.Evidence, s *shift.Status) {
	slices.SortStableFunc(e.Signals, func(a, b judge.Signal) int {
		return cmp.Or(cmp.Compare(first(e, &a), first(e, &b)), cmp.Compare(b.Part, a.Part))
	})
	var rows [][]string
	if b := e.Breaker; b.Limit > 0 && b.Run > 0 {
		rows = append(rows, []string{"breaker", "in a row", "", fmt.Sprintf("%d of %d", b.Run, b.Limit), bar(float64(b.Run) / float64(b.Limit))})
	}
	silent := 0
	for _, signal := range e.Signals {
		if signal.Part < speaks {
			silent++
			continue
		}
		rows = append(rows, []string{signal.Name, signal.Unit, fmt.Sprint(signal.Old), fmt.Sprint(signal.New), bar(signal.Part)})
	}
	if len(rows) > 0 {
		row(w, "SIGNAL", "COUNTED", strings.ToUpper(s.From), strings.ToUpper(s.To), "AGAINST "+strings.ToUpper(s.To))
	}
	for _, cells := range rows {
		row(w, cells...)
	}
	if silent > 0 {
		_, _ = fmt.Fprintf(w, "%s: nothing speaks against %s\n", silence(silent, len(rows)), s.To)
	}
	writeLatencies(w, e, s)
}

// silence counts the signals without a bar, beside those that have one.
func silence(silent, loud int) string {
	words := "signal"
	if loud > 0 {
		words = "more signal"
	}
	if silent != 1 {
		words += "s"
	}
	return fmt.Sprintf("%d %s", silent, words)
}

// writeLatencies writes the quantiles of both sides that are judged.
func writeLatencies(w io.Writer, e *judge.Evidence, s *shift.Status) {
	for _, signal := range e.Signals {
		if signal.OldEstimate > 0 && signal.NewEstimate > 0 {
			_, _ = fmt.Fprintf(w, "%s is %s on %s, %s on %s; %.0f%% longer tolerated\n", signal.Name,
				brief(signal.OldEstimate), s.From, brief(signal.NewEstimate), s.To, signal.Tolerance*100)
		}
	}
}

// first is the place of a signal among the others: what has decided, what counts users, the rest.
func first(e *judge.Evidence, s *judge.Signal) int {
	switch {
	case s.Name == e.Decided:
		return 0
	case s.Unit == judge.Users:
		return 1
	}
	return 2
}

// bar draws a part from 0 to 1.
func bar(part float64) string {
	part = min(max(part, 0), 1)
	n := int(math.Round(part * barWidth))
	return strings.Repeat("#", n) + strings.Repeat(".", barWidth-n) + fmt.Sprintf(" %3.0f%%", part*100)
}

// brief writes seconds with three digits.
func brief(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	unit := time.Duration(math.Pow10(max(int(math.Floor(math.Log10(float64(d))))-2, 0)))
	return d.Round(unit).String()
}
