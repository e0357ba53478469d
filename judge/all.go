package judge

import "iter"

// All yields the buckets that hold latencies and their counts, from the shortest latency on, for
// callers that keep or write a Histogram in a form of their own. Add puts them back.
func (h *Histogram) All() iter.Seq2[int, uint64] {
	return func(yield func(int, uint64) bool) {
		for bucket, n := range h.counts {
			if n != 0 && !yield(bucket, n) {
				return
			}
		}
	}
}
