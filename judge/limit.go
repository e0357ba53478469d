package judge

import (
	"math"
	"time"
)

// A limit says which answers are slow, or short: on the old side those beyond what is usual on both sides
// together, on the new side those that would be so even if the tolerance were taken off. So a side
// whose answers take at most as much longer as is tolerated has no more slow answers than it would
// have as the old one.
//
// What is usual is a quantile of the answers to both sides together, so it tells nothing of either, and
// it is settled once. Any limit is as valid as another; it should be where the quantile's difference shows. If all of
// the new side's answers are slow, the slowest part of all answers is theirs alone, and the old side's
// quantile q is at q*(1-share) of both together. So each latency has two limits.
type limit struct {
	name     string
	words    string
	quantile float64       // that is judged
	at       float64       // the quantile of both sides together that is the limit
	growth   float64       // the tolerance
	floor    time.Duration // added to it
	enough   uint64        // answers to settle on
	value    func(*Answer) int
	usual    func(*census) *Histogram
	short    bool // what is below counts, not what is above

	old, new int // the buckets: beyond old on the old side, beyond new on the new one; -1: not settled
}

// limits are the latencies and the size that are judged.
func (c *Criteria) limits() []*limit {
	t := &c.Tolerance
	var list []*limit
	slow := func(name, words string, q float64, growth float64, value func(*Answer) int, usual func(*census) *Histogram) {
		for _, at := range c.quantiles(q) {
			list = append(list, &limit{name: name, words: words, quantile: q, at: at, growth: growth, floor: t.Floor,
				enough: uint64(math.Ceil(20 / (1 - q))), value: value, usual: usual, old: -1, new: -1})
		}
	}
	last := func(a *Answer) int { return int(a.Last) }
	lasts := func(c *census) *Histogram { return &c.last }
	if t.P50 != nil {
		slow("p50", "waited longer than p50", 0.5, float64(*t.P50), last, lasts)
	}
	if t.P95 != nil {
		slow("p95", "waited longer than p95", 0.95, float64(*t.P95), last, lasts)
	}
	if t.P99 != nil {
		slow("p99", "waited longer than p99", 0.99, float64(*t.P99), last, lasts)
	}
	if t.FirstByte != nil {
		slow(signalFirstByte, "waited longer for the first byte than p95", 0.95, float64(*t.FirstByte),
			func(a *Answer) int { return int(a.First) }, func(c *census) *Histogram { return &c.first })
	}
	if t.Size != nil && *t.Size < 1 {
		list = append(list, &limit{name: signalSize, words: "got a page shorter than p5", quantile: 0.05, at: 0.05, growth: float64(*t.Size),
			enough: 400, short: true, usual: func(c *census) *Histogram { return &c.sizes },
			value: func(a *Answer) int {
				if a.Size < 0 {
					return -1
				}
				return sizeBucket(a.Size)
			}, old: -1, new: -1})
	}
	return list
}

// quantiles are where the limits of quantile q are.
func (c *Criteria) quantiles(q float64) []float64 {
	if !c.split() {
		return []float64{q}
	}
	return []float64{q, q * (1 - float64(c.Share))}
}

// latencies are the limits that are no size.
func (c *Criteria) latencies() []*limit {
	var list []*limit
	for _, l := range c.limits() {
		if !l.short {
			list = append(list, l)
		}
	}
	return list
}

// settle decides what is usual as soon as enough is known of it.
func (l *limit) settle(c *census) {
	usual := l.usual(c)
	if l.old >= 0 || usual.Count() < l.enough {
		return
	}
	l.old = usual.place(l.at)
	if l.short {
		// The most that a page of the new side can be and still be short.
		l.new = sizeBucket(int64(bound(l.old)/float64(time.Microsecond)*(1-l.growth))) - 1
		return
	}
	most := bound(l.old+1)*(1+l.growth) + float64(l.floor)
	l.new = Bucket(time.Duration(math.Min(most, float64(longest))))
	if bound(l.new) >= most {
		l.new-- // the bucket begins there: what is in it is beyond
	}
}

// beyond reports whether an answer is slow, or short, for its side.
func (l *limit) beyond(bucket int, new bool) bool {
	switch {
	case l.old < 0 || bucket < 0:
		return false
	case l.short && new:
		return bucket <= l.new
	case l.short:
		return bucket < l.old
	case new:
		return bucket > l.new
	}
	return bucket > l.old
}

// usually is the part of all answers that are beyond the limit.
func (l *limit) usually() float64 {
	if l.short {
		return l.at
	}
	return 1 - l.at
}

// above reports whether a wait, which is not over, is longer than the limit of its side already.
func (l *limit) above(age time.Duration, new bool) bool {
	return !l.short && l.beyond(Bucket(age), new)
}
