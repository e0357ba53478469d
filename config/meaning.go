package config

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"time"

	"yadokari/admin"
	"yadokari/gateway"
)

// Meaning is what a file comes down to, in words and figures a person can check.
type Meaning struct {
	Cluster string `json:"cluster,omitempty"` // the service cluster; "" for the file without one
	App     string `json:"app"`
	// Differs are the settings that the service cluster changes, in the order of the file.
	Differs  []string         `json:"differs,omitempty"`
	Words    []string         `json:"words"` // sentences on what is served where, and who stays
	Backends []BackendMeaning `json:"backends"`
	Routes   []RouteMeaning   `json:"routes"`
	Warnings []Warning        `json:"warnings"`
}

// BackendMeaning is one backend.
type BackendMeaning struct {
	Name    string   `json:"name"`
	Servers []string `json:"servers"`
}

// RouteMeaning is one route and its journey.
type RouteMeaning struct {
	Name    string   `json:"name"`
	Match   []string `json:"match"`
	From    string   `json:"from"`
	To      string   `json:"to,omitempty"`      // "" when the route stays
	Stages  []string `json:"stages,omitempty"`  // of the journey
	Promote string   `json:"promote,omitempty"` // auto or manual
	// LeastSeconds is the least time from the start of the journey to its end: every stage's hold.
	LeastSeconds float64 `json:"leastSeconds,omitempty"`
	// Skipped are the requests that are never copied although they are safe, in the form of mirror.skip.
	Skipped []string `json:"skipped,omitempty"`
}

// Least is LeastSeconds as a duration.
func (r *RouteMeaning) Least() time.Duration {
	return time.Duration(r.LeastSeconds * float64(time.Second))
}

// Warning is something that is valid, but rarely meant.
type Warning struct {
	Place string `json:"place"` // FILE:LINE:COLUMN
	Path  string `json:"path"`  // of the setting
	Text  string `json:"text"`
}

// String is one line: FILE:LINE:COLUMN: path: text.
func (w Warning) String() string { return w.Place + ": " + w.Path + ": " + w.Text }

// Explain says what the file means. It looks at this machine only for the state directory.
func (f *File) Explain() *Meaning {
	m := &Meaning{
		Cluster: f.Cluster, App: f.Config.App, Differs: f.differs(),
		Backends: []BackendMeaning{}, Routes: []RouteMeaning{}, Warnings: []Warning{},
	}
	if g := f.Config.Gateway; g != nil {
		f.explainGateway(m, g)
	} else if f.Config.Agent == nil {
		m.Words = []string{"There is no gateway: section, so nothing listens."}
	} else {
		m.Words = []string{"There is no gateway: section, so nothing listens for users."}
	}
	if f.Config.Agent != nil {
		m.Words = append(m.Words, wordsOnAgent(f.Config.Agent)...)
	}
	return m
}

func (f *File) explainGateway(m *Meaning, g *gateway.Config) {
	for _, name := range slices.Sorted(maps.Keys(g.Backends)) {
		m.Backends = append(m.Backends, BackendMeaning{Name: name, Servers: g.Backends[name].Balance.Servers})
	}
	for i := range g.Routes {
		m.Routes = append(m.Routes, meaningOf(&g.Routes[i]))
	}
	m.Words = append(wordsOnListening(g), wordsOnUsers(g)...)
	m.Words = append(m.Words, wordsOnStaying(g)...)
	m.Warnings = append(m.Warnings, f.warnings(g)...)
}

func meaningOf(r *gateway.Route) RouteMeaning {
	m := RouteMeaning{Name: r.Name, Match: r.Match, From: r.From, Skipped: skippedOf(r)}
	if s := r.Shift; s != nil {
		m.To, m.Stages, m.Promote = r.To, s.Stages, s.Promote
		m.LeastSeconds = (s.Hold * time.Duration(len(s.Stages))).Seconds()
	}
	return m
}

