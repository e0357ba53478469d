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

// looks is after how many ticks one looks whether a verdict has been found: it costs more than a tick, and
// a Trial that has failed takes nothing more.
const looks = 16

// Run has one stage judged, by each of several alphas; the scenario's own for 0. Its traffic is the same
// for all of them.
func (t *Traffic) Run(seed uint64, alphas ...float64) []Stage {
	t.Begin(seed)
	trials, stages := make([]*judge.Trial, len(alphas)), make([]Stage, len(alphas))
	for i, alpha := range alphas {
		c := t.Criteria()
		if alpha > 0 {
			c.Alpha = alpha
		}
		trials[i] = judge.NewTrial(c)
	}
	var w judge.Window
	open := len(trials)
	for tick := 1; open > 0; tick++ {
		more := t.Next(&w)
		for i, trial := range trials {
			if trial == nil {
				continue
			}
			if more {
				trial.Add(&w)
			}
			if more && tick%looks != 0 {
				continue
			}
			if ended(trial, &stages[i]) || !more {
				stages[i].After = time.Duration(t.end)
				trials[i] = nil
				open--
			}
		}
	}
	return stages
}

// ended notes what the trial says, and reports whether it has failed.
func ended(trial *judge.Trial, s *Stage) bool {
	v := trial.Verdict()
	s.Users, s.Requests = v.Evidence.New.Users, v.Evidence.New.Requests
	if v.Outcome != judge.Fail {
		return false
	}
	s.Signal, s.Reason = v.Evidence.Decided, v.Reason
	return true
}

// Allowed is how many of so many stages chance may condemn at the level alpha: the mean and three standard
// deviations.
func Allowed(stages int, alpha float64) int {
	mean := float64(stages) * alpha
	return int(mean + 3*math.Sqrt(mean*(1-alpha)))
}
