package judge

import (
	"math"
	"time"
)

// differenceTest bets on compared answers. In the mirror stage as many pages as are tolerated may differ. In later
// stages, where the old side's answer always comes after the new one's, a page changes meanwhile (somebody
// has commented), and no rate can be told beforehand: there the old side is asked twice, and it is a coin whether the
// new side's answer differs, or the old side's own second one. A page of one user counts once,
// however often it is loaded: his next load has the same cause. There a half of the wealth bets on each
// place of a page by itself, and what has one cause within a second must not decide alone.
type differenceTest struct {
	all       wager
	places    *places // nil in the mirror stage: there is no coin
	tolerated float64
	inside    time.Duration    // of the present second
	assets    sample[struct{}] // that were compared
	seen      sample[bool]     // whether the page has differed already
	threshold float64

	compared, different, noisy, unsteady uint64
}

const (
	pages = 1 << 14 // that a differenceTest remembers
	apart = 4       // seconds in which pages must differ at the least, in later stages
)

func newDifferenceTest(threshold, tolerated float64, coin bool) *differenceTest {
	odds, chance := &multiples, 0.0
	if coin {
		odds, chance = &halves, 0.5
	}
	t := &differenceTest{all: newWager(odds, chance, tolerated, back), tolerated: tolerated, seen: newSample[bool](pages), assets: newSample[struct{}](pages), threshold: threshold}
	if coin {
		t.all.growth = math.Pow(threshold, 1.0/apart)
		t.places = newPlaces(tolerated, t.all.growth)
		t.all.begin()
	}
	return t
}

// grants reports whether a compared answer raises the number of those that may differ: of pages, each does. Of assets,
// which are most of what is compared, each counts once, or they would hide that every login page differs.
func (t *differenceTest) grants(c *Comparison) bool {
	if c.Asset == 0 || !t.assets.holds(c.Asset) {
		return true
	}
	_, known := t.assets.users[c.Asset]
	t.assets.put(c.Asset, struct{}{})
	return !known
}

// unit is what counts once: a page of a user, or an asset.
func (c *Comparison) unit() uint64 {
	if c.Asset != 0 {
		return c.Asset
	}
	return c.Unit
}

// value is the e-value.
func (t *differenceTest) value() float64 {
	if t.places == nil {
		return t.all.value()
	}
	return math.Min((t.all.value()+t.places.value())/2, ceiling)
}

// tick lets time go by.
func (t *differenceTest) tick(span time.Duration) {
	if t.places == nil {
		return
	}
	if t.inside += span; span == 0 || t.inside >= time.Second {
		t.inside = 0
		t.all.begin()
		t.places.begin()
	}
}

func (t *differenceTest) add(c *Comparison) {
	t.compared++
	if c.Noisy {
		t.noisy++
	}
	if c.Different {
		t.different++
	}
	if c.Unsteady {
		t.unsteady++
	}
	granted := t.grants(c)
	if t.places != nil && c.Checked {
		t.places.add(c, granted)
	}
	if !t.seen.holds(c.unit()) || t.seen.users[c.unit()] {
		return
	}
	if t.places != nil && (!c.Checked || c.Different == c.Unsteady) {
		return
	}
	if t.places != nil || granted {
		t.all.pass(1)
	}
	if c.Different || t.places != nil {
		t.all.event(c.Different)
		t.seen.put(c.unit(), true)
	}
}
