package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"yadokari/gateway"
)

// warnOfUsers is about the key by which users are known.
func warnOfUsers(g *gateway.Config, warn func(string, ...any)) {
	moving := slices.ContainsFunc(g.Routes, func(r gateway.Route) bool { return r.Shift != nil })
	s := g.Sticky
	byAddress := s.Cookie == "" && s.Header == "" && !s.Host
	blind := len(g.TrustedPeers) == 0 && !isLoopback(g.Listen)
	switch kind := sessionOf(s.Cookie); {
	case moving && byAddress && blind && s.Own:
		warn("no trustedPeers are listed: behind a balancer or NGINX everyone has its address until his cookie is known to be kept, "+
			"and cookies are not Secure where it speaks HTTPS for the gateway; list the balancer's networks in trustedPeers", "sticky", "own")
	case moving && byAddress && blind:
		warn("users are known by their address, and no trustedPeers are listed: behind a balancer or NGINX everyone has its address, "+
			"and moves at once; name a cookie, write own: true, or list the balancer's networks in trustedPeers", "sticky")
	case moving && byAddress && !s.Own && !s.Client:
		warn("users are known by their address: all of an office are one user, and a phone that changes networks changes sides; "+
			"own: true knows them by a cookie", "sticky")
	case moving && !s.Own && kind != "":
		warn(fmt.Sprintf("%s is the session cookie of %s: a user changes sides when it comes or changes (at login, with many apps); "+
			"shift status and the page say how often it does; own: true keeps users where they are", s.Cookie, kind), "sticky", "cookie")
	}
}

// warnOfAffinity is about cookies that cannot keep a user on a server.
func warnOfAffinity(g *gateway.Config, warn func(string, ...any)) {
	for _, name := range slices.Sorted(maps.Keys(g.Backends)) {
		a := g.Backends[name].Affinity
		if a == nil {
			continue
		}
		if kind := sessionOf(a.Cookie); kind != "" {
			warn(fmt.Sprintf("%s is the session cookie of %s: it comes with an answer, when a server has been chosen already, and leads to another one then; write own", a.Cookie, kind),
				"backends", name, "affinity", "cookie")
		}
	}
	for i := range g.Routes {
		r := &g.Routes[i]
		if skippedOf(r) != nil && (g.Backends[r.From].Affinity != nil || g.Backends[r.To].Affinity != nil) {
			warn("a backend of this route has affinity: if its sessions are in memory, the other side knows none of them, and answers to copies of requests of people "+
				"who are logged in differ; then write moved: 0% and begin with a share, or let both sides share their sessions", "routes", i, "mirror")
		}
	}
}

// sessions are the session cookies of well-known servers and frameworks, which come with an answer of the
// app and are changed at login, in small letters.
var sessions = map[string]string{
	"jsessionid": "Java servers", "phpsessid": "PHP", "asp.net_sessionid": "ASP.NET", ".aspnetcore.session": "ASP.NET Core",
	"connect.sid": "Express", "sessionid": "Django", "laravel_session": "Laravel", "ci_session": "CodeIgniter", "symfony": "Symfony",
	"_session_id": "Rails", "sid": "many frameworks", "cfid": "ColdFusion", "cftoken": "ColdFusion", "play_session": "Play",
	"rack.session": "Rack", "cakephp": "CakePHP", "fe_typo_user": "TYPO3", "mediawiki_session": "MediaWiki",
	"jwt": "many frameworks", "access_token": "many frameworks",
}

// sessionOf says what app's session cookie one of that name is; "" when it is none that is known.
func sessionOf(cookie string) string {
	name := strings.ToLower(cookie)
	if kind, known := sessions[name]; known {
		return kind
	}
	switch {
	case strings.HasPrefix(name, "wordpress_logged_in"):
		return "WordPress"
	case strings.HasPrefix(name, "_") && strings.HasSuffix(name, "_session"):
		return "Rails"
	case strings.HasPrefix(name, "aspsessionid"):
		return "ASP"
	}
	return ""
}
