package shift

import (
	"math"
	"slices"
	"time"

	"yadokari/judge"
)

// SideNumbers is what one side did. Only first attempts count: a request that the fallback saved is
// still a failure of the new side.
type SideNumbers struct {
	Requests uint64 `json:"requests"`
	Failures uint64 `json:"failures"`
	// P50, P95 and P99 are quantiles of the time to the last byte, in milliseconds, of the requests
	// that did not fail; 0 when there were none.
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
	P99 float64 `json:"p99"`
}

// Numbers is what both sides did in the same span of time. The JSON keys are vm for the old side and
// containers for the new one, whatever the backends are called.
type Numbers struct {
	Old SideNumbers `json:"vm"`
	New SideNumbers `json:"containers"`
	// Fallbacks is the number of requests the old side answered after the new side had failed them.
	Fallbacks uint64 `json:"fallbacks"`
}

// sums adds windows up.
type sums struct {
	old, new  judge.Tally
	fallbacks uint64
	compared  uint64 // requests that both sides were asked
}

func (s *sums) add(w *judge.Window) {
	s.old.Merge(&w.Old)
	s.new.Merge(&w.New)
	s.fallbacks += w.Fallbacks
	s.compared += uint64(len(w.Compared))
}

func (s *sums) numbers() Numbers {
	return Numbers{Old: sideNumbers(&s.old), New: sideNumbers(&s.new), Fallbacks: s.fallbacks}
}

func sideNumbers(t *judge.Tally) SideNumbers {
	return SideNumbers{Requests: t.Requests, Failures: t.Failures,
		P50: milliseconds(t, 0.50), P95: milliseconds(t, 0.95), P99: milliseconds(t, 0.99)}
}

func milliseconds(t *judge.Tally, q float64) float64 {
	return float64(t.Latency.Quantile(q)) / float64(time.Millisecond)
}

const (
	minuteSlot  = 20 * time.Second
	minuteSlots = 3
)

// minute holds what the sides did in about the last minute (40 to 60 s), for routes that are in no
// stage. With thousands of routes that is most of the memory, so it keeps only the buckets in use.
type minute struct {
	slots [minuteSlots]*thinSums
	last  int64 // the newest slot's number since the epoch
}

type thinSums struct {
	old, new  thinTally
	fallbacks uint64
}

// thinTally is a judge.Tally that holds few different latencies in little memory.
type thinTally struct {
	requests, failures uint64
	latency            []bucketCount // by bucket
}

type bucketCount struct {
	bucket int32
	n      uint32
}

func (t *thinTally) add(from *judge.Tally) {
	t.requests += from.Requests
	t.failures += from.Failures
	for bucket, n := range from.Latency.All() {
		at, found := slices.BinarySearchFunc(t.latency, int32(bucket), func(c bucketCount, b int32) int { return int(c.bucket - b) })
		if !found {
			t.latency = slices.Insert(t.latency, at, bucketCount{bucket: int32(bucket)})
		}
		t.latency[at].n += uint32(min(n, math.MaxUint32-uint64(t.latency[at].n)))
	}
}

func (t *thinTally) addTo(to *judge.Tally) {
	to.Requests += t.requests
	to.Failures += t.failures
	for _, c := range t.latency {
		to.Latency.Add(int(c.bucket), uint64(c.n))
	}
}

func (m *minute) add(now time.Time, w *judge.Window) {
	m.turn(now)
	if w.Empty() {
		return
	}
	slot := &m.slots[m.last%minuteSlots]
	if *slot == nil {
		*slot = new(thinSums)
	}
	(*slot).old.add(&w.Old)
	(*slot).new.add(&w.New)
	(*slot).fallbacks += w.Fallbacks
}

func (m *minute) turn(now time.Time) {
	number := now.UnixNano() / int64(minuteSlot)
	if putBack(number, m.last) {
		*m = minute{last: number}
	}
	for ; m.last < number; m.last++ {
		if number-m.last > minuteSlots {
			m.last = number - minuteSlots
		}
		m.slots[(m.last+1)%minuteSlots] = nil
	}
}

// putBack says whether the clock was put back by more than what the next slot makes up for: the newest one
// would be counted in until the clock is there again, which may take hours.
func putBack(number, last int64) bool { return number < last-1 }

func (m *minute) numbers(now time.Time) Numbers {
	m.turn(now)
	var all sums
	for _, slot := range m.slots {
		if slot != nil {
			slot.old.addTo(&all.old)
			slot.new.addTo(&all.new)
			all.fallbacks += slot.fallbacks
		}
	}
	return all.numbers()
}

const (
	paceSlot  = 5 * time.Second
	paceSlots = 12
)

// pace counts the requests of both sides in the last minute, to say how fast they come.
type pace struct {
	counts [paceSlots]paced
	last   int64
	since  time.Time // when counting began
}

// paced are the requests of one slot. Their type is small for the sake of thousands of routes: 800
// million requests a second would be too many.
type paced struct{ old, new uint32 }

func (p *pace) add(now time.Time, w *judge.Window) {
	p.turn(now)
	slot := &p.counts[p.last%paceSlots]
	slot.old += uint32(w.Old.Requests)
	slot.new += uint32(w.New.Requests)
}

func (p *pace) turn(now time.Time) {
	if p.since.IsZero() {
		p.since = now
	}
	number := now.UnixNano() / int64(paceSlot)
	if putBack(number, p.last) {
		*p = pace{last: number, since: now}
	}
	for ; p.last < number; p.last++ {
		if number-p.last > paceSlots {
			p.last = number - paceSlots
		}
		p.counts[(p.last+1)%paceSlots] = paced{}
	}
}

// restart forgets what was counted, for a share under which the new side gets another part.
func (p *pace) restart(now time.Time) { *p = pace{since: now} }

// Rates are requests a second over the last minute, or since the stage began if that is less.
type Rates struct {
	Old float64 `json:"vm"`
	New float64 `json:"containers"`
}

func (p *pace) rates(now time.Time) Rates {
	p.turn(now)
	begin := time.Unix(0, (p.last-paceSlots+1)*int64(paceSlot))
	if p.since.After(begin) {
		begin = p.since
	}
	seconds := max(now.Sub(begin).Seconds(), 1)
	var r Rates
	for _, c := range p.counts {
		r.Old += float64(c.old) / seconds
		r.New += float64(c.new) / seconds
	}
	return r
}
