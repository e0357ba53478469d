package shift

import (
	"encoding/json"

	"yadokari/judge"
)

// Verdicts as they are shown; empty when a route is not judged.
const (
	Pass             = "pass"
	Fail             = "fail"
	NotEnoughTraffic = "not enough traffic"
)

// finding is a verdict in the form that is shown, sent and written to the ledger.
type finding struct {
	verdict  string
	reason   string
	evidence any // ready for JSON; written only when somebody wants it
}

func (f finding) json() json.RawMessage {
	if f.evidence == nil {
		return nil
	}
	text, err := json.Marshal(f.evidence)
	if err != nil { // judge's evidence is plain numbers; should one be no JSON, the decision still stands
		text, _ = json.Marshal(map[string]string{"error": err.Error()})
	}
	return text
}

// trial judges one stage.
type trial interface {
	// add takes a window and reports whether the trial has failed.
	add(*judge.Window) bool
	finding() finding
}

// newTrial begins to judge a stage of a route. reference is what the old side did before the 100%
// stage; nil: nothing is known of it.
type newTrial func(c RouteConfig, stage Stage, reference *judge.Tally) trial

type judgeTrial struct{ *judge.Trial }

func judgeStage(c RouteConfig, stage Stage, reference *judge.Tally) trial {
	var counts []judge.Count
	for i := range c.Config.Signals {
		counts = append(counts, c.Config.Signals[i].count())
	}
	return judgeTrial{judge.NewTrial(judge.Criteria{
		Tolerance: c.Config.Tolerate, Alpha: float64(c.Config.Alpha),
		MinRequests: uint64(c.Config.MinRequests), Breaker: uint64(c.Config.Breaker),
		Share: stage.Share, Reference: reference, Counts: counts, Mirror: stage.Mirror, Old: c.From, New: c.To,
	})}
}

func (t judgeTrial) add(w *judge.Window) bool { return t.Add(w) }

func (t judgeTrial) finding() finding {
	v := t.Verdict()
	return finding{verdict: v.Outcome.String(), reason: v.Reason, evidence: v.Evidence}
}
