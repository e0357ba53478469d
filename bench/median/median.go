// Package median takes the middle of what was measured several times: what disturbed one round of a
// benchmark does not move it.
package median

import "slices"

// Of is the median of one figure over the samples, each figure for itself; of an even number of samples
// the larger of the two in the middle. There must be at least one.
func Of[T any](samples []T, figure func(T) float64) float64 {
	values := make([]float64, len(samples))
	for i, s := range samples {
		values[i] = figure(s)
	}
	slices.Sort(values)
	return values[len(values)/2]
}
