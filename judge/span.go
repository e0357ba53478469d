package judge

import "time"

// Span is the range of latencies that count in a bucket of a Histogram, for callers that draw one: from
// is the shortest, to the shortest of the next bucket. The last bucket has no end; its to is its from.
func Span(bucket int) (from, to time.Duration) {
	bucket = min(max(bucket, 0), Buckets-1)
	from = time.Duration(bound(bucket))
	if bucket == Buckets-1 {
		return from, from
	}
	return from, time.Duration(bound(bucket + 1))
}
