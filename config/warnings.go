package config

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"yadokari/gateway"
	"yadokari/shift"
)

// longKeepAlive is where a connection kept by the gateway may outlive the server's patience: 60 s is
// common among balancers and application servers, and NGINX waits 75 s.
const longKeepAlive = 60 * time.Second

// slowFors is how many times tolerate.slowFor it takes at the least until a latency can decide.
const slowFors = 2

// warnings are what is valid, but rarely meant, in the order of the file.
func (f *File) warnings(g *gateway.Config) []Warning {
	found := newFinder(f.Path)
	warn := func(text string, path ...any) {
		path = append([]any{"gateway"}, path...)
		found.add(f.merged.locate(path), path, text, "")
	}
	if text := faultOfState(g.State); text != "" {
		warn(text, "state")
	}
	warnOfUsers(g, warn)
	warnOfBackends(g, warn)
	warnOfAffinity(g, warn)
	warnOfRoutes(g, warn)
	found.faults.sort()
	all := make([]Warning, len(found.faults))
	for i, w := range found.faults {
		all[i] = Warning{Place: fmt.Sprintf("%s:%d:%d", w.File, w.Line, w.Column), Path: w.Path, Text: w.What}
	}
	return all
}

// faultOfState says why the state directory cannot be used on this machine, by this user.
func faultOfState(dir string) string {
	info, err := os.Stat(dir)
	switch {
	case os.IsNotExist(err):
		return fmt.Sprintf("%s does not exist on this machine; make it, owned by the user that runs the gateway", dir)
	case err != nil:
		return fmt.Sprintf("%s cannot be looked at on this machine: %v", dir, err)
	case !info.IsDir():
		return fmt.Sprintf("%s is not a directory", dir)
	case unix.Access(dir, unix.W_OK|unix.X_OK) != nil:
		return fmt.Sprintf("%s cannot be written by this user", dir)
	}
	return ""
}

func warnOfBackends(g *gateway.Config, warn func(string, ...any)) {
	used := map[string]bool{g.RestBackend(): true}
	for i := range g.Routes {
		used[g.Routes[i].From] = true
		if g.Routes[i].Shift != nil {
			used[g.Routes[i].To] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(g.Backends)) {
		b := g.Backends[name]
		if !used[name] {
			warn("no route uses this backend", "backends", name)
		}
		if b.Upstream.KeepAlive > longKeepAlive {
			warn(fmt.Sprintf("connections are kept for %s, longer than many servers do (Apache 5s, Tomcat 20s, NGINX 75s): a request may meet one that is being closed; "+
				"keep it below the servers' own time", b.Upstream.KeepAlive), "backends", name, "keepAlive")
		}
		https := func(server string) bool { return strings.HasPrefix(server, "https://") }
		if b.Upstream.CA != "" && !slices.ContainsFunc(b.Balance.Servers, https) {
			warn("no server of this backend is asked over https, so the authorities are not used", "backends", name, "ca")
		}
	}
}

func warnOfRoutes(g *gateway.Config, warn func(string, ...any)) {
	if !g.MatchesAll() {
		warn(fmt.Sprintf("no route matches every request: what is left goes to %s and is not counted by route; add one with match [\"/\"]", g.RestBackend()), "routes")
	}
	for i := range g.Routes {
		r := &g.Routes[i]
		if s := r.Shift; s != nil && s.Promote == shift.Auto && s.Hold < slowFors*s.Tolerate.SlowFor && s.Tolerate.JudgesTime() {
			warn(fmt.Sprintf("a stage may pass before answers can be told to be slow, which takes %s (tolerate.slowFor) and more: hold each for %s at the least",
				s.Tolerate.SlowFor, slowFors*s.Tolerate.SlowFor), "routes", i, "shift", "hold")
		}
		if r.Shift == nil || r.Shift.Stages[0] != shift.MirrorStage {
			continue
		}
		if !slices.ContainsFunc(r.Match, mayBeSafe) {
			warn("the journey begins with mirror, but the route has no safe requests (GET, HEAD, OPTIONS) to copy: it would wait forever; begin with a share",
				"routes", i, "shift", "stages")
		}
	}
}

// mayBeSafe says whether a pattern matches requests of a method that only reads.
func mayBeSafe(pattern string) bool {
	method, _, ok := strings.Cut(pattern, " ")
	return !ok || method == "GET" || method == "HEAD" || method == "OPTIONS"
}
