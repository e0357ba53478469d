package demo

import (
	"errors"
	"fmt"
	"time"

	"yadokari/examples/tracker/browse"
	"yadokari/shift"
)

// Sums are what came of the demonstration.
type Sums struct {
	Requests        int64                  `json:"requests"`
	Failures        int64                  `json:"failures"` // that users saw
	Fallbacks       int64                  `json:"fallbacks"`
	WritesLost      int64                  `json:"writesLost"`
	WritesDoubled   int64                  `json:"writesDoubled"`
	RolledBackAfter time.Duration          `json:"rolledBackAfterNanoseconds"` // after the first bad answer
	Routes          map[string]shift.State `json:"routes"`
	Examples        []string               `json:"examples,omitempty"` // of failures
}

// promptly is the longest that users of a broken new side may stay on it.
const promptly = time.Second

func newSums(result browse.Result, journeys map[string]journey) Sums {
	total := result.Total()
	s := Sums{Requests: total.Requests, Failures: total.Failed(), Routes: map[string]shift.State{}}
	for route, j := range journeys {
		s.Routes[route] = j.state
	}
	for _, failure := range result.Examples {
		s.Examples = append(s.Examples, failure.String())
	}
	return s
}

// Broken names every promise that was not kept, or is nil.
func (s Sums) Broken() error {
	var broken []error
	promise := func(kept bool, text string, args ...any) {
		if !kept {
			broken = append(broken, fmt.Errorf(text, args...))
		}
	}
	promise(s.Failures == 0, "%d requests failed for a user", s.Failures)
	promise(s.WritesLost == 0, "%d writes were lost", s.WritesLost)
	promise(s.WritesDoubled == 0, "%d writes were done twice", s.WritesDoubled)
	promise(s.RolledBackAfter > 0, "the new side of %s never failed, so nothing was shown", brokenRoute)
	promise(s.RolledBackAfter <= promptly, "the rollback took %s, promised is %s", s.RolledBackAfter, promptly)
	for route, want := range map[string]shift.State{fineRoute: shift.Done, brokenRoute: shift.RolledBack, slowRoute: shift.RolledBack} {
		promise(s.Routes[route] == want, "%s ended %s, expected %s", route, s.Routes[route], want)
	}
	if len(broken) == 0 {
		return nil
	}
	return fmt.Errorf("a promise was broken: %w", errors.Join(broken...))
}
