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
// them for many requests at once. So no block of time may decide alone.
type pairTest struct {
	wager
	name      string
	words     string
	threshold float64
	limit     *limit        // of a latency; nil: failures
	block     time.Duration // what one cause may take to pass
	inside    time.Duration // of the present block, how much has passed
	of        uint64        // pairs compared
	old, new  uint64        // pairs of which this side's answer alone was bad
}

const (
	pairBlock  = time.Second
	pairBlocks = 5 // of which no one alone may decide
)

func newPairTest(threshold, tolerated float64) *pairTest {
	t := &pairTest{wager: newWager(&halves, 0.5, tolerated), name: signalPairs, words: "failed", threshold: threshold, block: pairBlock}
	t.growth = math.Pow(threshold, 1.0/pairBlocks)
	t.begin()
	return t
}

// newPairLatencyTest compares how long the two answers took.
func newPairLatencyTest(threshold float64, l *limit, slowFor time.Duration) *pairTest {
	t := &pairTest{wager: newWager(&halves, 0.5, 0), name: l.name, words: "was slow", threshold: threshold, limit: l, block: slowFor / blocks}
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
	t.event(new)
	if new {
		t.new++
	} else {
		t.old++
	}
}

// tick lets time pass.
func (t *pairTest) tick(span time.Duration) {
	if t.inside += span; span == 0 || t.inside >= t.block {
		t.inside = 0
		t.begin()
	}
}
