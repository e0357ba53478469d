package judge

import (
	"math"
	"slices"
	"testing"
	"time"
)

func TestBucketError(t *testing.T) {
	last := 0
	for d := float64(shortest); d < float64(longest); d *= 1.0007 {
		b := Bucket(time.Duration(d))
		if b < last || b < 1 || b >= Buckets-1 {
			t.Fatalf("%v is in bucket %d after %d", time.Duration(d), b, last)
		}
		last = b
		if off := math.Abs(float64(middle(b))/d - 1); off > 0.025 {
			t.Fatalf("%v is read back as %v: %.1f%% off", time.Duration(d), middle(b), off*100)
		}
		// Rounding may put a bound itself into the bucket beside it.
		if d < bound(b)*(1-1e-9)-1 || d > bound(b+1)*(1+1e-9)+1 {
			t.Fatalf("%v is outside of its bucket: %v to %v ns", time.Duration(d), bound(b), bound(b+1))
		}
	}
}

func TestBucketClamps(t *testing.T) {
	for d, want := range map[time.Duration]int{
		math.MinInt64: 0, -1: 0, 0: 0, shortest - 1: 0, shortest: 1,
		longest - 1: Buckets - 2, longest: Buckets - 1, math.MaxInt64: Buckets - 1,
	} {
		if got := Bucket(d); got != want {
			t.Errorf("%v: bucket %d, want %d", d, got, want)
		}
	}
}

func TestHistogramQuantiles(t *testing.T) {
	random := seeded(1, 1)
	var h Histogram
	var exact []float64
	for range 20000 {
		ms := pareto(random)
		exact = append(exact, ms)
		h.Observe(time.Duration(ms * float64(time.Millisecond)))
	}
	slices.Sort(exact)
	for _, q := range []float64{0, 0.01, 0.5, 0.95, 0.99, 1} {
		want := exact[max(int(math.Ceil(q*20000))-1, 0)]
		got := h.Quantile(q).Seconds() * 1000
		if math.Abs(got/want-1) > 0.025 {
			t.Errorf("quantile %v: %.1f ms, want %.1f", q, got, want)
		}
	}
	if got := new(Histogram).Quantile(0.5); got != 0 {
		t.Errorf("median of nothing: %v", got)
	}
}

func TestHistogramMergeAndReset(t *testing.T) {
	var a, b Histogram
	a.Merge(&b)
	a.Add(3, 2)
	b.Add(3, 5)
	b.Add(-1, 1)
	b.Add(Buckets, math.MaxUint64)
	a.Merge(&b)
	if a.counts[3] != 7 || a.counts[0] != 1 || a.counts[Buckets-1] != math.MaxUint64 || a.Count() != math.MaxUint64 {
		t.Errorf("merged: %v, total %d", a.counts, a.Count())
	}
	if n := testing.AllocsPerRun(100, func() {
		a.Reset()
		a.Observe(time.Second)
		a.Merge(&b)
	}); n != 0 {
		t.Errorf("%v allocations when reused", n)
	}
	a.Reset()
	if a.Count() != 0 || a.Quantile(0.5) != 0 {
		t.Errorf("after Reset: %d, %v", a.Count(), a.Quantile(0.5))
	}
}

func BenchmarkBucket(b *testing.B) {
	b.ReportAllocs()
	sum, d := 0, 3*time.Millisecond
	for b.Loop() {
		sum += Bucket(d)
		d += 977
	}
	_ = sum
}

func BenchmarkHistogramMerge(b *testing.B) {
	var from, to Histogram
	for i := range Buckets {
		from.Add(i, 1)
	}
	b.ReportAllocs()
	for b.Loop() {
		to.Merge(&from)
	}
}
