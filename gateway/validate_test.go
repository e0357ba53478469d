package gateway

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"yadokari/certs"
	"yadokari/setting"
	"yadokari/shift"
)

// validConfig is a gateway between two backends with one moving route.
func validConfig() *Config {
	c := &Config{}
	setting.Defaults(c)
	c.Backends = map[string]Backend{}
	for name, server := range map[string]string{"vm": "http://10.0.1.11:9000", "containers": "http://tracker.svc"} {
		b := Backend{}
		setting.Defaults(&b)
		b.Balance.Servers = []string{server}
		c.Backends[name] = b
	}
	c.Routes = []Route{validRoute("wiki", "/wiki/")}
	return c
}

func validRoute(name string, match ...string) Route {
	r := Route{}
	setting.Defaults(&r)
	r.Name, r.Match = name, match
	r.Shift = &shift.Config{}
	setting.Defaults(r.Shift)
	return r
}

func TestValidConfig(t *testing.T) {
	if err := validConfig().Validate(); err != nil {
		t.Error(err)
	}
}

// TestValidateNamesThePlace changes one setting at a time. What is said of files as a whole is in
// config's golden files.
func TestValidateNamesThePlace(t *testing.T) {
	backend := func(c *Config, change func(*Backend)) {
		b := c.Backends["vm"]
		change(&b)
		c.Backends["vm"] = b
	}
	for path, change := range map[string]func(*Config){
		"listen":                    func(c *Config) { c.Listen = "host:http" },
		"admin.listen":              func(c *Config) { c.Admin.Listen = ":8081" },
		"admin":                     func(c *Config) { c.Listen = c.Admin.Listen },
		"backends":                  func(c *Config) { c.Backends = nil },
		"backends.vm.servers":       func(c *Config) { backend(c, func(b *Backend) { b.Balance.Servers = nil }) },
		"backends.vm.servers[0]":    func(c *Config) { backend(c, func(b *Backend) { b.Balance.Servers[0] = "http://a?x" }) },
		"backends.vm.response":      func(c *Config) { backend(c, func(b *Backend) { b.Upstream.Response = 0 }) },
		"backends.vm.keepAlive":     func(c *Config) { backend(c, func(b *Backend) { b.Upstream.KeepAlive = -1 }) },
		"backends.vm.slowStart":     func(c *Config) { backend(c, func(b *Backend) { b.Balance.SlowStart = -1 }) },
		`backends["a/b"]`:           func(c *Config) { c.Backends["a/b"] = c.Backends["vm"] },
		"fallback.request":          func(c *Config) { c.Fallback.Request = -1 },
		"fallback.response":         func(c *Config) { c.Fallback.Response = -1 },
		"fallback.hold":             func(c *Config) { c.Fallback.Hold = -1 },
		"limits.body":               func(c *Config) { c.Limits.Body = -1 },
		"limits.requestTime":        func(c *Config) { c.Limits.RequestTime = -1 },
		"shutdown.deregister":       func(c *Config) { c.Shutdown.Deregister = -1 },
		"shutdown.drain":            func(c *Config) { c.Shutdown.Drain = -1 },
		"sticky.cookie":             func(c *Config) { c.Sticky.Cookie = "a;b" },
		"sticky.header":             func(c *Config) { c.Sticky.Header = "a:b" },
		"trustedPeers[0]":           func(c *Config) { c.TrustedPeers = []string{"localhost"} },
		"routes[0].name":            func(c *Config) { c.Routes[0].Name = ".." },
		"routes[0].match":           func(c *Config) { c.Routes[0].Match = nil },
		"routes[0].shift.stages":    func(c *Config) { c.Routes[0].Shift.Stages = nil },
		"routes[0].mirror.examples": func(c *Config) { c.Routes[0].Mirror.Examples = -1 },
		"routes[1].match[1]":        func(c *Config) { c.Routes = append(c.Routes, validRoute("b", "/b", "POST /{x}/")) },
		"tls.key":                   func(c *Config) { c.TLS = &certs.Files{Cert: "c"} },
	} {
		c := validConfig()
		change(c)
		problems := setting.Problems(c.Validate())
		if len(problems) != 1 || problems[0].Path.String() != path || problems[0].What == "" || problems[0].Remedy == "" {
			t.Errorf("%s: got %v", path, problems)
		}
	}
}

