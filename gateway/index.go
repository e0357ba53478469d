package gateway

import (
	"fmt"
	"hash/maphash"
	"net/http"
	"net/url"
	"path"
	"strings"

	"yadokari/gateway/keys"
)

// index finds the route of a request. Like patterns, and for the same reason, it spreads the routes
// over several ServeMuxes by the first segment of their paths.
type index struct {
	seed      maphash.Seed
	hosts     bool // some patterns are for one host
	shards    []*http.ServeMux
	byPattern map[string]*route
}

// newIndex registers the patterns of all routes.
func newIndex(routes []*route) (*index, error) {
	x := &index{seed: maphash.MakeSeed(), byPattern: map[string]*route{}, shards: make([]*http.ServeMux, shardsFor(routes))}
	for i := range x.shards {
		x.shards[i] = http.NewServeMux()
	}
	for _, r := range routes {
		for _, written := range r.config.Match {
			pattern, host := tidyPattern(written)
			x.hosts = x.hosts || host != ""
			x.byPattern[pattern] = r
			shards := x.shards
			if segment, literal := firstSegment(pattern); literal {
				shards = []*http.ServeMux{x.shard(segment)}
			}
			for _, shard := range shards {
				if reason := registers(shard, pattern, r); reason != nil {
					return nil, fmt.Errorf("route %q: pattern %q: %v", r.name, written, reason)
				}
			}
		}
	}
	return x, nil
}

// shardsFor is one where so many patterns begin with a wildcard that having them all in every shard
// costs more than it saves.
func shardsFor(routes []*route) int {
	wild, all := 0, 0
	for _, r := range routes {
		for _, pattern := range r.config.Match {
			all++
			if _, literal := firstSegment(pattern); !literal {
				wild++
			}
		}
	}
	if wild >= maxWild || all < patternShards {
		return 1
	}
	return patternShards
}

func (x *index) shard(segment string) *http.ServeMux {
	if len(x.shards) == 1 {
		return x.shards[0]
	}
	return x.shards[maphash.String(x.seed, segment)%uint64(len(x.shards))]
}

// find is the route of a request, or nil. Where a ServeMux would redirect (to a cleaned path, or to a
// path with its slash), the route of the place it would redirect to is meant: the app answers as it
// always has.
func (x *index) find(r *http.Request) *route {
	mux := x.shards[0]
	if len(x.shards) > 1 {
		mux = x.shard(segmentOf(r.URL))
	}
	if x.hosts {
		r = withTidyHost(r)
	}
	handler, pattern := mux.Handler(r)
	if found, ok := handler.(*route); ok {
		return found
	}
	return x.byPattern[pattern]
}

// withTidyHost is the request with its host as patterns have theirs: a copy, when it differs. The port does
// not matter: a ServeMux compares without.
func withTidyHost(r *http.Request) *http.Request {
	host := keys.Host(r.Host)
	if host == r.Host {
		return r
	}
	tidy := *r
	tidy.Host = host
	return &tidy
}

// segmentOf is the first segment of the path as a ServeMux compares it: of the cleaned path, unescaped.
func segmentOf(u *url.URL) string {
	p := u.EscapedPath()
	if strings.Contains(p, "//") || strings.Contains(p, "/.") {
		p = path.Clean("/" + p)
	}
	segment, _, _ := strings.Cut(strings.TrimPrefix(p, "/"), "/")
	if strings.Contains(segment, "%") {
		if unescaped, err := url.PathUnescape(segment); err == nil {
			return unescaped
		}
	}
	return segment
}
