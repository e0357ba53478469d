package gateway

import (
	"fmt"
	"testing"
)

// Twenty customers write their hosts in four ways each: every customer is one user.
func TestOneCustomerIsOnOneSideHoweverHeWritesHisHost(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Sticky = Sticky{Host: true, Ahead: []string{"Ours.Example."}} })
	r.share(0.5)
	seen := map[string]int{}
	for i := range 20 {
		first := ""
		for _, spelling := range []string{"customer%d.example", "Customer%d.EXAMPLE", "customer%d.example:80", "customer%d.example."} {
			side := r.do("GET", "/", "", "Host", fmt.Sprintf(spelling, i)).body
			if first == "" {
				first = side
			}
			if side != first {
				t.Errorf("%s is on %s, the customer on %s", fmt.Sprintf(spelling, i), side, first)
			}
		}
		seen[first]++
	}
	if seen["vm"] == 0 || seen["containers"] == 0 {
		t.Errorf("customers by side: %v", seen)
	}
	p := placementOf(0)
	p.Ahead = true
	if err := r.Apply("all", p); err != nil {
		t.Fatal(err)
	}
	if side := r.do("GET", "/", "", "Host", "ours.example:80").body; side != "containers" {
		t.Errorf("a host that goes ahead is on %s", side)
	}
}

func TestRoutesByHostCompareHosts(t *testing.T) {
	r := newRig(t, func(c *Config) {
		c.Routes = append(c.Routes, moving("api", "Api.Example./v2/", "GET API.example:443/v3/{x}"))
	})
	if err := r.Apply("api", placementOf(1)); err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"api.example", "API.EXAMPLE", "api.example:80", "api.example.", "api.example:8443"} {
		for _, path := range []string{"/v2/", "/v3/1"} {
			if side := r.do("GET", path, "", "Host", host).body; side != "containers" {
				t.Errorf("%s%s: on %s", host, path, side)
			}
		}
	}
	if side := r.do("GET", "/v2/", "", "Host", "web.example").body; side != "vm" {
		t.Errorf("another host: on %s", side)
	}
}

func TestPatternsWithAPortOrTwice(t *testing.T) {
	s := newPatterns()
	if what, _ := s.add("api.example:8443/", "a"); what == "" {
		t.Error("a port is taken, though it is never compared")
	}
	if what, _ := s.add("api.example/", "a"); what != "" {
		t.Error(what)
	}
	if what, _ := s.add("API.example./", "b"); what == "" {
		t.Error("two spellings of one host are taken for two")
	}
	if what, _ := s.add("GET [::1]/x", "c"); what != "" {
		t.Error(what)
	}
}
