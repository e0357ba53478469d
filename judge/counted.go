package judge

import (
	"fmt"
	"math"

	"yadokari/setting"
)

// A Count is something that others count for both sides (orders, logins, errors in browsers) and that the
// new side's users should have as often as the old side's.
type Count struct {
	// Name is what is counted, as in "orders".
	Name string
	// Fewer says that fewer are worse; else more are.
	Fewer bool
	// Tolerance is how much fewer, or more, a user of the new side may have and still pass.
	Tolerance setting.Growth
	// PerUser is the most that one user is expected to have in a stage, 1 or more.
	PerUser int
}

// signal is how the count is named among signals.
func (c *Count) signal() string { return "signals." + c.Name }

// Counted is what of a Count has come together since the stage began.
type Counted struct {
	Name     string
	Old, New float64
	// Problem says why there are no figures; then the others mean nothing.
	Problem string
}

const (
	countsPart = 0.1 // of alpha for all counts together, where there are some; then the other signals share the rest
	firstLook  = 20  // counts on both sides together before the first look
	nextLook   = 1.5 // by how much they grow until the next one
)

// countTest bets on the side of what was counted. Under the hypothesis a user is on the new side with exactly
// the share as the chance, and so is what is counted of him. One user's counts are all on one side: a
// bet on every one of them would take one user for many. Each count is therefore worth a PerUser-th of a bet. The
// product over one user's is then the bet on him to a power of at most 1, which is expected to be at most 1 by
// Jensen's inequality.
//
// That holds at any one moment: see looks.
type countTest struct {
	Count
	chance    float64 // that what is counted is of the kind that speaks against the new side
	threshold float64

	wanted float64 // on both sides together, to see that the new side has none at all; 0: more are worse

	old, new float64
	looks    looks   // at what is counted on both sides together
	value    float64 // at the last one, less its price
	asked    bool
	problem  string
}

func newCountTest(c Count, share, threshold float64) *countTest {
	t := &countTest{Count: c, threshold: threshold, value: 1}
	t.PerUser = max(t.PerUser, 1)
	if c.Fewer {
		t.chance = (1 - share) / (1 - share + share*math.Max(1-float64(c.Tolerance), 0))
		t.wanted = t.toSee()
	} else {
		t.chance = share * (1 + float64(c.Tolerance)) / (share*(1+float64(c.Tolerance)) + 1 - share)
	}
	return t
}

// toSee is how many the old side must have for it to be seen that the new side has none.
func (t *countTest) toSee() float64 {
	var l looks
	for all := float64(firstLook); ; all *= nextLook {
		if all > 1e9 || t.outweighs(all, 0)/l.take(all) >= t.threshold {
			return math.Ceil(all)
		}
	}
}

// take reads the figures as they are now. They need not be whole numbers, and may be corrected downwards.
func (t *countTest) take(c *Counted) {
	t.asked, t.problem = true, c.Problem
	if t.problem != "" {
		return
	}
	if !counts(c.Old) || !counts(c.New) {
		t.problem = fmt.Sprintf("%g and %g are no counts", c.Old, c.New)
		return
	}
	t.old, t.new = c.Old, c.New
	if all := t.old + t.new; t.looks.due(all, firstLook, nextLook) {
		t.value = t.outweighs(t.old, t.new) / t.looks.take(all)
	}
}

func counts(x float64) bool { return x >= 0 && !math.IsInf(x, 0) }

// outweighs is the e-value of figures at a moment that was fixed beforehand.
func (t *countTest) outweighs(old, new float64) float64 {
	against, other := new/float64(t.PerUser), old/float64(t.PerUser)
	if t.Fewer {
		against, other = other, against
	}
	sum := 0.0
	for _, o := range slower {
		base := 1 + t.chance*(o.theta-1)
		sum += o.part * math.Exp(against*math.Log(o.theta/base)-other*math.Log(base))
	}
	return math.Min(sum, ceiling)
}

func (t *Trial) countSignal(c *countTest) Signal {
	s := Signal{Name: c.signal(), Unit: Counts, Old: uint64(math.Round(c.old)), New: uint64(math.Round(c.new)),
		EValue: c.value, Threshold: c.threshold, Tolerance: float64(c.Tolerance)}
	s.Part = part(s.EValue, s.Threshold)
	direction := "more"
	if c.Fewer {
		direction = "fewer"
	}
	s.Text = fmt.Sprintf("%s %s on %s and %s on %s, which has %s of the users (%s %s tolerated)", thousands(s.New), c.Name, t.criteria.New,
		thousands(s.Old), t.criteria.Old, percent(1-float64(t.criteria.Share)), percent(s.Tolerance), direction)
	return s
}

// uncounted are the counts of which too little is known for a pass.
func (t *Trial) uncounted() []Need {
	var list []Need
	for _, c := range t.counts {
		name := c.signal()
		switch {
		case !c.asked:
			list = append(list, Need{What: c.Name, Text: name + " is not known yet"})
		case c.problem != "":
			list = append(list, Need{What: c.Name, Text: name + " is not known: " + c.problem})
		case c.old+c.new < c.wanted:
			have, want := uint64(c.old+c.new), uint64(c.wanted)
			list = append(list, Need{What: c.Name, Have: have, Want: want, Counted: true,
				Text: fmt.Sprintf("%s of about %s %s needed to see whether some are missing", thousands(have), thousands(want), c.Name)})
		}
	}
	return list
}
