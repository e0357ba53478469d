package gateway

import (
	"slices"
	"strings"
)

// MatchesAll says whether a route has a pattern that catches every request that no other one does.
func (c *Config) MatchesAll() bool {
	return slices.ContainsFunc(c.Routes, func(r Route) bool { return slices.ContainsFunc(r.Match, isRoot) })
}

// isRoot is true for "/" and for "/{name...}", which is the same.
func isRoot(pattern string) bool {
	return pattern == "/" || strings.HasPrefix(pattern, "/{") && strings.HasSuffix(pattern, "...}") && strings.Count(pattern, "/") == 1
}

// RestBackend is the name of the backend that serves what no route matches: the old side, by name or because
// there is no other.
func (c *Config) RestBackend() string {
	if _, has := c.Backends[oldBackend]; has {
		return oldBackend
	}
	if len(c.Routes) > 0 {
		return c.Routes[0].From // Validate has seen that the routes match everything, or that it is the only one
	}
	for name := range c.Backends {
		return name
	}
	return oldBackend
}
