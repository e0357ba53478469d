package shift

import (
	"time"

	"yadokari/judge"
)

// Observation is what ended on one route since the one before.
type Observation struct {
	Route string
	Time  time.Time
	// Place is where the route was while it happened.
	Place Place
	// Begun is when the route began to be judged there: two stages of one name have two beginnings.
	Begun time.Time
	// Window is the controller's own and used again: copy what is kept.
	Window *judge.Window
	// Evidence is that of the stage with this window in it; nil when nothing is judged.
	Evidence *judge.Evidence
}

// observe passes on to the observer what ended while the route was in place, if anything did. The
// caller holds r.mu.
func (c *Controller) observe(r *route, place Place, w *judge.Window, now time.Time) {
	if c.observer == nil || r.gone || w.Empty() {
		return
	}
	o := Observation{Route: r.name, Time: now, Place: place, Begun: r.begun, Window: w}
	if e, ok := r.found.evidence.(judge.Evidence); ok && r.trial != nil {
		o.Evidence = &e
	}
	c.observer(o)
}
