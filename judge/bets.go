package judge

import "math"

// bets are the factors, as logarithms, by which a user multiplies the wealth. Few numbers of answers are had by many
// users, and logarithms take long.
type bets struct {
	up, down    [len(ratios)]float64 // what an answer beyond the limit, and another, adds to the logarithm of L
	least, most float64              // the chance for a user seen to be on the new side
	known       map[[2]int]*factors
}

// factors of each ratio, for a user of the new side and for one of the old side.
type factors [len(ratios)]struct{ new, old float64 }

// add multiplies wealths, as logarithms, by the factors for a user.
func (f *factors) add(logs *[len(ratios)]float64, new bool) {
	for i := range f {
		if new {
			logs[i] += f[i].new
		} else {
			logs[i] += f[i].old
		}
	}
}

func newBets(usual, least, most float64) *bets {
	b := &bets{least: least, most: most, known: map[[2]int]*factors{}}
	for i, r := range ratios {
		often := math.Min(usual*r.times, (1+usual)/2)
		b.up[i], b.down[i] = r.power*math.Log(often/usual), r.power*math.Log((1-often)/(1-usual))
	}
	return b
}

// on is the bet on a user with so many answers, k of them beyond the limit. Of two chances for him to be on the new
// side the one that lowers the wealth is taken: the higher one if he speaks against it.
func (b *bets) on(n, k int) *factors {
	at := [2]int{n, k}
	if known := b.known[at]; known != nil {
		return known
	}
	var f factors
	for i := range ratios {
		ratio := float64(k)*b.up[i] + float64(n-k)*b.down[i]
		ratio = math.Max(-boundedBy, math.Min(boundedBy, ratio))
		share := b.least
		if ratio > 0 {
			share = b.most
		}
		f[i].old = -math.Log1p(share * math.Expm1(ratio))
		f[i].new = ratio + f[i].old
	}
	b.known[at] = &f
	return &f
}
