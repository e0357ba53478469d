package gateway

import (
	"net/http"
	"sync/atomic"

	"yadokari/gateway/keys"
)

// route is one set of URLs as the data plane sees it. What it did (record) outlives a reload of the
// configuration; the rest never changes.
type route struct {
	name     string
	config   Route
	old, new *backend // new is nil for a route that does not move
	copier   *copier  // nil for one, too
	*record
}

// record is what a route's requests did and where they are placed now.
type record struct {
	placement atomic.Pointer[placement]
	sides     [2]tally
	streak    streak // first attempts on the new side that fail one after the other
	fallbacks atomic.Uint64
	late      atomic.Uint64              // requests that ended after the route had moved; left out of the verdict
	collected struct{ fallbacks uint64 } // of the collector alone
	sessions  sessions                   // upgraded connections to the new side
}

func newRecord() *record {
	r := &record{}
	r.placement.Store(&placement{})
	return r
}

// backendOf is where requests placed on s are served.
func (r *route) backendOf(s side) *backend {
	if s == newSide && r.new != nil {
		return r.new
	}
	return r.old
}

// ServeHTTP lets a route be registered in a ServeMux, which is used for finding, not for serving.
func (r *route) ServeHTTP(http.ResponseWriter, *http.Request) {}

// table is everything a request needs to know of the configuration. It never changes; a reload puts
// another in its place.
type table struct {
	config   *Config
	routes   []*route
	byName   map[string]*route
	index    *index
	rest     *route // for requests that no route matches
	backends map[string]*backend
	sticky   *sticky
	ring     *keys.Ring          // nil: no cookie of the gateway's own is needed
	cut      map[string]struct{} // names of the gateway's own cookies; nil: there are none
	peers    peers
	override *override
}

// find is the route of a request.
func (t *table) find(r *http.Request) *route {
	if found := t.index.find(r); found != nil {
		return found
	}
	return t.rest
}
