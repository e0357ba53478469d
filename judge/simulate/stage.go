package simulate

import (
	"math"
	"time"

	"yadokari/judge"
)

// Stage is how one stage ended.
type Stage struct {
	// Signal is what condemned the new side; empty: nothing did.
	Signal string
	// Reason is the verdict's.
	Reason string
	// Users and Requests are how many the new side had served by then. In a mirror stage Requests are copies.
	Users, Requests uint64
	// After is how long the stage had lasted, to the next look.
	After time.Duration
}

// Run has one stage judged, by each of several alphas; the scenario's own for 0. Its traffic is the same
// for all of them.
func (t *Traffic) Run(seed uint64, alphas ...float64) []Stage {
	trials, stages := make([]*judge.Trial, len(alphas)), make([]Stage, len(alphas))
	c := t.Criteria()
	if c.Share >= 1 && !c.Mirror {
		c.Reference = t.earlier(seed)
	}
	for i, alpha := range alphas {
		if c.Alpha = alpha; alpha == 0 {
			c.Alpha = float64(t.Alpha)
		}
		trials[i] = judge.NewTrial(c)
	}
	t.Begin(seed)
	var w judge.Window
	for open := len(trials); open > 0; {
		more := t.Next(&w)
		for i, trial := range trials {
			if trial != nil && (more && trial.Add(&w) || !more) {
				stages[i] = t.ended(trial)
				trials[i] = nil
				open--
			}
		}
	}
	return stages
}

// earlier is what the old side did in the time before, with what a stage without its users is compared.
func (t *Traffic) earlier(seed uint64) *judge.Tally {
	t.before = true
	defer func() { t.before = false }()
	t.Begin(^seed)
	var w judge.Window
	var all judge.Tally
	for t.Next(&w) {
		all.Merge(&w.Old)
	}
	return &all
}

// ended is what a trial says at the end.
func (t *Traffic) ended(trial *judge.Trial) Stage {
	v := trial.Verdict()
	s := Stage{Users: v.Evidence.New.Users, Requests: v.Evidence.New.Requests, After: time.Duration(t.end)}
	if v.Outcome == judge.Fail {
		s.Signal, s.Reason = v.Evidence.Decided, v.Reason
	}
	return s
}

// Allowed is how many of so many stages chance may condemn at the level alpha: the mean and three standard
// deviations.
func Allowed(stages int, alpha float64) int {
	mean := float64(stages) * alpha
	return int(mean + 3*math.Sqrt(mean*(1-alpha)))
}
