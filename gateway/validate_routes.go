package gateway

import (
	"fmt"
	"net/http"
	"strings"

	"yadokari/setting"
)

func (c *Config) validateRoutes(p *problems) {
	names := make(map[string]int, len(c.Routes))
	patterns := newPatterns()
	for i := range c.Routes {
		route := &c.Routes[i]
		var inside problems
		route.validateName(&inside, i, names)
		inside.check(len(route.Match) > 0, "match", "no pattern", `list patterns, as in "GET /wiki/"`)
		for j, pattern := range route.Match {
			what, remedy := patterns.add(pattern, route.Name)
			inside.check(what == "", setting.Path{"match", j}, what, remedy)
		}
		route.validateSides(&inside, c.Backends)
		inside.join(route.Mirror.Validate(), "mirror")
		if route.Shift != nil {
			inside.join(route.Shift.Validate(), "shift")
		}
		for _, problem := range inside {
			p.join(problem, "routes", i)
		}
	}
	_, hasOld := c.Backends[oldBackend]
	p.check(hasOld || len(c.Backends) < 2 || patterns.matchesAll(), "routes",
		"nothing says where a request goes that no route matches", `add a route with match ["/"], or name the old backend vm`)
}

// oldBackend is the backend that serves what no route matches.
const oldBackend = "vm"

func (r *Route) validateName(p *problems, i int, names map[string]int) {
	if r.Name == "" {
		p.check(false, "name", "the route has no name", "name it, as in wiki")
		return
	}
	p.check(isName(r.Name), "name", fmt.Sprintf("%q is not a name", r.Name), "use letters, digits, - _ and .")
	first, taken := names[r.Name]
	p.check(!taken, "name", fmt.Sprintf("route %d is named %q already", first+1, r.Name), "give every route a name of its own")
	if !taken {
		names[r.Name] = i
	}
}

func (r *Route) validateSides(p *problems, backends map[string]Backend) {
	if len(backends) == 0 {
		return // said once, where backends belong
	}
	_, known := backends[r.From]
	p.check(known, "from", fmt.Sprintf("no backend is named %q", r.From), nearestOf(r.From, backends))
	if r.Shift == nil {
		return // to is not used
	}
	_, known = backends[r.To]
	p.check(known, "to", fmt.Sprintf("no backend is named %q", r.To), nearestOf(r.To, backends))
	p.check(r.From != r.To, "to", fmt.Sprintf("the route moves from %q to itself", r.To), "name the new side")
}

// patterns are the patterns of all routes, registered one by one as the gateway will.
type patterns struct {
	mux    *http.ServeMux
	routes map[string]string // pattern to its route's name
	order  []string
	search int // how many comparisons may still be made to name the other of two that conflict
}

func newPatterns() *patterns {
	return &patterns{mux: http.NewServeMux(), routes: map[string]string{}, search: 200_000}
}

// add registers a pattern and says what is wrong with it and what to do, or "".
func (s *patterns) add(pattern, route string) (what, remedy string) {
	if owner, twice := s.routes[pattern]; twice {
		return fmt.Sprintf("%q is a pattern of route %q already", pattern, owner), "leave one of them out"
	}
	if method, _, ok := strings.Cut(pattern, " "); ok && method != strings.ToUpper(method) {
		return fmt.Sprintf("%q begins with a method in small letters, which no request has", pattern), "write " + strings.ToUpper(method)
	}
	if registers(http.NewServeMux(), pattern) != nil {
		return fmt.Sprintf("%q is not a pattern", pattern), `write "[METHOD ][HOST]/PATH", as in "GET /wiki/" or "/wiki/{page}"`
	}
	if registers(s.mux, pattern) != nil {
		return fmt.Sprintf("%q conflicts with %s: both match some requests, and neither is the more specific", pattern, s.rival(pattern)),
			"make one of them more specific, or leave it out"
	}
	s.routes[pattern] = route
	s.order = append(s.order, pattern)
	return "", ""
}

// rival names the pattern that the given one conflicts with.
func (s *patterns) rival(pattern string) string {
	for _, other := range s.order {
		if s.search--; s.search < 0 {
			break
		}
		pair := http.NewServeMux()
		if registers(pair, other) == nil && registers(pair, pattern) != nil {
			return fmt.Sprintf("%q of route %q", other, s.routes[other])
		}
	}
	return "an earlier pattern"
}

// matchesAll says whether a pattern catches every request that no other one does.
func (s *patterns) matchesAll() bool {
	_, root := s.routes["/"]
	_, rest := s.routes["/{rest...}"]
	return root || rest
}

// registers returns the reason for which mux refuses the pattern: it tells by a panic.
func registers(mux *http.ServeMux, pattern string) (reason any) {
	defer func() { reason = recover() }()
	mux.Handle(pattern, http.NotFoundHandler())
	return nil
}
