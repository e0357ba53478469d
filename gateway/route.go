package gateway

import (
	"fmt"
	"net/http"
	"sync/atomic"

	"yadokari/gateway/mirror"
)

// route is one set of URLs as the data plane sees it. What it did (record) outlives a reload of the
// configuration; the rest never changes.
type route struct {
	name     string
	config   Route
	old, new *backend // new is nil for a route that does not move
	mirror   *mirror.Mirror
	*record
}

// record is what a route's requests did and where they are placed now.
type record struct {
	placement atomic.Pointer[placement]
	sides     [2]tally
	streak    streak
	fallbacks atomic.Uint64
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
	config    *Config
	mux       *http.ServeMux
	routes    []*route
	byName    map[string]*route
	byPattern map[string]*route
	rest      *route // for requests that no route matches
	backends  map[string]*backend
	sticky    *sticky
	peers     peers
	override  *override
}

// index makes the routes findable by request.
func (t *table) index() (err error) {
	t.mux = http.NewServeMux()
	t.byName, t.byPattern = map[string]*route{}, map[string]*route{}
	for _, r := range t.routes {
		t.byName[r.name] = r
		for _, pattern := range r.config.Match {
			if err := register(t.mux, pattern, r); err != nil {
				return fmt.Errorf("route %q: pattern %q: %w", r.name, pattern, err)
			}
			t.byPattern[pattern] = r
		}
	}
	return nil
}

// register turns the panic by which ServeMux refuses a pattern into an error.
func register(mux *http.ServeMux, pattern string, r *route) (err error) {
	defer func() {
		if reason := recover(); reason != nil {
			err = fmt.Errorf("%v", reason)
		}
	}()
	mux.Handle(pattern, r)
	return nil
}

// find is the route of a request. Where a ServeMux would redirect (to a cleaned path, or to a path
// with its slash), the route of the place it would redirect to is meant: the app answers as it
// always has.
func (t *table) find(r *http.Request) *route {
	handler, pattern := t.mux.Handler(r)
	if found, ok := handler.(*route); ok {
		return found
	}
	if found, ok := t.byPattern[pattern]; ok {
		return found
	}
	return t.rest
}
