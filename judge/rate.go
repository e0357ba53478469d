package judge

import "math"

// rateBounds enclose the rate behind k of n at every moment at once, with a chance of at least
// 1-alpha: the rates against which the likelihood ratio, averaged over Jeffreys' prior, has not reached
// 1/alpha (Robbins 1970, Ville). The trials are taken as independent.
func rateBounds(k, n, alpha float64) (low, high float64) {
	if n == 0 {
		return 0, 1
	}
	k = math.Min(k, n)
	limit := lnBeta(k+0.5, n-k+0.5) - lnBeta(0.5, 0.5) + math.Log(alpha)
	possible := func(p float64) bool { return lnPower(p, k)+lnPower(1-p, n-k) > limit }
	rate := k / n
	if k > 0 {
		low = edge(0, rate, possible)
	}
	high = 1
	if k < n {
		high = edge(1, rate, possible)
	}
	return low, high
}

// edge halves its way from the impossible rate out to the possible rate in; it ends outside.
func edge(out, in float64, possible func(float64) bool) float64 {
	for range 50 {
		if middle := (out + in) / 2; possible(middle) {
			in = middle
		} else {
			out = middle
		}
	}
	return out
}

// lnPower is ln(p^k), with 0^0 = 1.
func lnPower(p, k float64) float64 {
	if k == 0 {
		return 0
	}
	return k * math.Log(p)
}

func lnBeta(a, b float64) float64 {
	la, _ := math.Lgamma(a)
	lb, _ := math.Lgamma(b)
	lab, _ := math.Lgamma(a + b)
	return la + lb - lab
}
