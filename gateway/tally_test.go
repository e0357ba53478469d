package gateway

import (
	"testing"

	"yadokari/judge"
)

// A collector that comes between the two counts of a failed request must not make a success of it.
func TestFailureIsNotLostBetweenItsTwoCounts(t *testing.T) {
	var side tally
	var all judge.Tally
	side.failures.Add(1) // as add does first
	side.collect(&all)
	side.requests.Add(1)
	side.collect(&all)
	if all.Requests != 1 || all.Failures != 1 {
		t.Errorf("%d requests with %d failures, of one that failed", all.Requests, all.Failures)
	}
}
