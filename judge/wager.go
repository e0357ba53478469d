package judge

import "math"

// burst is how many failures on one side within one window may have a single cause (one user's page
// with everything on it, loaded again and again): up to that many count as one.
const burst = 20

// A wager is a bet against the hypothesis that the new side is as good: wealth that starts at 1 and,
// as long as the hypothesis holds, is at no time expected to exceed 1 (an e-process). By Ville's
// inequality it ever reaches 1/alpha with a chance of at most alpha, however often one looks.
//
// The bet is on the side a failure comes from. If both sides fail at the same rate, whatever that
// rate does over time, a failure is the new side's with the chance share, its share of the requests;
// if the new side's rate is theta times the old one's, the odds are theta times as high. So a failure
// of the new side multiplies the wealth by up = theta/(1+share*(theta-1)), one of the old side by
// 1/(1+share*(theta-1)); expected under "same rate": 1. Wealth is spread over many theta.
//
// An additive tolerance t lets the new side have, besides failures at the old side's rate, up to
// t failures a request of its own. Each of those multiplies the wealth by up, so they raise it by at
// most exp(t*(up-1)) a request in expectation, and that is charged for every request of the new side.
//
// Failures within one window need not be independent. The bet on a window with F failures is raised
// to the power of 1/min(F, burst): up to burst failures are worth what one is, which holds the
// expectation at 1 or below by convexity however they hang together (Jensen), and with more of them
// as long as no single cause is behind more than burst. Failures of different windows are taken as
// independent; bursts that strike both sides need no care, for only the side is bet on.
//
// In a window so large that one of the granted failures is expected anyway, "one or more" says little.
// There every failure counts the burst-th part of one, whatever their number.
//
// Wealth kept back as cash enters the bet little by little, so that a side that breaks after a long
// good time is not shielded by the wealth it has cost; this is a mixture over the moment of the change.
//
// Sources: Robbins, "Statistical methods related to the law of the iterated logarithm", Ann. Math.
// Statist. 41 (1970); Turner, Ly, Grünwald, "Generic E-variables for exact sequential k-sample tests",
// J. Stat. Plan. Inference 230 (2024); Ramdas, Grünwald, Vovk, Shafer, "Game-theoretic statistics and
// safe anytime-valid inference", Stat. Sci. 38 (2023); Shin, Ramdas, Rinaldo, "E-detectors", 2023.
type wager struct {
	odds     *[5]odd
	stakes   [5]float64
	requests float64 // of the new side, so far
	cash     float64 // not yet in the bet
}

// An odd is a theta that is bet on with a part of the wealth.
type odd struct{ theta, part float64 }

// sides are the odds in bets on the side of a failure. The parts are chosen for what matters most: a
// side that fails always or often must be caught within a handful of requests.
var sides = [5]odd{{1.5, 0.01}, {4, 0.03}, {10.5, 0.25}, {42, 0.69}, {500, 0.02}}

// multiples are the odds in bets against a known rate: how many times as high the true one may be.
var multiples = [5]odd{{1.3, 0.1}, {2, 0.25}, {4, 0.3}, {12, 0.25}, {60, 0.1}}

// newWager puts up the wealth of 1.
func newWager(odds *[5]odd) wager {
	g := wager{odds: odds, cash: kept(0)}
	for i, o := range odds {
		g.stakes[i] = atOnce * o.part
	}
	return g
}

const (
	atOnce  = 0.95 // the part of the wealth that is bet from the start
	pace    = 64   // after so many requests half of the rest has entered
	ceiling = 1e300
)

// kept is the cash that has not entered the bet after n requests of the new side.
func kept(n float64) float64 { return (1 - atOnce) / (1 + math.Log2(1+n/pace)) }

// bet takes one window: the failures on both sides, the requests of the new side, its share of the
// requests, and how many failures of its own it is granted a request.
func (g *wager) bet(share, oldFailures, newFailures, requests, tolerance float64) {
	granted := tolerance * requests
	failures := oldFailures + newFailures
	if requests == 0 && failures == 0 {
		return
	}
	g.requests += requests
	before := g.cash
	g.cash = kept(g.requests)
	entering := before - g.cash
	crowded := granted >= 0.5
	power := 1 / math.Min(math.Max(failures, 1), burst)
	if crowded {
		power = 1.0 / burst
	}
	for i, o := range g.odds {
		base := 1 + share*(o.theta-1)
		up := o.theta / base
		log := -charge(granted, up)
		if crowded {
			log = -granted * (up - 1) / burst
		}
		if failures > 0 {
			log += power * (newFailures*math.Log(up) - oldFailures*math.Log(base))
		}
		stake := g.stakes[i] + o.part*entering
		if log != 0 {
			stake *= math.Exp(log)
		}
		g.stakes[i] = math.Min(stake, ceiling)
	}
}

// charge is the logarithm of the most that granted failures (their expected number in the window)
// can multiply the wealth by in expectation. With e of them that is up to the power of e at most, and
// up to the power of max(1, e/burst) if e > 0; the smaller of the two expectations is charged. The
// second uses that the larger of two exponentials is at most their sum less 1, and that there is at
// least one with a chance of at most granted; both hold for up to burst of them with one cause.
func charge(granted, up float64) float64 {
	if granted == 0 || up <= 1 {
		return 0
	}
	single := granted * (up - 1)
	if single < 0.25 {
		return single
	}
	many := single / burst
	// ln(exp(many) + (up-1)*min(granted, 1)) without overflow.
	return math.Min(single, many+math.Log1p((up-1)*math.Min(granted, 1)*math.Exp(-many)))
}

// value is the e-value: how many times over the data outweigh "as good".
func (g *wager) value() float64 {
	sum := g.cash
	for _, s := range g.stakes {
		sum += s
	}
	return math.Min(sum, ceiling)
}