// TestPatternsAgreeWithServeMux compares the spread patterns with one ServeMux for all, on random sets
// with many conflicts, below and above the number of wildcards that are kept in every shard.
func TestPatternsAgreeWithServeMux(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	segments := []string{"a", "b", "%61", "c", "d", "{x}"}
	conflicts := 0
	for round := range 200 {
		one, spread := newPatterns(), newPatterns()
		one.spread(1)
		for range 1 + round/2 {
			var b strings.Builder
			b.WriteString([]string{"", "", "GET ", "POST "}[random.IntN(4)] + []string{"", "h"}[random.IntN(2)])
			for i := range 1 + random.IntN(3) {
				segment := segments[random.IntN(len(segments))]
				b.WriteString("/" + strings.Replace(segment, "x", fmt.Sprint("x", i), 1))
			}
			b.WriteString([]string{"", "", "/", "/{rest...}", "/{$}"}[random.IntN(5)])
			pattern := b.String()
			whatOne, _ := one.add(pattern, "r")
			whatSpread, _ := spread.add(pattern, "r")
			if (whatOne == "") != (whatSpread == "") {
				t.Fatalf("%s after %q: %q, but %q", pattern, spread.order, whatOne, whatSpread)
			}
			if strings.Contains(whatOne, "conflicts") {
				conflicts++
			}
		}
	}
	if conflicts < 1000 {
		t.Errorf("only %d conflicts were met", conflicts)
	}
}

func TestManyWildcardsJoinTheShards(t *testing.T) {
	s := newPatterns()
	for i := range 3 * maxWild {
		if what, _ := s.add(fmt.Sprintf("/{x}/part%d/", i), "r"); what != "" {
			t.Fatal(what)
		}
		if what, _ := s.add(fmt.Sprintf("/part%d", i), "r"); what != "" {
			t.Fatal(what)
		}
	}
	if len(s.shards) != 1 {
		t.Errorf("%d shards", len(s.shards))
	}
	what, _ := s.add("/{x}/{y}/z", "r")
	if !strings.Contains(what, `"/{x}/part0/" of route "r"`) {
		t.Errorf("got %q", what)
	}
}

func TestManyConflictsAreFoundWithinTheBound(t *testing.T) {
	s := newPatterns()
	unnamed := 0
	for i := range 2_000 {
		s.add(fmt.Sprintf("/{x}/%d/", i), "r")
		if what, _ := s.add(fmt.Sprintf("/%d/{y}/", i), "r"); strings.Contains(what, "an earlier pattern") {
			unnamed++
		} else if !strings.Contains(what, "conflicts with") {
			t.Fatalf("got %q", what)
		}
	}
	if s.search > maxSearch || unnamed > 0 {
		t.Errorf("%d conflicts do not say with what", unnamed)
	}
}

func TestFirstSegment(t *testing.T) {
	for pattern, want := range map[string]string{
		"/a/b": "a", "GET /a": "a", "GET h.example/a/": "a", "/%61/": "a", "/a%2Fb/c": "a/b", "/": "", "/{x}": "", "/{$}": "", "h/{x...}": "",
	} {
		segment, literal := firstSegment(pattern)
		if literal != (want != "") || literal && segment != want {
			t.Errorf("%s: got %q, %v", pattern, segment, literal)
		}
	}
}

func TestValidateFilesShowsNoSecret(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret")
	c := validConfig()
	c.Override = &Override{Header: "X-Side", SecretFile: secret}
	for text, good := range map[string]bool{"0123456789abcdef\n": true, "hunter2\n": false, "": false} {
		if err := os.WriteFile(secret, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		err := c.ValidateFiles()
		if (err == nil) != good {
			t.Errorf("%x: %v", sha256.Sum256([]byte(text)), err)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Error("the message shows the secret")
		}
	}
	if err := os.Remove(secret); err != nil {
		t.Fatal(err)
	}
	problems := setting.Problems(c.ValidateFiles())
	if len(problems) != 1 || problems[0].Path.String() != "override.secretFile" || !strings.Contains(problems[0].What, secret) {
		t.Errorf("got %v", problems)
	}
}

func TestNearestOfListsWhatThereIs(t *testing.T) {
	known := map[string]int{"vm": 1, "containers": 2}
	if got := nearestOf("contaienrs", known); got != "did you mean containers?" {
		t.Error(got)
	}
	want := "known: " + strings.Join(slices.Sorted(maps.Keys(known)), ", ")
	if got := nearestOf("elsewhere", known); got != want {
		t.Error(got)
	}
}
