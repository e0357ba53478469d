package simulate

import (
	"math"
	"time"

	"yadokari/judge"
)

// request is what is asked for.
type request struct {
	page  uint64
	safe  bool
	again bool        // the same once more
	class judge.Class // what it is answered with, by whoever
}

// given is an answer and how long it took, in nanoseconds.
type given struct {
	judge.Answer
	head, last int64
}

// choose draws the next request of a visit.
func (t *Traffic) choose(v *visit) request {
	if v.request.again {
		v.request.again = false
		return v.request
	}
	if v.crawler > 0 {
		c := &t.Crawlers[v.crawler-1]
		page := uint64(mostPages*int(v.crawler)) + uint64(v.left)%uint64(c.Pages)
		v.left++
		return request{page: page, safe: true, class: t.crawlers[v.crawler-1].of(t.trait(ofAnswer, page))}
	}
	r := request{page: uint64(t.pages.draw(t.random)), safe: t.random.Float64() >= float64(t.Pages.Unsafe)}
	switch {
	case v.fails:
		r.class = failed
	case v.account > 0:
		r.class = t.accounts[v.account-1].of(t.trait(ofAnswer, hash(uint64(v.user), r.page)))
	case int(r.page) >= t.Pages.Number-t.Pages.Broken:
		r.class = failed
	}
	if r.class == 0 {
		r.class = t.answers.of(t.random.Float64()) &^ failed // failures come by chance, anew for each attempt
	}
	if r.safe {
		r.class &^= judge.Form
	} else {
		r.class &^= judge.Empty
	}
	return r
}

// answer is what a side does with a visit's request that reaches it at a moment.
func (t *Traffic) answer(v *visit, new bool, at int64, second bool) given {
	class, r := v.request.class, &v.request
	if class == 0 && t.Answers.Fails > 0 && t.random.Float64() < float64(t.Answers.Fails) {
		class = failed
	}
	took := t.took(v, r.page, at, new)
	if second {
		took *= (1 + float64(t.Pairs.Slower)) * (1 - float64(t.Pairs.Faster))
	}
	if end, struck := t.weather.strikes(at, t.random); struck {
		if t.Outages.Hangs {
			took += float64(end - at)
		} else {
			class, took = failed, float64(max(t.Outages.Fails, time.Millisecond))
		}
	}
	size := int64(-1)
	if r.safe && class == 0 {
		size = int64(float64(t.Pages.Size) * lognormal(hash(hash(t.seed, ofSize), r.page), float64(t.Pages.Spread)))
	}
	if w := t.Worse; w != nil && new && v.hit && at >= int64(w.From) {
		class = t.worsen(class, &took, &size)
	}
	return newGiven(class, took, size)
}

// worsen is what the new side makes of an answer.
func (t *Traffic) worsen(class judge.Class, took *float64, size *int64) judge.Class {
	w := t.Worse
	*took *= 1 + float64(w.Slower)
	if *size >= 0 {
		*size = int64(float64(*size) * (1 - float64(w.Shorter)))
	}
	if w.Hangs > 0 && t.random.Float64() < float64(w.Hangs) {
		*took = float64(time.Minute) // until the gateway's limit
		return failed
	}
	if found := t.worse.of(t.random.Float64()); found != 0 && class&failed == 0 {
		class, *size = found, -1
	}
	return class
}

func newGiven(class judge.Class, took float64, size int64) given {
	last := int64(math.Min(took, float64(time.Hour)))
	head := last - last/4
	if class&failed != 0 {
		return given{judge.Answer{Failed: true, First: -1, Last: -1, Size: -1}, last, last}
	}
	return given{judge.Answer{Class: class, First: bucket(head), Last: bucket(last), Size: size}, head, last}
}

func bucket(ns int64) int16 { return int16(judge.Bucket(time.Duration(ns))) }

// took is how long an answer takes, in nanoseconds.
func (t *Traffic) took(v *visit, page uint64, at int64, new bool) float64 {
	x := t.median * v.factor * t.weather.slow(at, new)
	if s := float64(t.Pages.Latency); s > 0 {
		x *= lognormal(hash(hash(t.seed, ofPage), page), s)
	}
	spread := float64(t.Latency.Spread)
	switch t.Latency.Shape {
	case constant:
		return x
	case pareto:
		return x * math.Exp(t.random.ExpFloat64()/spread)
	}
	return x * math.Exp(spread*t.random.NormFloat64())
}

// second asks the other side the same: the old one when the new one has failed, and one of both for a copy.
// Whether there is a copy is decided without a look at the answer.
func (t *Traffic) second(v *visit) {
	if !v.request.safe {
		return
	}
	switch {
	case t.Mirror:
		t.mirror(v)
	case v.new:
		copied := t.sample(v)
		if v.answer.Failed {
			t.fallback(v, copied)
		} else if copied && v.answer.Class&judge.Left == 0 {
			old := t.answer(v, false, v.time, true)
			t.pair(v, old.Answer, v.answer, false)
		}
	}
}

// sample reports whether a moved user's request is copied to the old side.
func (t *Traffic) sample(v *visit) bool {
	if t.Moved == 0 {
		return false
	}
	if t.sampled++; t.sampled <= firstPairs {
		return true
	}
	if t.random.Float64() >= float64(t.Moved) || v.time-t.drawn < sampleEvery {
		return false
	}
	t.drawn = v.time
	return true
}

// fallback has the old side answer what the new one has failed.
func (t *Traffic) fallback(v *visit, copied bool) {
	old := t.answer(v, false, v.time, true)
	v.time += old.last
	v.other = judge.Answered
	if old.Failed {
		v.other = judge.FailedToo
	}
	if copied {
		t.pair(v, old.Answer, v.answer, false)
	}
}

// mirror asks the new side after the old one has answered; and the old one once more if the new side fails alone.
func (t *Traffic) mirror(v *visit) {
	if v.answer.Class&judge.Left != 0 {
		return
	}
	old := v.answer
	copied := t.answer(v, true, v.time, true)
	if copied.Failed && !old.Failed && t.answer(v, false, v.time+copied.last, true).Failed {
		old = judge.Answer{Failed: true, First: -1, Last: -1, Size: -1}
	}
	t.pair(v, old, copied.Answer, true)
}

func (t *Traffic) pair(v *visit, old, new judge.Answer, copied bool) {
	v.paired = true
	v.pair = judge.Pair{User: v.point, Copied: copied, Old: old, New: new}
	v.compared = judge.Comparison{Unit: hash(uint64(v.user), v.request.page), Different: old.Class != new.Class || old.Size != new.Size}
	t.compare(v, float64(t.Answers.Differs))
	if w := t.Worse; w != nil && v.hit && unit(hash(v.compared.Unit, ofDifference)) < float64(w.Differs) {
		v.compared.Different = true
	}
}

// compare is what differs though nothing is wrong. In the mirror stage some pages always do; later, where the old side
// is asked twice, what changes meanwhile shows in either answer by chance.
func (t *Traffic) compare(v *visit, differs float64) {
	c := &v.compared
	if t.Mirror {
		c.Different = c.Different || differs > 0 && t.trait(ofDifference, c.Unit) < differs
		return
	}
	c.Checked = true
	if differs > 0 {
		c.Different = c.Different || t.random.Float64() < differs
		c.Unsteady = t.random.Float64() < differs
	}
}
