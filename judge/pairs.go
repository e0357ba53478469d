package judge

import (
	"math"
	"time"
)

// pairTest compares what both sides did with the same request. If it is the same program, a pair of which one
// answer is bad is as likely to have the bad one on either side, whatever the request, its user and the
// state of what both sides share; so this is a coin, thrown anew by each such pair (McNemar, "Note on the
// sampling error of the difference between correlated proportions", Psychometrika 12, 1947), and the
// wager is on that. It needs no number of users: one customer's requests will do.
//
// The two are asked one after the other, and an outage that begins or ends in between strikes one of
// them for many requests at once. So no block of time may decide alone. And since it is always the new side
// that is asked first where users are moved, an outage shorter than the time that a request takes to fail strikes
// the new side alone. In those stages a pair speaks against it only when nothing fails on the old side for some seconds before and one after.
type pairTest struct {
	wager
	name      string
	words     string
	threshold float64
	limit     *limit        // of a latency; nil: failures
	block     time.Duration // what one cause may take to pass
	inside    time.Duration // of the present block, how much has passed
	calm      time.Duration // since something failed on the old side
	suspect   int           // pairs against the new side that wait to be believed
	waited    time.Duration // and for how long the latest has
	of        uint64        // pairs compared
	old, new  uint64        // pairs of which this side's answer alone was bad
}

const (
	pairBlock  = time.Second
	pairBlocks = 5 // of which no one alone may decide
	pairCalm   = 3 * time.Second
)

func newPairTest(threshold, tolerated float64) *pairTest {
	t := &pairTest{wager: newWager(&halves, 0.5, tolerated, back), name: signalPairs, words: "failed", threshold: threshold, block: pairBlock, calm: pairCalm}
	t.growth = math.Pow(threshold, 1.0/pairBlocks)
	t.begin()
	return t
}

// newPairLatencyTest compares how long the two answers took.
func newPairLatencyTest(threshold float64, l *limit, slowFor time.Duration) *pairTest {
	t := &pairTest{wager: newWager(&halves, 0.5, 0, back), name: l.name, words: "was slow", threshold: threshold, limit: l, block: slowFor / (blocks - 2)}
	if t.block > 0 {
		t.growth = math.Pow(threshold, 1.0/blocks)
		t.begin()
	}
	return t
}

func (t *pairTest) add(p *Pair) {
	old, new := p.Old.Failed, p.New.Failed
	if t.limit != nil {
		if old || new {
			return
		}
		old = t.limit.beyond(t.limit.value(&p.Old), false)
		new = t.limit.beyond(t.limit.value(&p.New), true)
	}
	t.of++
	t.pass(1)
	if old == new {
		return
	}
	switch {
	case old:
		t.old++
		t.event(false)
		t.trouble()
	case t.limit != nil || p.Copied:
		t.new++
		t.event(true)
	case t.calm >= pairCalm:
		t.new++
		t.suspect++
		t.waited = 0
	}
}

// trouble notes that something has failed on the old side.
func (t *pairTest) trouble() { t.calm, t.suspect = 0, 0 }

// tick lets time pass.
func (t *pairTest) tick(span time.Duration) {
	if span == 0 {
		span = pairCalm
	}
	t.calm += span
	if t.waited += span; t.waited >= pairBlock {
		for ; t.suspect > 0; t.suspect-- {
			t.event(true)
		}
	}
	if t.inside += span; t.inside >= t.block {
		t.inside = 0
		t.begin()
	}
}
