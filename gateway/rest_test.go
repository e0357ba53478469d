package gateway

import "testing"

func TestWhatNoRouteMatches(t *testing.T) {
	some := func(names ...string) Config {
		c := Config{Backends: map[string]Backend{}}
		for _, name := range names {
			c.Backends[name] = Backend{}
		}
		return c
	}
	routed := some("green", "blue")
	routed.Routes = []Route{{From: "blue"}}
	for want, c := range map[string]Config{"vm": some("containers", "vm"), "only": some("only"), "blue": routed} {
		if got := c.RestBackend(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	for pattern, all := range map[string]bool{
		"/": true, "/{rest...}": true, "/{path...}": true,
		"/{$}": false, "/{page}": false, "GET /": false, "a.example/": false, "/wiki/": false, "/{a}/{rest...}": false,
	} {
		c := Config{Routes: []Route{{Match: []string{"/wiki/"}}, {Match: []string{pattern}}}}
		if got := c.MatchesAll(); got != all {
			t.Errorf("%q matches all: %v", pattern, got)
		}
	}
}
