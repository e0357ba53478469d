package simulate

import (
	"math"
	"math/rand/v2"
)

// weights draws one of many, each as often as its weight says, in constant time.
//
// Source: A. J. Walker, "An Efficient Method for Generating Discrete Random Variables", ACM TOMS 3 (1977);
// the table is made as M. D. Vose has shown (IEEE Trans. Softw. Eng. 17, 1991).
type weights struct {
	keep  []float64
	other []int32
}

// zipf is n weights, the k-th of them k to the power of -exponent.
func zipf(n int, exponent float64) weights {
	w := make([]float64, n)
	for i := range w {
		w[i] = math.Pow(float64(i+1), -exponent)
	}
	return newWeights(w)
}

func newWeights(weight []float64) weights {
	n := len(weight)
	w := weights{make([]float64, n), make([]int32, n)}
	sum := 0.0
	for _, x := range weight {
		sum += x
	}
	var small, large []int32
	for i, x := range weight {
		w.keep[i], w.other[i] = x*float64(n)/sum, int32(i)
		if w.keep[i] < 1 {
			small = append(small, int32(i))
		} else {
			large = append(large, int32(i))
		}
	}
	for len(small) > 0 && len(large) > 0 {
		s, l := small[len(small)-1], large[len(large)-1]
		small = small[:len(small)-1]
		w.other[s] = l
		if w.keep[l] -= 1 - w.keep[s]; w.keep[l] < 1 {
			large = large[:len(large)-1]
			small = append(small, l)
		}
	}
	for _, i := range append(small, large...) {
		w.keep[i] = 1 // what rounding has left
	}
	return w
}

func (w *weights) draw(r *rand.Rand) int {
	x := r.Float64() * float64(len(w.keep))
	i := int(x)
	if x-float64(i) < w.keep[i] {
		return i
	}
	return int(w.other[i])
}

// hash is a number that follows from a and b and looks like chance: the finaliser of splitmix64 (Steele, Lea,
// Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014).
func hash(a, b uint64) uint64 {
	x := a + b*0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// unit is where a hash lies between 0 and 1, both left out.
func unit(h uint64) float64 { return (float64(h>>12) + 0.5) / (1 << 52) }

// lognormal is a factor with the median 1 that follows from a hash.
func lognormal(h uint64, spread float64) float64 {
	if spread == 0 {
		return 1
	}
	return math.Exp(spread * math.Sqrt2 * math.Erfinv(2*unit(h)-1))
}
