package gateway

import (
	"math"
	"time"

	"yadokari/shift"
)

// side says which of a route's two backends is meant.
type side uint8

const (
	oldSide side = iota
	newSide
)

// placement is a shift.Placement made ready for comparing. It never changes: a flip puts another in
// its place, and a request under way keeps the one it began with.
type placement struct {
	shift.Placement
	below uint64 // keys whose point is below go to the new side
	all   bool   // the share is 100%
	// linger is how long tunnels to the new side live on once nobody is led there.
	linger time.Duration
}

func newPlacement(p shift.Placement) *placement {
	made := &placement{Placement: p, all: p.Share >= 1}
	if p.Share > 0 && !made.all {
		made.below = uint64(math.Ldexp(float64(p.Share), 64))
	}
	return made
}

// side is where the user at the given point is served; ahead says that the key is on the list.
func (p *placement) side(point uint64, ahead bool) side {
	if p.all || point < p.below || (ahead && p.Ahead) {
		return newSide
	}
	return oldSide
}

// leads reports whether any user is sent to the new side.
func (p *placement) leads() bool { return p.Share > 0 || p.Ahead }
