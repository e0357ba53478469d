package gateway

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
)

// manyRoutes are n routes of two patterns each, with a few that begin with a wildcard.
func manyRoutes(n int) []*route {
	routes := make([]*route, n)
	for i := range routes {
		name := fmt.Sprintf("r%d", i)
		routes[i] = &route{name: name, config: Route{Name: name, Match: []string{
			fmt.Sprintf("GET /section%d/", i), fmt.Sprintf("POST /section%d/{page}", i),
		}}}
	}
	return append(routes,
		&route{name: "any", config: Route{Name: "any", Match: []string{"GET /{section}/about"}}},
		&route{name: "root", config: Route{Name: "root", Match: []string{"/"}}},
		&route{name: "escaped", config: Route{Name: "escaped", Match: []string{"/a%2Fb/x"}}})
}

func TestIndexAgreesWithOneServeMux(t *testing.T) {
	routes := manyRoutes(300)
	routes[len(routes)-3].config.Match = []string{"GET /{section}/x/y/about"} // the other conflicts with "GET /section0/"
	for i := range 300 {
		routes[i].config.Match = []string{fmt.Sprintf("/section%d/{page}", i), fmt.Sprintf("POST /section%d/sub/", i)}
	}
	spread, err := newIndex(routes)
	if err != nil {
		t.Fatal(err)
	}
	if len(spread.shards) == 1 {
		t.Fatal("the routes are not spread: nothing is compared")
	}
	one := &index{seed: spread.seed, shards: []*http.ServeMux{http.NewServeMux()}, byPattern: spread.byPattern}
	for _, r := range routes {
		for _, pattern := range r.config.Match {
			if reason := registers(one.shards[0], pattern, r); reason != nil {
				t.Fatal(reason)
			}
		}
	}
	for _, method := range []string{"GET", "POST", "PROPFIND"} {
		for _, target := range []string{
			"/", "/section1/page", "/section299/page", "/section7/sub/x", "/section7/sub", "/x/../section2/page", "//section3/page",
			"/section4/./page", "/a%2Fb/x", "/a/b/x", "/%73ection5/page", "/anything/x/y/about", "/section6/x/y/about", "/section8", "/..", "/.",
		} {
			r := httptest.NewRequest(method, target, nil)
			if got, want := spread.find(r), one.find(r); got != want {
				t.Errorf("%s %s: %v, with one ServeMux %v", method, target, nameOf(got), nameOf(want))
			}
		}
	}
}

func nameOf(r *route) string {
	if r == nil {
		return "none"
	}
	return r.name
}

func TestIndexRefusesConflicts(t *testing.T) {
	_, err := newIndex([]*route{
		{name: "a", config: Route{Match: []string{"/x/{y}"}}}, {name: "b", config: Route{Match: []string{"/{x}/y"}}},
	})
	if err == nil {
		t.Fatal("no error")
	}
}

func BenchmarkFindAmongTenThousandRoutes(b *testing.B) {
	routes := manyRoutes(10_000)
	routes = append(routes[:10_000], routes[10_001:]...)
	x, err := newIndex(routes)
	if err != nil {
		b.Fatal(err)
	}
	r := httptest.NewRequest("GET", "/section5000/some/page?query=1", nil)
	b.ReportAllocs()
	for b.Loop() {
		if x.find(r) == nil {
			b.Fatal("not found")
		}
	}
}

func BenchmarkIndexTenThousandRoutes(b *testing.B) {
	routes := manyRoutes(10_000)
	routes = append(routes[:10_000], routes[10_001:]...)
	for b.Loop() {
		if _, err := newIndex(routes); err != nil {
			b.Fatal(err)
		}
	}
}
