package gateway

import (
	"fmt"

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
	p.check(hasOld || len(c.Backends) < 2 || c.MatchesAll(), "routes",
		"nothing says where a request goes that no route matches", `add a route with match ["/"], or name the old backend vm`)
}

// oldBackend is the backend that serves what no route matches.
const oldBackend = "vm"

func (r *Route) validateName(p *problems, i int, names map[string]int) {
	if r.Name == "" {
		p.check(false, "name", "the route has no name", "name it, as in wiki")
		return
	}
	p.check(setting.IsName(r.Name), "name", fmt.Sprintf("%q is not a name", r.Name), "use letters, digits, - _ and .")
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
