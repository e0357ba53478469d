package demo

import (
	"fmt"
	"io"
	"time"

	"yadokari/shift"
)

// teller tells the story, each line with the seconds since it began.
type teller struct {
	out   io.Writer
	began time.Time
}

func newTeller(out io.Writer) *teller { return &teller{out: out, began: time.Now()} }

func (t *teller) say(text string, args ...any) {
	_, _ = fmt.Fprintf(t.out, "%5.1fs  %s\n", time.Since(t.began).Seconds(), fmt.Sprintf(text, args...)) // a closed terminal ends the program by itself
}

func (t *teller) stage(s shift.Status) {
	if s.Stage == shift.MirrorStage {
		t.say("%-7s mirror: users stay on vm, copies of their requests go to containers", s.Route)
		return
	}
	t.say("%-7s %s of the users are on containers", s.Route, s.Stage)
	if s.By == shift.Automatic.Name {
		t.say("        because %s", s.Why)
	}
}

func (t *teller) end(s shift.Status) {
	if s.State == shift.Done {
		t.say("%-7s done: every user is on containers", s.Route)
		return
	}
	t.say("%-7s rolled back: %s", s.Route, s.Reason)
}

func (t *teller) sums(s Sums) {
	t.say("the sums: %d requests, %d failures that users saw, %d saved by the vm side; writes lost %d, doubled %d",
		s.Requests, s.Failures, s.Fallbacks, s.WritesLost, s.WritesDoubled)
	t.say("%-7s rolled back %d ms after the first bad answer", brokenRoute, s.RolledBackAfter.Milliseconds())
	for _, route := range []string{fineRoute, brokenRoute, slowRoute} {
		t.say("%-7s %s", route, s.Routes[route])
	}
	for _, example := range s.Examples {
		t.say("a user saw: %s", example)
	}
}

func (t *teller) keep(s *site) {
	t.say("still running; Ctrl-C ends it. Try, in another terminal:")
	t.say("  yadokari shift status --admin %s", s.adminURL())
	t.say("  yadokari shift start issues --admin %s", s.adminURL())
	t.say("  curl -i %s/wiki/", s.url())
}
