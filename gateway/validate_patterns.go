package gateway

import (
	"fmt"
	"hash/maphash"
	"net/http"
	"net/url"
	"strings"

	"yadokari/gateway/keys"
)

// patterns are the patterns of all routes, registered one by one as the gateway will.
//
// A ServeMux compares a new pattern with every one that ends in a slash, which takes many seconds for
// ten thousand routes. Two patterns whose first segments are different literals can neither conflict
// nor match the same request, so they are spread over several ServeMuxes by that segment. The few whose
// first segment is a wildcard are in all of them.
type patterns struct {
	seed   maphash.Seed
	shards []*http.ServeMux
	wild   int               // how many that begin with a wildcard were met
	routes map[string]string // pattern to its route's name
	order  []string
	search int // how many comparisons may still be made to name the other of two that conflict
}

const (
	patternShards = 256
	// maxWild is how many patterns may be in every shard before one shard for all is faster.
	maxWild = 32
	// maxSearch bounds the search for the names of those that conflict to a fraction of a second.
	maxSearch = 100_000
)

func newPatterns() *patterns {
	s := &patterns{seed: maphash.MakeSeed(), routes: map[string]string{}, search: maxSearch}
	s.spread(patternShards)
	return s
}

// add registers a pattern and says what is wrong with it and what to do, or "".
func (s *patterns) add(pattern, route string) (what, remedy string) {
	written := pattern
	pattern, host := tidyPattern(pattern)
	if _, port, ok := strings.Cut(host, ":"); ok && !strings.HasSuffix(host, "]") {
		return fmt.Sprintf("%q has a port (%s), and hosts are compared without", written, port), "leave the port out"
	}
	if owner, twice := s.routes[pattern]; twice {
		return fmt.Sprintf("%q is a pattern of route %q already", pattern, owner), "leave one of them out"
	}
	if method, _, ok := strings.Cut(pattern, " "); ok && method != strings.ToUpper(method) {
		return fmt.Sprintf("%q begins with a method in small letters, which no request has", pattern), "write " + strings.ToUpper(method)
	}
	_, literal := firstSegment(pattern)
	if !literal && !isPattern(pattern) { // those are few; the others are looked at when they fail
		return notAPattern(pattern)
	}
	if !s.register(pattern) {
		if literal && !isPattern(pattern) {
			return notAPattern(pattern)
		}
		return fmt.Sprintf("%q conflicts with %s: both match some requests, and neither is the more specific", pattern, s.rival(pattern)),
			"make one of them more specific, or leave it out"
	}
	s.routes[pattern] = route
	s.order = append(s.order, pattern)
	return "", ""
}

func notAPattern(pattern string) (what, remedy string) {
	return fmt.Sprintf("%q is not a pattern", pattern), `write "[METHOD ][HOST]/PATH", as in "GET /wiki/" or "/wiki/{page}"`
}

func isPattern(pattern string) bool {
	return registers(http.NewServeMux(), pattern, http.NotFoundHandler()) == nil
}

// register returns false, and has changed nothing, when the pattern conflicts with one registered
// before, or is none.
func (s *patterns) register(pattern string) bool {
	segment, literal := firstSegment(pattern)
	if literal {
		return registers(s.shard(segment), pattern, http.NotFoundHandler()) == nil
	}
	if s.wild++; s.wild == maxWild {
		s.spread(1)
	}
	for i, shard := range s.shards {
		if registers(shard, pattern, http.NotFoundHandler()) != nil {
			if i > 0 { // the shards before this one have it
				s.spread(len(s.shards))
			}
			return false
		}
	}
	return true
}

func (s *patterns) shard(segment string) *http.ServeMux {
	return s.shards[maphash.String(s.seed, segment)%uint64(len(s.shards))]
}

// spread registers all patterns so far in n new shards.
func (s *patterns) spread(n int) {
	s.shards = make([]*http.ServeMux, n)
	for i := range s.shards {
		s.shards[i] = http.NewServeMux()
	}
	for _, pattern := range s.order {
		segment, literal := firstSegment(pattern)
		if literal {
			registers(s.shard(segment), pattern, http.NotFoundHandler())
			continue
		}
		for _, shard := range s.shards {
			registers(shard, pattern, http.NotFoundHandler())
		}
	}
}

// rival names the pattern that the given one conflicts with.
func (s *patterns) rival(pattern string) string {
	segment, literal := firstSegment(pattern)
	for _, other := range s.order {
		if first, also := firstSegment(other); literal && also && first != segment {
			continue
		}
		if s.search--; s.search < 0 {
			break
		}
		pair := http.NewServeMux()
		if registers(pair, other, http.NotFoundHandler()) == nil && registers(pair, pattern, http.NotFoundHandler()) != nil {
			return fmt.Sprintf("%q of route %q", other, s.routes[other])
		}
	}
	return "an earlier pattern"
}

// tidyPattern is a pattern with its host as hosts are compared (keys.Host), and the host; "" when it is for
// every host.
func tidyPattern(pattern string) (tidy, host string) {
	start := 0
	if method, rest, ok := strings.Cut(pattern, " "); ok && !strings.Contains(method, "/") {
		start = len(pattern) - len(strings.TrimLeft(rest, " \t"))
	}
	end := strings.IndexByte(pattern[start:], '/')
	if end <= 0 {
		return pattern, ""
	}
	host = keys.Host(pattern[start : start+end])
	return pattern[:start] + host + pattern[start+end:], host
}

// firstSegment returns the first segment of a pattern's path as a ServeMux compares it, and whether it
// is a literal: "/{page}" and "/" match any.
func firstSegment(pattern string) (segment string, literal bool) {
	_, path, _ := strings.Cut(pattern, "/") // a method and a host hold none
	segment, _, _ = strings.Cut(path, "/")
	if unescaped, err := url.PathUnescape(segment); err == nil {
		segment = unescaped
	}
	return segment, segment != "" && !strings.HasPrefix(segment, "{")
}

// registers returns the reason for which mux refuses the pattern: it tells by a panic.
func registers(mux *http.ServeMux, pattern string, handler http.Handler) (reason any) {
	defer func() { reason = recover() }()
	mux.Handle(pattern, handler)
	return nil
}
