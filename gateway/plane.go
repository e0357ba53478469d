package gateway

import (
	"fmt"

	"yadokari/gateway/mirror"
	"yadokari/judge"
	"yadokari/shift"
)

var _ shift.DataPlane = (*Gateway)(nil)

// Apply places the route's users. It needs no disk, no memory worth mentioning and no other machine.
func (g *Gateway) Apply(name string, p shift.Placement) error {
	r := g.table.Load().byName[name]
	if r == nil {
		return fmt.Errorf("route %q: the gateway has no such route", name)
	}
	if r.new == nil && p != (shift.Placement{}) {
		return fmt.Errorf("route %q has no shift: its users stay on %s", name, r.old.name)
	}
	if p.To != "" && p.To != r.new.name {
		return fmt.Errorf("route %q goes to %s by now, and this was decided for %s", name, r.new.name, p.To)
	}
	r.move(p)
	return nil
}

// move places the route's users. The same placement again changes nothing: what began under it goes on
// to count.
func (r *route) move(p shift.Placement) {
	before := r.placement.Load()
	if before.Placement == p {
		return
	}
	placed := newPlacement(p)
	placed.linger = before.linger // a reload may have taken the shift away, and with it its linger
	if r.config.Shift != nil {
		placed.linger = r.config.Shift.Linger
	}
	if p == (shift.Placement{}) || before.Placement == (shift.Placement{}) {
		r.streak.Store(0) // nobody asks the new side meanwhile, and who starts anew has mended it
	}
	r.placement.Store(placed)
	if before.leads() && !placed.leads() {
		r.sessions.closeAfter(placed.linger)
	}
}

// Collect adds what the route's sides have done since the last call.
func (g *Gateway) Collect(name string, w *judge.Window) {
	r := g.table.Load().byName[name]
	if r == nil {
		return
	}
	r.sides[oldSide].collect(&w.Old)
	r.sides[newSide].collect(&w.New)
	r.placement.Load().evidence.collect(w)
	fallbacks := r.fallbacks.Load()
	w.Fallbacks += fallbacks - r.collected.fallbacks
	r.collected.fallbacks = fallbacks
}

// Differences are what the mirror of a route has found.
type Differences struct {
	Route    string           `json:"route"`
	Counts   mirror.Stats     `json:"counts"`
	Examples []mirror.Example `json:"examples"`
}

// Differences gives what the mirror of the named route has found since the gateway began or the
// configuration was read.
func (g *Gateway) Differences(name string) (Differences, error) {
	r := g.table.Load().byName[name]
	if r == nil {
		return Differences{}, &UnknownError{fmt.Errorf("there is no route %q", name)}
	}
	return Differences{Route: name, Counts: r.copier.counts(), Examples: r.copier.examples()}, nil
}