func wordsOnListening(g *gateway.Config) []string {
	protocol := "plain HTTP/1.1"
	switch {
	case g.TLS != nil:
		protocol = "HTTPS (HTTP/1.1 and HTTP/2) with " + g.TLS.Cert
	case g.H2C:
		protocol = "plain HTTP/1.1 and HTTP/2"
	}
	return []string{
		fmt.Sprintf("Users' requests arrive at %s, %s.", g.Listen, protocol),
		fmt.Sprintf("API, metrics and probes are at %s, %s.", g.Admin.Listen, wordsOnCallers(g)),
		fmt.Sprintf("Shares and the ledger are kept in %s; the access log goes to %s.", g.State, g.AccessLog),
		fmt.Sprintf("After SIGTERM it serves on for %s, then finishes what is under way within %s: give it %s in systemd (TimeoutStopSec) or Kubernetes (terminationGracePeriodSeconds).",
			g.Shutdown.Deregister, g.Shutdown.Drain, g.Shutdown.Deregister+g.Shutdown.Drain),
	}
}

func wordsOnCallers(g *gateway.Config) string {
	var ways []string
	if g.Admin.TokenFile != "" {
		ways = append(ways, "callers named in "+g.Admin.TokenFile)
	}
	if g.Admin.ClientCA != "" {
		ways = append(ways, "callers with a certificate of "+g.Admin.ClientCA)
	}
	if ways == nil {
		return "for everyone on this machine"
	}
	return "for " + strings.Join(ways, " or ")
}

func wordsOnUsers(g *gateway.Config) []string {
	key := "the client's address"
	switch s := g.Sticky; {
	case s.Own && s.Cookie != "":
		key = fmt.Sprintf("the gateway's cookie %s, without it by the cookie %s, and without both by the client's address", s.Name, s.Cookie)
	case s.Own && s.Header != "":
		key = fmt.Sprintf("the gateway's cookie %s, without it by the header %s, and without both by the client's address", s.Name, s.Header)
	case s.Own:
		key = fmt.Sprintf("the gateway's cookie %s, and without it by the client's address", s.Name)
	case s.Cookie != "":
		key = fmt.Sprintf("the cookie %s, and without it the client's address", s.Cookie)
	case s.Header != "":
		key = fmt.Sprintf("the header %s, and without it the client's address", s.Header)
	case s.Host:
		key = "the host that is asked for"
	}
	words := []string{fmt.Sprintf("A user is known by %s.", key)}
	for _, name := range slices.Sorted(maps.Keys(g.Backends)) {
		if a := g.Backends[name].Affinity; a != nil && a.Cookie == "own" {
			words = append(words, fmt.Sprintf("On %s a user stays on one server, by the gateway's cookie %s-%s.", name, g.Sticky.Name, name))
		} else if a != nil {
			words = append(words, fmt.Sprintf("On %s a user stays on one server, by the cookie %s.", name, a.Cookie))
		}
	}
	if n := len(g.Sticky.Ahead); n > 0 {
		words = append(words, fmt.Sprintf("Ahead of every share go %s.", strings.Join(g.Sticky.Ahead, ", ")))
	}
	if g.Override != nil {
		words = append(words, fmt.Sprintf("Testers choose a side with %s: BACKEND:SECRET.", g.Override.Header))
	}
	return words
}

// wordsOnStaying says which requests the old side goes on serving whatever happens.
func wordsOnStaying(g *gateway.Config) []string {
	var words []string
	staying := map[string][]string{}
	moving := false
	for i := range g.Routes {
		r := &g.Routes[i]
		if r.Shift == nil {
			staying[r.From] = append(staying[r.From], r.Name)
			continue
		}
		moving = true
	}
	for _, backend := range slices.Sorted(maps.Keys(staying)) {
		words = append(words, fmt.Sprintf("These routes stay on %s: %s.", backend, strings.Join(staying[backend], ", ")))
	}
	if !g.MatchesAll() {
		words = append(words, fmt.Sprintf("Requests that no route matches stay on %s.", g.RestBackend()))
	}
	words = append(words, wordsOnCopies(g)...)
	words = append(words, wordsOnSignals(g)...)
	if moving {
		words = append(words, fmt.Sprintf("When the new side fails, the old one answers the same request if that is safe: bodies up to %s, after %s at the latest.",
			g.Fallback.Request, g.Fallback.Timeout))
	}
	return words
}

// differs lists the settings that the chosen cluster changes.
func (f *File) differs() []string {
	differences := f.Config.Clusters[f.Cluster].node
	if differences == nil {
		return nil
	}
	var paths []string
	leaves(differences, nil, func(path string) { paths = append(paths, path) })
	return paths
}

func isLoopback(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	return err == nil && admin.IsLoopback(host)
}
