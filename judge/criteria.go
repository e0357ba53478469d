package judge

import (
	"cmp"
	"math"

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
	// Share is the chance with which a user's key places him on the new side: the stage's share, exactly. At
	// 1 no user is left to compare with; see Reference.
	Share setting.Share
	// Reference is what the old side did in earlier stages. With it, the new side's failures are judged
	// against these figures: for the stage in which the old side has no users left. Failures that the old
	// side had as well, when it was asked, are left out. The two are not of the same time, and
	// the verdict says so; latency, which follows the hour's load, is not judged.
	Reference *Tally
	// Counts are judged besides, in stages with users on both sides.
	Counts []Count
	// Mirror says that only copies of requests reach the new side: pairs are judged, and nothing else.
	Mirror bool
	// Old and New are what the verdict calls the two sides; "old side" and "new side" if empty.
	Old, New string
}

func (c Criteria) withDefaults() Criteria {
	if !(c.Alpha > 0 && c.Alpha < 1) {
		c.Alpha = 0.001
	}
	c.Old = cmp.Or(c.Old, "old side")
	c.New = cmp.Or(c.New, "new side")
	return c
}

// alone reports whether the old side has no users to compare with.
func (c *Criteria) alone() bool { return !c.Mirror && c.Share >= 1 }

// split reports whether users are on both sides, by lot.
func (c *Criteria) split() bool { return !c.Mirror && c.Share > 0 && c.Share < 1 }

// rate brings what should be a rate between 0 and 1.
func rate(x float64) float64 {
	if !(x > 0) {
		return 0
	}
	return math.Min(x, 1)
}
