package judge

import "math"

// A Place is one at which two answers differ: a header, a field of JSON, what stands behind certain words of a page.
type Place struct {
	// Key is a hash of it, the same on all pages of a site.
	Key uint64
	// New says that it is the new side's answer that differs there from the old side's first one, and not the old side's
	// second one; else it is the other way round.
	New bool
}

// mostPlaces is how many places are told apart.
const mostPlaces = 128

// places bet on each place at which answers differ, by a coin as a differenceTest does. The newest comments beside every
// page differ from moment to moment on either side, which says nothing of the end of the page that is never there on the new
// side. The n-th place that shows, by whichever answer, has the n(n+1)-th part of the wealth for what follows. Where there are
// too many the one is forgotten that has not shown for the longest, with its wealth.
type places struct {
	tolerated float64
	growth    float64
	list      map[uint64]*place
	seen      sample[struct{}] // a unit at a place: it counts once
	shown     int              // places that have shown, those included that are forgotten
	events    int
	compared  float64
	stale     bool // sum is not of now
	sum       float64
}

type place struct {
	wager
	part     float64
	compared float64 // places.compared, as far as the wager knows of it
	last     int     // places.events when it showed last
	old, new uint64  // pages that differ there, of the old side's own and of the new one
}

func newPlaces(tolerated, growth float64) *places {
	return &places{tolerated: tolerated, growth: growth, list: map[uint64]*place{}, seen: newSample[struct{}](pages), sum: 1}
}

// add takes a comparison for which the old side was asked twice. granted says that it raises the number of those that may differ.
func (p *places) add(c *Comparison, granted bool) {
	if granted {
		p.compared++
	}
	p.stale = true
	for _, at := range c.Places {
		unit := mix(c.unit() ^ mix(at.Key))
		if _, again := p.seen.users[unit]; again || !p.seen.holds(unit) {
			continue
		}
		p.seen.put(unit, struct{}{})
		one := p.list[at.Key]
		if one != nil {
			p.charge(one)
			one.count(at.New)
		} else {
			one = p.open(at.Key)
		}
		p.events++
		one.last = p.events
	}
}

// open begins the test of a place. That it has shown is no evidence: it is known only since then.
func (p *places) open(key uint64) *place {
	if len(p.list) >= mostPlaces {
		p.forget()
	}
	p.shown++
	one := &place{wager: newWager(&halves, 0.5, p.tolerated, 0), part: 1 / series(p.shown), compared: p.compared}
	one.growth = p.growth
	one.begin()
	p.list[key] = one
	return one
}

// forget drops the place that has not shown for the longest.
func (p *places) forget() {
	var oldest uint64
	last := math.MaxInt
	for key, one := range p.list {
		if one.last < last {
			oldest, last = key, one.last
		}
	}
	delete(p.list, oldest)
}

// charge tells a place of what was compared meanwhile.
func (p *places) charge(one *place) {
	one.pass(p.compared - one.compared)
	one.compared = p.compared
}

func (p *place) count(new bool) {
	p.event(new)
	if new {
		p.new++
	} else {
		p.old++
	}
}

// loudest is the place that speaks loudest, if it is worth naming; else nil.
func (p *places) loudest() *place {
	var found *place
	most := p.value() / 2
	for _, one := range p.list {
		if value := one.part * one.wager.value(); value > most {
			found, most = one, value
		}
	}
	return found
}

// begin begins a block of time: see wager.
func (p *places) begin() {
	for _, one := range p.list {
		one.begin()
	}
}

// value is the e-value of all together, what no place has been given yet included.
func (p *places) value() float64 {
	if !p.stale {
		return p.sum
	}
	p.stale = false
	p.sum = 1 / float64(p.shown+1)
	for _, one := range p.list {
		p.charge(one)
		p.sum += one.part * one.wager.value()
	}
	return p.sum
}
