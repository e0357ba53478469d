package history

import (
	"math"

	"yadokari/judge"
)

// doubt is how far the evidence has come on its way to condemn the new side: the largest of the
// tests, each as the logarithm of its e-value in parts of the logarithm of its threshold, or the run of
// failures in parts of the breaker's limit; -1 without evidence.
func doubt(e *judge.Evidence) float32 {
	if e == nil {
		return -1
	}
	if e.Decided != "" {
		return 1
	}
	most := part(e.Errors)
	if e.Differences != nil {
		most = max(most, part(e.Differences.Test))
	}
	if b := e.Breaker; b.Limit > 0 {
		most = max(most, float64(b.Run)/float64(b.Limit))
	}
	return float32(min(most, 1))
}

func part(t judge.Test) float64 {
	if t.EValue <= 1 || t.Threshold <= 1 {
		return 0
	}
	return math.Log(t.EValue) / math.Log(t.Threshold)
}
