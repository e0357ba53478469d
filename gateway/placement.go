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
	// evidence is what its requests tell the verdict; nil when nobody is led to the new side and nothing mirrored.
	evidence *evidence
}

func newPlacement(p shift.Placement) *placement {
	made := &placement{Placement: p, all: p.Share >= 1}
	if p.Share > 0 && !made.all {
		made.below = uint64(math.Ldexp(float64(p.Share), 64))
	}
	if made.leads() || p.Mirror {
		made.evidence = &evidence{}
	}
	return made
}

// side is where the user at the given point is served; listed says that the key is on the list, ahead that
// it was the list that decided.
func (p *placement) side(point uint64, listed bool) (s side, ahead bool) {
	switch {
	case p.all || point < p.below:
		return newSide, false
	case listed && p.Ahead:
		return newSide, true
	}
	return oldSide, false
}

// leads reports whether any user is sent to the new side.
func (p *placement) leads() bool { return p.Share > 0 || p.Ahead }
