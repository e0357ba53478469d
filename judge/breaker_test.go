package judge

import (
	"strings"
	"testing"
	"time"
)

// history is a list of events in short: a capital letter is a user of the new side whose request failed
// and was not asked again, with ' the old side answered it, with " the old side failed it too; a small
// letter is one that was answered; - is an old side's answer, ! its failure.
func history(text string, span time.Duration) *Window {
	w := &Window{Span: span}
	for i, c := range text {
		e := Event{User: uint64(c | 0x20), New: true}
		switch {
		case c == '\'':
			w.Events[len(w.Events)-1].Other = Answered
			continue
		case c == '"':
			w.Events[len(w.Events)-1].Other = FailedToo
			continue
		case c == '-' || c == '!':
			e = Event{User: uint64(i), Answer: Answer{Failed: c == '!'}}
		default:
			e.Failed = c < 'a'
		}
		w.Events = append(w.Events, e)
	}
	return w
}

func TestRun(t *testing.T) {
	const tick = 50 * time.Millisecond
	for _, c := range []struct {
		name    string
		alone   bool
		windows []string
		span    time.Duration
		want    bool
	}{
		{"five users", false, []string{"A'B'C'D'E'"}, tick, true},
		{"three users", false, []string{"A'B'C'A'B'"}, tick, true},
		{"one user", false, []string{"A'A'A'A'A'A'A'A'"}, tick, false},
		{"two users", false, []string{"A'B'A'B'A'B'A'B'"}, tick, false},
		{"one user, and the old side has answered it twenty times", false, []string{"A'A'A'A'A'A'A'A'A'A'A'A'A'A'A'A'A'A'A'A'"}, tick, true},
		{"a success between", false, []string{"A'B'C'd", "E'F'"}, tick, false},
		{"over windows", false, []string{"A'B'", "C'", "D'E'"}, tick, true},
		{"the old side fails them too", false, []string{`A"B"C"D"E"F"G"`}, tick, false},
		{"the old side fails one of them too", false, []string{`A'B'C'D"E'F'G'`}, tick, false},
		{"the old side's users fail as well", false, []string{"!A'!B'!C'!D'!E'!"}, tick, false},
		{"the old side's users are well", false, []string{"-A'-B'-C'-D'-E'-"}, tick, true},
		{"not asked again, at once", false, []string{"ABCDEF"}, tick, false},
		{"not asked again, for a second", false, []string{"ABC", "DEF", "", ""}, 300 * time.Millisecond, true},
		{"not asked again, for half a second", false, []string{"ABCDEF", "g"}, 300 * time.Millisecond, false},
		{"the tail of an outage", false, []string{`!A"!B"!C"!`, "A'B'C'D'E'F'", "-g-"}, tick, false},
		{"an outage of the new side after one of both", false, []string{`!A"!B"!C"!`, "-A'-B'-", "-C'-D'-", "-E'-F'-", "-A'-B'-", "-C'-D'-"}, 500 * time.Millisecond, true},
		{"every third fails on both sides", false, []string{strings.Repeat("-!-", 60), "-A'-B'-C'-D'-E'-F'-"}, 2 * time.Second, false},
		{"every third fails on both sides, the new one always", false, []string{strings.Repeat("-!-", 60), strings.Repeat("A'B'C'D'E'F'--", 2)}, 2 * time.Second, true},
		{"alone, at once", true, []string{"A'B'C'D'E'"}, tick, false},
		{"alone, for a second", true, []string{"A'B'C'", "D'E'"}, time.Second, true},
		{"alone, and the old side fails them too", true, []string{`A"B"C"`, `D"E"F"`, `A"B"`}, time.Second, false},
	} {
		r, got := NewRun(5, c.alone), false
		for _, w := range c.windows {
			got = r.Add(history(w, c.span)) || got
		}
		for range 8 {
			got = r.Add(&Window{Span: c.span}) || got
		}
		if got && r.Evidence().Run == 0 {
			t.Errorf("%s: the evidence has gone: %+v", c.name, r.Evidence())
		}
		if got != c.want {
			t.Errorf("%s: %v, want %v (%+v)", c.name, got, c.want, r.Evidence())
		}
	}
}

func TestRunWithoutLimit(t *testing.T) {
	if NewRun(0, false).Add(history("A'B'C'D'E'F'G'", time.Second)) {
		t.Error("a breaker that is switched off has failed")
	}
}

// TestRunOfCopies: in the mirror stage pairs tell.
func TestRunOfCopies(t *testing.T) {
	r, w := NewRun(5, false), &Window{}
	for user := range uint64(5) {
		w.Pairs = append(w.Pairs, Pair{User: user, Copied: true, New: Answer{Failed: true}})
	}
	if !r.Add(w) {
		t.Error("five copies that failed are no run")
	}
	for i := range w.Pairs {
		w.Pairs[i].Copied = false // of a later stage: the events tell of them
	}
	if NewRun(5, false).Add(w) {
		t.Error("pairs of a later stage are counted a second time")
	}
}
