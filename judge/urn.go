package judge

import "math"

// An urn estimates the new side's share of the requests from those that did not fail, which is what a
// failure's side is drawn from. The habits of few users make a sticky share rise and fall, so it has a
// long memory, which is exact while the share holds, and short ones to notice when it has risen: where
// the share is believed lower than it is, ordinary failures would look like evidence.
type urn struct {
	long   counts
	recent [2]counts
}

// counts are requests of both sides.
type counts struct{ old, new float64 }

const (
	prior  = 16  // the stage's nominal share weighs as much as this many requests on the new side
	memory = 512 // after this many requests of the new side, half of all is forgotten
	risen  = 3   // standard deviations by which a short memory must exceed the long one to be believed
)

// recents are the short memories, as memory.
var recents = [2]float64{16, 96}

// newUrn begins with the nominal share of the stage; 0 if it is not known.
func newUrn(nominal float64) urn {
	if !(nominal > 0 && nominal < 1) {
		return urn{}
	}
	return urn{long: counts{old: prior * (1 - nominal) / nominal, new: prior}}
}

// share is the chance that a failure in this window is the new side's if both sides fail alike. The
// window's own requests count, failed or not, and at least one of the new side's: with this one the
// mean of the true over the estimated share is at most 1, so that a short history makes no evidence.
func (u *urn) share(oldRequests, newRequests float64) float64 {
	all := u.long.old + u.long.new + oldRequests + newRequests
	if all == 0 {
		return 1
	}
	share := math.Min((u.long.new+math.Max(newRequests, 1))/all, 1)
	share = counts{oldRequests, newRequests}.higher(share)
	for _, r := range u.recent {
		share = counts{r.old + oldRequests, r.new + newRequests}.higher(share)
	}
	return share
}

// higher is the share of c if it is beyond chance that it is above the given one.
func (c counts) higher(share float64) float64 {
	all := c.old + c.new
	expected := share * all
	if c.new-expected <= 3.5*math.Sqrt(expected+1) {
		return share
	}
	return c.new / all
}

// put adds requests: all of them to the short memories, those that did not fail to the long one.
func (u *urn) put(old, new sums) {
	u.long.put(old.requests-old.failures, new.requests-new.failures, memory)
	for i := range u.recent {
		u.recent[i].put(old.requests, new.requests, recents[i])
	}
}

func (c *counts) put(old, new, most float64) {
	c.old += old
	c.new += new
	if c.new > most {
		c.old /= 2
		c.new /= 2
	}
}
