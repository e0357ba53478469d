package balance

import (
	"maps"
	"slices"
	"time"
)

// ServerStatus is what a group knows of one server, as the API shows it.
type ServerStatus struct {
	// ID is the server's IP address and port.
	ID string `json:"id"`
	// URL is the configured URL that led to it, with its port.
	URL string `json:"url"`
	// Health is what active checks say: unchecked (there are none), assumed (healthy until they say
	// otherwise, at the start), unknown (new, not checked yet), healthy, unhealthy; or absent: the ID is
	// drained and no server has it at present.
	Health string `json:"health"`
	// Drained servers get no requests until they are undrained.
	Drained bool `json:"drained"`
	// Ejected servers get none, because connects failed, until a trial goes well.
	Ejected bool `json:"ejected"`
	// Leaving servers are gone from the names and finish their requests.
	Leaving bool `json:"leaving"`
	// InFlight is the number of requests and upgraded connections under way.
	InFlight int `json:"inFlight"`
	// Since is when the server came into its present state.
	Since time.Time `json:"since,omitzero"`
	// SlowStartPart is the part of a full share it gets, 0.1 to 1.
	SlowStartPart float64 `json:"slowStartPart"`
	// Failures is the number of connects in a row that failed.
	Failures int `json:"failures"`
	// LastError is why it was last taken for unhealthy or ejected, or what the last bad check said. It
	// stays after the server is back.
	LastError string `json:"lastError,omitempty"`
}

// Status tells of every server: those present in the order of the configuration, those leaving, and
// drained IDs without a server.
func (g *Group[T]) Status() []ServerStatus {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	absent := maps.Clone(g.drained)
	all := []ServerStatus{}
	for _, s := range g.everyServer() {
		delete(absent, s.ID)
		all = append(all, ServerStatus{
			ID: s.ID, URL: s.URL.String(), Health: s.health, Drained: s.drained, Ejected: s.ejected, Leaving: s.leaving,
			InFlight: s.InFlight(), Since: s.since, SlowStartPart: g.weight(s.warm, now), Failures: s.failures, LastError: s.lastError,
		})
	}
	for _, id := range slices.Sorted(maps.Keys(absent)) {
		all = append(all, ServerStatus{ID: id, Health: healthAbsent, Drained: true})
	}
	return all
}

// Unhealthy are the IDs that checks have found unhealthy: what to hand to a successor's Options.Unhealthy.
func (g *Group[T]) Unhealthy() (ids []string) {
	for _, s := range g.Status() {
		if s.Health == healthBad && !s.Leaving {
			ids = append(ids, s.ID)
		}
	}
	return ids
}
