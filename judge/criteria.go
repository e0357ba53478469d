package judge

import (
	"cmp"

	"yadokari/setting"
)

// Criteria are what a Trial judges by.
type Criteria struct {
	// Tolerance is how much worse than the old side the new one may be.
	Tolerance Tolerance
	// Alpha is the chance that the statistics ever condemn a side that is within the tolerance, above
	// 0 and below 1; 0 stands for 0.001. The breaker is not part of it.
	Alpha float64
	// MinRequests is the least number of requests on the new side (with Mirror: of compared ones) for a pass.
	MinRequests uint64
	// Breaker is the run of failed first attempts on the new side that fails the trial at once; 0: none.
	Breaker uint64
	// Share is the part of the requests that the stage aims to send to the new side; 0 if not known.
	// It only helps in the first moments: what a Trial sees soon outweighs it.
	Share setting.Share
	// Reference is what the old side did in earlier stages. With it, the new side is judged against
	// these figures instead of the old side's part of the windows: for the stage in which the old side
	// has no traffic left. The two are then not of the same time, and the verdict says so; latency, which
	// follows the hour's load, is not judged.
	Reference *Tally
	// Mirror says that only copies of requests reach the new side, and that responses are compared.
	Mirror bool
	// Old and New are what the verdict calls the two sides; "old side" and "new side" if empty.
	Old, New string
}

// The parts of alpha. What decides slowly by nature gets little: an e-value must grow ten times as
// large for it, which costs a latency band or a rate of differences few requests.
const (
	latencyPart    = 0.1 // all judged quantiles together
	differencePart = 0.1 // with Mirror
	referencePart  = 0.1 // of the errors' part, for the bound on the reference's rate
)

func (c Criteria) withDefaults() Criteria {
	if !(c.Alpha > 0 && c.Alpha < 1) {
		c.Alpha = 0.001
	}
	c.Old = cmp.Or(c.Old, "old side")
	c.New = cmp.Or(c.New, "new side")
	return c
}

// judged is a quantile with its tolerance.
type judged struct {
	name      string
	quantile  float64
	tolerance float64
}

// quantiles are those that the tolerance names.
func (c *Criteria) quantiles() []judged {
	var list []judged
	add := func(name string, q float64, s *setting.Share) {
		if s != nil {
			list = append(list, judged{name, q, rate(float64(*s))})
		}
	}
	add("p50", 0.50, c.Tolerance.P50)
	add("p95", 0.95, c.Tolerance.P95)
	add("p99", 0.99, c.Tolerance.P99)
	return list
}
