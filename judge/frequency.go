package judge

import (
	"math"
	"time"
)

// A frequencyTest bets on the side of each user by how often answers to him are beyond a limit. An experiment takes
// the first such answer, which most users have met in an hour on any side; here one in twelve is told from
// one in twenty.
//
// At any one moment each user has a pair (n, k): so many answers, so many of them beyond. Under "no worse than
// tolerated" it is the same whatever side he is on, or k is smaller on the new one, and he is there with exactly the
// share as the chance. If L(n, k) rises with k, then the factor L/(1-s+sL) for who is on the new side and
// 1/(1-s+sL) for who is not is expected to be at most 1, and so is the product over users, whatever their answers have
// to do with each other. L is the likelihood ratio of a binomial rate that is some times as high, to a power, since
// answers to one user are alike, and bounded, so that no user is more than a few others.
//
// As in a countTest the moments are chosen without regard to the sides, and the n-th costs a factor n(n+1): what a
// user will meet is known once his side is.
//
// What lasts no longer than slowFor must not decide. Blocks of that length are dealt out to six sets by turns, so
// that such a time falls into two that follow each other. They are left out, any two such, and the least e-value counts.
//
// Sources: A. Wald, "Sequential Tests of Statistical Hypotheses", Ann. Math. Statist. 16 (1945): the likelihood ratio;
// R. A. Fisher and the others named at experiment: placement by lot as the only assumption.
type frequencyTest struct {
	limit     *limit
	at        int // the place of its figures in a user's frequencies
	threshold float64

	answers, beyond [2]uint64 // on the old side, on the new one
	looked          uint64    // answers on both sides at the last look
	looks           int
	value           float64 // at the last look, less its price
}

const (
	sets         = 6 // of blocks of time
	mostLimits   = 9 // limits: four latencies with two each, and the size
	mostAnswers  = 200
	firstAnswers = 400    // on both sides together before the first look,
	nextAnswers  = 1.4    // times as many for the next,
	soonAnswers  = 20_000 // or so many more
	boundedBy    = 3      // the logarithm of L
)

// ratios are the bets of a frequencyTest: how many times as often an answer is beyond the limit, and the power that
// is taken of the likelihood ratio.
var ratios = [...]struct{ times, power float64 }{{1.4, 1}, {1.4, 0.3}, {2.5, 1}, {2.5, 0.3}}

// frequencies of one user: for each limit and each set how many answers, and how many of them beyond.
type frequencies struct {
	new  bool
	done bool // he has met a failure: what he sees from then on depends on his side
	of   [mostLimits][sets]struct{ n, k uint8 }
}

// A frequency judges all limits of a stage by frequencyTests.
type frequency struct {
	tests []frequencyTest
	share float64
	users sample[*frequencies]
	block time.Duration
	since time.Duration // the present block began
	set   int
}

func newFrequency(c *Criteria, alpha float64) *frequency {
	limits := c.limits()
	f := &frequency{share: float64(c.Share), users: newSample[*frequencies](marked), block: c.Tolerance.SlowFor}
	for i, l := range limits {
		f.tests = append(f.tests, frequencyTest{limit: l, at: i, threshold: float64(len(limits)) / alpha, value: 1})
	}
	return f
}

// add takes the events of a window. most is the chance with which a user seen is on the new side where that is above the
// share.
func (f *frequency) add(w *Window, usual *census, most float64) {
	for i := range f.tests {
		f.tests[i].limit.settle(usual)
	}
	for i := range w.Events {
		if e := &w.Events[i]; !e.Ahead && f.users.holds(e.User) {
			f.event(e)
		}
	}
	if f.since += w.Span; w.Span == 0 || f.since >= f.block {
		f.since, f.set = 0, (f.set+1)%sets
	}
	for i := range f.tests {
		if t := &f.tests[i]; t.due() {
			f.look(t, most)
		}
	}
}

func (f *frequency) event(e *Event) {
	u := f.users.users[e.User]
	if u == nil {
		u = &frequencies{new: e.New}
		f.users.put(e.User, u)
	}
	if u.done {
		return
	}
	if e.Failed {
		u.done = true
		return
	}
	side := 0
	if e.New {
		side = 1
	}
	for i := range f.tests {
		t := &f.tests[i]
		value := t.limit.value(&e.Answer)
		if t.limit.old < 0 || value < 0 {
			continue
		}
		of := &u.of[t.at][f.set]
		of.n++
		t.answers[side]++
		if t.limit.beyond(value, e.New) {
			of.k++
			t.beyond[side]++
		}
		if of.n == mostAnswers { // what was long ago counts less and less
			of.n /= 2
			of.k /= 2
		}
	}
}

// due reports whether it is time to look, which does not depend on who is where.
func (t *frequencyTest) due() bool {
	all := t.answers[0] + t.answers[1]
	return all >= firstAnswers && (float64(all) >= nextAnswers*float64(t.looked) || all-t.looked >= soonAnswers)
}

func (f *frequency) look(t *frequencyTest, most float64) {
	t.looked = t.answers[0] + t.answers[1]
	t.looks++
	bets := newBets(t.limit.usually(), f.share, most)
	least := math.Inf(1)
	for left := range sets {
		least = math.Min(least, f.outweighs(t, left, bets))
	}
	t.value = least / float64(t.looks*(t.looks+1))
}

// without is how many answers there were to a user, and how many beyond the limit, but for a set and the next.
func (u *frequencies) without(at, set int) (n, k int) {
	for i, of := range u.of[at] {
		if i != set && i != (set+1)%sets {
			n += int(of.n)
			k += int(of.k)
		}
	}
	return n, k
}

// outweighs is the e-value without a set and the next.
func (f *frequency) outweighs(t *frequencyTest, set int, bets *bets) float64 {
	var logs [len(ratios)]float64
	for _, u := range f.users.users {
		n, k := u.without(t.at, set)
		if n == 0 {
			continue
		}
		factors := bets.on(n, k)
		for i := range ratios {
			if u.new {
				logs[i] += factors[i].new
			} else {
				logs[i] += factors[i].old
			}
		}
	}
	sum := 0.0
	for _, l := range logs {
		sum += math.Exp(math.Min(l, 600)) / float64(len(ratios))
	}
	return math.Min(sum, ceiling)
}
