package history

import "yadokari/judge"

// doubt is how far the evidence has come on its way to condemn the new side: that of the loudest signal, or
// the run of failures in parts of the breaker's limit; -1 without evidence.
func doubt(e *judge.Evidence) float32 {
	if e == nil {
		return -1
	}
	if e.Decided != "" {
		return 1
	}
	most := 0.0
	for i := range e.Signals {
		most = max(most, e.Signals[i].Part)
	}
	if b := e.Breaker; b.Limit > 0 {
		most = max(most, float64(b.Run)/float64(b.Limit))
	}
	return float32(min(most, 1))
}
