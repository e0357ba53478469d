package judge

import "math"

// A wager is a bet against the hypothesis that the new side is as good: wealth that starts at 1 and,
// as long as the hypothesis holds, is at no time expected to exceed 1 (an e-process). By Ville's
// inequality it ever reaches 1/alpha with a chance of at most alpha, however often one looks.
//
// The bet is on the side on which something happens that could have happened on either: a user meets his
// first failure, one of two answers to the same request is bad. Under the hypothesis that is the new side
// with a known chance, share; where it is theta times as likely there, the odds are theta times as
// high. So an event of the new side multiplies the wealth by up = theta/(1+share*(theta-1)), one of
// the old side by down = 1/(1+share*(theta-1)); expected under the hypothesis: 1. Wealth is spread over
// many theta. Against a known rate the share is 0: every event is the new side's, and what the rate
// grants is charged for.
//
// A tolerance of t lets the new side have, besides, up to t events of its own for each opportunity. Each
// multiplies the wealth by up, so they raise it by at most exp(t*(up-1)) an opportunity in expectation,
// and that is charged.
//
// Wealth may be kept back as cash, which enters the bet little by little, so that a side that breaks after a long
// good time is not shielded by the wealth it has cost; this is a mixture over the moment of the change.
//
// What may have a single cause within a short time (a deployment, a hanging database) must not decide
// alone: growth within one block of time can be capped, which can only lower the wealth. What was cut off is not
// forgotten: where the same goes on in a later block, lift lets the stakes grow to what they would be.
//
// Sources: Robbins, "Statistical methods related to the law of the iterated logarithm", Ann. Math.
// Statist. 41 (1970); Turner, Ly, Grünwald, "Generic E-variables for exact sequential k-sample tests",
// J. Stat. Plan. Inference 230 (2024); Ramdas, Grünwald, Vovk, Shafer, "Game-theoretic statistics and
// safe anytime-valid inference", Stat. Sci. 38 (2023); Shin, Ramdas, Rinaldo, "E-detectors", 2023.
type wager struct {
	odds     *[5]odd
	up, down [5]float64
	stakes   [5]float64
	uncut    [5]float64 // what the stakes would be without a cap
	most     [5]float64 // of each stake within the present block
	growth   float64    // by which a stake may grow within a block; 0: without a bound
	granted  float64    // the tolerance: events of its own for each opportunity
	waiting  float64    // opportunities that are not charged yet
	chances  float64    // opportunities that are
	held     float64    // the part of the wealth that was kept back
	cash     float64    // what of it has not entered the bet
}

// An odd is a theta that is bet on with a part of the wealth.
type odd struct{ theta, part float64 }

// sides are the odds in bets on the side of an event. The parts are chosen for what matters most: a
// side that fails always or often must be caught with the third user at a share of 5 %.
var sides = [5]odd{{1.5, 0.05}, {3.5, 0.10}, {10.5, 0.15}, {42, 0.30}, {500, 0.40}}

// slower are the odds in bets on the side of a slow answer: half as slow again is worth knowing.
var slower = [5]odd{{1.3, 0.15}, {1.8, 0.35}, {2.8, 0.25}, {6, 0.15}, {40, 0.1}}

// halves are the odds in bets on one of two answers, which no theta makes worth more than 2.
var halves = [5]odd{{1.5, 0.1}, {2.5, 0.2}, {5, 0.3}, {15, 0.3}, {200, 0.1}}

// multiples are the odds in bets against a known rate: how many times as high the true one may be.
var multiples = [5]odd{{1.3, 0.1}, {2, 0.25}, {4, 0.3}, {12, 0.25}, {60, 0.1}}

const (
	back    = 0.05 // the part of the wealth that is kept back, where some is
	pace    = 64   // after so many opportunities half of that has entered
	ceiling = 1e300
)

// newWager puts up the wealth of 1, of which the part held is kept back.
func newWager(odds *[5]odd, share, granted, held float64) wager {
	g := wager{odds: odds, granted: granted, held: held, cash: held}
	for i, o := range odds {
		g.stakes[i] = (1 - held) * o.part
		g.uncut[i], g.most[i] = g.stakes[i], ceiling
	}
	g.draw(share)
	return g
}

// draw sets the chance with which an event that both sides could have had is the new side's, for the events
// to come. A higher one than the true one can only lower the wealth.
func (g *wager) draw(share float64) {
	g.charge()
	for i, o := range g.odds {
		base := 1 + share*(o.theta-1)
		g.up[i], g.down[i] = o.theta/base, 1/base
	}
}

// kept is the cash that has not entered the bet after n opportunities.
func (g *wager) kept(n float64) float64 { return g.held / (1 + math.Log2(1+n/pace)) }

// event takes one event of the new side or of the old one.
func (g *wager) event(new bool) {
	g.charge()
	factors := &g.down
	if new {
		factors = &g.up
	}
	for i := range g.stakes {
		g.uncut[i] = math.Min(g.uncut[i]*factors[i], ceiling)
		g.stakes[i] = math.Min(g.stakes[i]*factors[i], g.most[i])
	}
}

// lift lets the stakes grow to what they would be without a cap, as far as the present block allows.
func (g *wager) lift() {
	g.charge()
	for i := range g.stakes {
		g.stakes[i] = math.Min(g.uncut[i], g.most[i])
	}
}

// pass lets n opportunities of the new side go by.
func (g *wager) pass(n float64) { g.waiting += n }

// charge takes what the opportunities that went by may have brought. Only an event can raise the wealth, so
// that is time enough.
func (g *wager) charge() {
	if g.waiting == 0 {
		return
	}
	g.chances += g.waiting
	before := g.cash
	g.cash = g.kept(g.chances)
	entering := before - g.cash
	for i, o := range g.odds {
		if g.granted > 0 && g.up[i] > 1 {
			charged := math.Exp(-g.granted * g.waiting * (g.up[i] - 1))
			g.stakes[i] *= charged
			g.uncut[i] *= charged
		}
		g.stakes[i] += o.part * entering
		g.uncut[i] += o.part * entering
	}
	g.waiting = 0
}

// begin begins a block of time within which no stake may grow by more than growth.
func (g *wager) begin() {
	if g.growth == 0 {
		return
	}
	for i, s := range g.stakes {
		g.most[i] = math.Max(s, g.odds[i].part*1e-3) * g.growth
	}
}

// value is the e-value: how many times over the data outweigh "as good".
func (g *wager) value() float64 {
	g.charge()
	sum := g.cash
	for _, s := range g.stakes {
		sum += s
	}
	return math.Min(sum, ceiling)
}
