package judge

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
// side. The n-th place that shows, by whichever answer, has the n(n+1)-th part of the wealth.
type places struct {
	tolerated float64
	growth    float64
	list      map[uint64]*place
	seen      sample[struct{}] // a unit at a place: it counts once
	compared  float64
	found     bool // something that sum does not know of
	sum       float64
}

type place struct {
	wager
	part     float64
	compared float64 // places.compared, as far as the wager knows of it
	old, new uint64  // pages that differ there, of the old side's own and of the new one
}

func newPlaces(tolerated, growth float64) *places {
	return &places{tolerated: tolerated, growth: growth, list: map[uint64]*place{}, seen: newSample[struct{}](pages), sum: 1}
}

// add takes a comparison for which the old side was asked twice.
func (p *places) add(c *Comparison) {
	p.compared++
	for _, at := range c.Places {
		one := p.at(at.Key)
		unit := mix(c.Unit ^ mix(at.Key))
		if one == nil || !p.seen.holds(unit) {
			continue
		}
		if _, again := p.seen.users[unit]; again {
			continue
		}
		p.seen.put(unit, struct{}{})
		one.pass(p.compared - one.compared)
		one.compared = p.compared
		one.count(at.New)
		p.found = true
	}
}

// at is the test of a place; nil if there are too many.
func (p *places) at(key uint64) *place {
	one := p.list[key]
	if one == nil && len(p.list) < mostPlaces {
		n := float64(len(p.list) + 1)
		one = &place{wager: newWager(&halves, 0.5, p.tolerated, 0), part: 1 / (n * (n + 1))}
		one.growth = p.growth
		one.begin()
		p.list[key] = one
	}
	return one
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
	if !p.found {
		return p.sum
	}
	p.found = false
	p.sum = 1 / float64(len(p.list)+1)
	for _, one := range p.list {
		one.pass(p.compared - one.compared)
		one.compared = p.compared
		p.sum += one.part * one.wager.value()
	}
	return p.sum
}
