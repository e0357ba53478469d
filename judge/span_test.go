package judge

import (
	"testing"
	"time"
)

func TestSpansFollowEachOther(t *testing.T) {
	if from, _ := Span(0); from != 0 {
		t.Errorf("the first bucket begins at %s", from)
	}
	for bucket := range Buckets - 1 {
		from, to := Span(bucket)
		next, _ := Span(bucket + 1)
		if from >= to || to != next {
			t.Fatalf("bucket %d is %s to %s, the next begins at %s", bucket, from, to, next)
		}
		if middle := from + (to-from)/2; Bucket(middle) != bucket {
			t.Errorf("%s counts in bucket %d, not %d", middle, Bucket(middle), bucket)
		}
	}
	if from, to := Span(Buckets + 5); from != to || from != 10*time.Minute {
		t.Errorf("the last bucket is %s to %s", from, to)
	}
}
