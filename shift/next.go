package shift

import (
	"fmt"
	"time"

	"yadokari/judge"
)

// moment is how a time is written in a sentence: with its offset from UTC, because who reads it may be in
// another zone than this machine.
const moment = "2006-01-02 15:04:05Z07:00"

// next says what will happen next. The caller holds r.mu.
func (c *Controller) next(r *route, now time.Time) string {
	if r.config.Config == nil {
		return fmt.Sprintf("nothing: the route has no shift and stays on %s", r.config.From)
	}
	if c.unloaded() != nil {
		return fmt.Sprintf("nothing: every user stays on %s until the state can be loaded", r.config.From)
	}
	if r.pending != nil {
		return fmt.Sprintf("%s as soon as it is saved", label(r.pending.next))
	}
	switch r.record.State {
	case Idle:
		return fmt.Sprintf("nothing until somebody starts it; the first stage is %s", r.stages[0].Name)
	case RolledBack:
		return fmt.Sprintf("nothing until somebody starts it anew; every user is on %s", r.config.From)
	case Done:
		return r.afterDone()
	case Paused:
		return "nothing until somebody resumes, promotes or rolls back; a failing new side rolls back by itself"
	}
	return r.nextStage(now)
}

func (r *route) afterDone() string {
	if r.config.Config.Breaker == 0 {
		return "nothing: the route is done, and its breaker is off"
	}
	return fmt.Sprintf("nothing: the route is done; %d failures on %s in a row still roll it back", r.config.Config.Breaker, r.config.To)
}

func (r *route) nextStage(now time.Time) string {
	after := "done"
	if stage, more := following(r.stages, r.record.Stage.Share); more {
		after = stage.Name
	}
	blind := r.record.Stage.Share == 1 && readReference(r.record.Reference) == nil
	if count := r.waitsFor(now, blind); count != "" {
		return after + " after " + count
	}
	if hold := r.holdLeft(now); hold > 0 {
		return fmt.Sprintf("%s at %s, in %s, if the verdict is pass", after, now.Add(hold).Format(moment), hold.Round(time.Second))
	}
	switch {
	case r.found.verdict != Pass && blind:
		return "done when a person promotes: nothing is known of the old side to compare with"
	case r.found.verdict != Pass:
		return fmt.Sprintf("%s when the verdict is pass; more requests will tell", after)
	case r.config.Config.Promote == Manual:
		return fmt.Sprintf("%s when a person promotes", after)
	}
	return fmt.Sprintf("%s now", after)
}

// waitsFor is what is missing of all that is counted, and until when; empty when nothing is. On a blind stage
// the old side's part will never come.
func (r *route) waitsFor(now time.Time, blind bool) string {
	rates := r.pace.rates(now)
	if missing := r.missing(); missing > 0 {
		return fmt.Sprintf("%d more requests on %s, %s", missing, r.config.To, r.until(missing, rates.New, now))
	}
	need, rate, more := r.slowest(rates)
	if !more || blind {
		return ""
	}
	missing := need.Want - need.Have
	return fmt.Sprintf("%d more %s, %s, if the verdict is pass", missing, need.What, r.until(missing, rate, now))
}

// slowest is what the verdict will have to wait for the longest, of all that it counts, and the rate at which
// it comes. more is false when there is nothing, or when only time tells.
func (r *route) slowest(rates Rates) (need judge.Need, rate float64, more bool) {
	evidence, _ := r.found.evidence.(judge.Evidence)
	for _, n := range evidence.Missing {
		if n.Have >= n.Want || n.Users || n.Counted { // how fast new users come, or orders, nobody knows
			continue
		}
		comes := rates.New
		if n.Old && !r.record.Stage.Mirror { // there both sides are counted by the copies
			comes = rates.Old
		}
		if !more || float64(n.Want-n.Have)*rate > float64(need.Want-need.Have)*comes {
			need, rate, more = n, comes, true
		}
	}
	return need, rate, more
}

// until says when so many more requests will have come at this rate, and when the stage has been held for
// long enough if that is later.
func (r *route) until(missing uint64, rate float64, now time.Time) string {
	if rate == 0 {
		return "and none came in the last minute"
	}
	left := time.Duration(min(float64(missing)/rate, 1e7) * float64(time.Second))
	form := "which at %.3g a second is %s from now, at %s"
	if hold := r.holdLeft(now); hold > left {
		form, left = "which at %.3g a second will be there before the stage's hold ends, %s from now, at %s", hold
	}
	return fmt.Sprintf(form, rate, left.Round(time.Second), now.Add(left).Format(moment))
}
