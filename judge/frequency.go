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
// The moments are looks.
//
// What lasts no longer than slowFor must not decide. Blocks of that length are dealt out to six sets by turns, so
// that such a time falls into two that follow each other. They are left out, any two such, and the least e-value counts.
//
// Sources: A. Wald, "Sequential Tests of Statistical Hypotheses", Ann. Math. Statist. 16 (1945): the likelihood ratio;
// R. A. Fisher and the others named at experiment: placement by lot as the only assumption.
type frequencyTest struct {
	limit     *limit
	threshold float64

	answers, beyond [2]uint64 // on the old side, on the new one
	looks           looks     // at answers on both sides together
	value           float64   // at the last one, less its price
}

const (
	sets         = 6 // of blocks of time
	mostLimits   = 9 // limits: four latencies with two each, and the size
	mostAnswers  = 200
	firstAnswers = 400    // on both sides together before the first look,
	nextAnswers  = 1.4    // times as many for the next,
	soonAnswers  = 20_000 // or so many more,
	leastAnswers = 1.1    // but so many times as many
	boundedBy    = 3      // the logarithm of L
)

// ratios are the bets of a frequencyTest: how many times as often an answer is beyond the limit, and the power that
// is taken of the likelihood ratio.
var ratios = [...]struct{ times, power float64 }{{1.4, 1}, {1.4, 0.3}, {2.5, 1}, {2.5, 0.3}}

// waits are a user's: for each limit and each set how many answers, and how many of them beyond.
type waits struct {
	new  bool
	done bool // he has met a failure: what he sees from then on depends on his side
	of   [mostLimits][sets]struct{ n, k uint8 }
}

// A frequency judges all limits of a stage by frequencyTests, from some moment on.
type frequency struct {
	tests []frequencyTest
	share float64
	users sample[*waits]
	usual census // of the answers since
	block time.Duration
	since time.Duration // the present block began
	set   int
	turn  int // the test whose turn it is to look
}

func newFrequency(c *Criteria, alpha float64) *frequency {
	limits := c.limits()
	f := &frequency{share: float64(c.Share), users: newSample[*waits](marked), usual: newCensus(met), block: c.Tolerance.SlowFor}
	for _, l := range limits {
		f.tests = append(f.tests, frequencyTest{limit: l, threshold: float64(len(limits)) / alpha, value: 1})
	}
	return f
}

// add takes the events of a window.
func (f *frequency) add(w *Window) {
	for i := range f.tests {
		f.tests[i].limit.settle(&f.usual)
	}
	for i := range w.Events {
		e := &w.Events[i]
		f.usual.add(e)
		if !e.Ahead && f.users.holds(e.User) {
			f.event(e)
		}
	}
	if f.since += w.Span; w.Span == 0 || f.since >= f.block {
		f.since, f.set = 0, (f.set+1)%sets
	}
	f.look()
}

func (f *frequency) event(e *Event) {
	u := f.users.users[e.User]
	if u == nil {
		u = &waits{new: e.New}
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
		of := &u.of[i][f.set]
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
	all := float64(t.answers[0] + t.answers[1])
	growth := nextAnswers
	if all >= t.looks.at+soonAnswers {
		growth = leastAnswers
	}
	return t.looks.due(all, firstAnswers, growth)
}

// look looks by the next test for which it is time: one in a window, since all users are gone through.
func (f *frequency) look() {
	for range f.tests {
		at := f.turn
		f.turn = (f.turn + 1) % len(f.tests)
		if t := &f.tests[at]; t.due() {
			price := t.looks.take(float64(t.answers[0] + t.answers[1]))
			least, most := f.usual.shares(f.share)
			t.value = f.outweighs(at, newBets(t.limit.usually(), least, most)) / price
			return
		}
	}
}

// outweighs is the e-value of a test by all its users: the least of those without one set and the next.
func (f *frequency) outweighs(test int, bets *bets) float64 {
	var logs [sets][len(ratios)]float64
	for _, u := range f.users.users {
		of := &u.of[test]
		var all, beyond int
		for _, one := range of {
			all += int(one.n)
			beyond += int(one.k)
		}
		if all == 0 {
			continue
		}
		for left := range sets {
			next := (left + 1) % sets
			n, k := all-int(of[left].n)-int(of[next].n), beyond-int(of[left].k)-int(of[next].k)
			if n > 0 {
				bets.on(n, k).add(&logs[left], u.new)
			}
		}
	}
	least := ceiling
	for left := range sets {
		least = math.Min(least, mixed(&logs[left]))
	}
	return least
}

// mixed is the wealth of all bets together, each begun with an equal part.
func mixed(logs *[len(ratios)]float64) float64 {
	sum := 0.0
	for _, l := range logs {
		sum += math.Exp(math.Min(l, 600)) / float64(len(ratios))
	}
	return sum
}
