package judge

import "slices"

const (
	firstRenewal  = 20_000 // answers after which users are looked at anew, then after twice as many
	mostFrequency = 3      // at once: the first, and the latest that began later
)

// frequencies judge how often users wait, from the beginning and from some later moments on. One that has lasted long
// knows little new: who has met a failure, in an outage of both sides say, tells it nothing more, and its limits are what was
// usual when it began. Each has its own part of alpha, as later experiments have.
type frequencies struct {
	criteria *Criteria
	alpha    float64
	list     []*frequency
	begun    int // after the first
	answers  uint64
	next     uint64 // answers at which another begins, which does not depend on who is where
}

func newFrequencies(c *Criteria, alpha float64) *frequencies {
	return &frequencies{criteria: c, alpha: alpha, next: firstRenewal, list: []*frequency{newFrequency(c, alpha*(1-laterPart))}}
}

// add takes the events of a window.
func (f *frequencies) add(w *Window) {
	for _, one := range f.list {
		one.add(w)
	}
	f.answers += uint64(len(w.Events))
	if f.answers < f.next {
		return
	}
	f.next *= 2
	f.begun++
	f.list = append(f.list, newFrequency(f.criteria, f.alpha*(laterPart/series(f.begun))))
	if len(f.list) > mostFrequency {
		f.list = slices.Delete(f.list, 1, 2)
	}
}

// loudest is of each limit the test that is nearest to its threshold.
func (f *frequencies) loudest() []*frequencyTest {
	list := make([]*frequencyTest, len(f.list[0].tests))
	for _, one := range f.list {
		for i := range one.tests {
			t := &one.tests[i]
			if list[i] == nil || part(t.value, t.threshold) > part(list[i].value, list[i].threshold) {
				list[i] = t
			}
		}
	}
	return list
}

// failed is the name of a limit whose test has reached its threshold; empty: none.
func (f *frequencies) failed() string {
	for _, one := range f.list {
		for i := range one.tests {
			if t := &one.tests[i]; t.value >= t.threshold {
				return t.limit.name
			}
		}
	}
	return ""
}
