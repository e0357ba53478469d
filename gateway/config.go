package gateway

import (
	"time"

	"yadokari/admin"
	"yadokari/certs"
	"yadokari/gateway/balance"
	"yadokari/gateway/mirror"
	"yadokari/gateway/upstream"
	"yadokari/promquery"
	"yadokari/setting"
	"yadokari/shift"
)

// Config is the gateway: section of yadokari.yaml.
type Config struct {
	// Listen is the address users' requests arrive at, host:port; an empty host is every address.
	Listen string `yaml:"listen" default:":8080"`
	// TLS serves HTTPS (HTTP/1.1 and HTTP/2) on Listen. Without it Listen speaks plain HTTP.
	TLS *certs.Files `yaml:"tls"`
	// H2C also accepts HTTP/2 without TLS on Listen (prior knowledge), for a balancer that speaks it.
	H2C bool `yaml:"h2c" default:"false"`
	// Admin is where the API, metrics and probes are served.
	Admin admin.Config `yaml:"admin"`
	// Page is the URL at which people open this gateway's page, as in https://tokyo-1.admin.example. The
	// pages of the file's other service clusters lead to it. Empty: they show this one's name alone.
	Page string `yaml:"page"`
	// State is the directory of shares, drained servers and the ledger. It survives restarts.
	State string `yaml:"state" default:"/var/lib/yadokari"`
	// Backends are the places a request can be served, by name. The names vm (old) and containers
	// (new) are what routes use unless they say otherwise.
	Backends map[string]Backend `yaml:"backends"`
	// Sticky says what identifies a user, so that one user stays on one side.
	Sticky Sticky `yaml:"sticky"`
	// Override lets a tester who knows a secret choose the side of a request.
	Override *Override `yaml:"override"`
	// Routes are the sets of URLs that move together. A request that no route matches is served by
	// the backend vm, or by the only backend there is.
	Routes []Route `yaml:"routes"`
	// Fallback bounds what may be held to answer a failed request from the old side.
	Fallback Fallback `yaml:"fallback"`
	// Limits protect the gateway and what is behind it.
	Limits Limits `yaml:"limits"`
	// TrustedPeers are the networks (CIDR) or addresses whose X-Forwarded-* and Forwarded headers are
	// believed and added to. From everyone else those headers are replaced.
	TrustedPeers []string `yaml:"trustedPeers"`
	// AccessLog is where one JSON line a request goes: stdout, off, or a file's path (reopened on SIGHUP).
	AccessLog string `yaml:"accessLog" default:"stdout"`
	// Prometheus is the server that is asked for the signals of routes.
	Prometheus *promquery.Config `yaml:"prometheus"`
	// Shutdown says how the gateway stops.
	Shutdown Shutdown `yaml:"shutdown"`
}

// Backend is one place where requests can be served: a set of servers that are alike.
type Backend struct {
	// Balance says which servers there are and who gets a request.
	Balance balance.Config `yaml:",inline"`
	// Upstream says how connections to the servers are made.
	Upstream upstream.Config `yaml:",inline"`
	// Affinity keeps each user on one server of the backend, for apps that hold sessions in memory. He
	// moves only when his server goes: unhealthy, ejected, drained or removed.
	Affinity *Affinity `yaml:"affinity"`
}

// Affinity keeps each user on one server.
type Affinity struct {
	// Cookie is own, for a cookie of the gateway's named after sticky.name and the backend (yadokari-vm).
	// It comes with the first answer and names the server, so that a server that is new or back gets its
	// part of new users and takes none from others. Or it is the name of a cookie whose value ranks the
	// servers (rendezvous hashing): one that a user has before his session begins and that keeps its
	// value, which few apps' session cookies do. A server that is back then gets its users back.
	Cookie string `yaml:"cookie" required:"true"`
}

// Sticky says what identifies a user. The key is hashed once to a point between 0 and 1; the user is
// on the new side while the point is below the share. At most one of Cookie, Header, Host and Client
// is set; without a key in the request, and by default, the client's address is the key. Own goes
// before them.
type Sticky struct {
	// Own knows users by a cookie of the gateway's own, for apps whose session cookie changes often or
	// comes at login only. It is signed, holds a random number and its time, is HttpOnly, SameSite=Lax
	// and, where users come by https, Secure, and the app never sees it. It comes with the answer to the
	// first request, which is placed by Cookie or Header if it has one and else by the client's address;
	// the cookie keeps the user where that put him. So do clients stay together that keep no cookies
	// (bots, APIs). Where clients of the same address and User-Agent have brought their cookies back, a
	// request without one is another person's, who gets a place of his own.
	Own bool `yaml:"own" default:"false"`
	// OwnKeyFile holds the keys of the gateway's own cookies, one a line of at least 32 characters: the
	// first signs, all are believed. Several gateways before one app share it. Empty: the gateway makes
	// a key and keeps it in state as cookie.key.
	OwnKeyFile string `yaml:"ownKeyFile"`
	// Name is the name of the gateway's own cookie.
	Name string `yaml:"name" default:"yadokari"`
	// Lifetime is how long a browser keeps the gateway's own cookies; they are renewed when half of it
	// is over.
	Lifetime time.Duration `yaml:"lifetime" default:"2160h"`
	// Cookie is the name of the cookie whose value is the key.
	Cookie string `yaml:"cookie"`
	// Header is the name of the request header whose value is the key.
	Header string `yaml:"header"`
	// Host makes the request's host the key: one customer, one host name. Hosts are compared without
	// case, the ports 80 and 443, and the dot at the end.
	Host bool `yaml:"host" default:"false"`
	// Client makes the client's address the key.
	Client bool `yaml:"client" default:"false"`
	// Ahead are keys that go to the new side before any share does ("our own space first"), from the
	// first stage of a shift on.
	Ahead []string `yaml:"ahead"`
}

// Override is the header by which a tester chooses the side: its value is BACKEND:SECRET. With a wrong
// secret the header is ignored; it is never passed on. Such requests are left out of the verdict.
type Override struct {
	// Header is the header's name.
	Header string `yaml:"header" default:"X-Yadokari-Side"`
	// SecretFile holds the secret, one line of at least 16 characters.
	SecretFile string `yaml:"secretFile" required:"true"`
}

// Route is a set of URLs that moves together.
type Route struct {
	// Name names the route in the CLI, logs, metrics and the ledger: letters, digits, - _ and .
	Name string `yaml:"name" required:"true"`
	// Match are patterns of net/http.ServeMux: "[METHOD ][HOST]/PATH"; the most specific wins. Hosts are
	// compared without case, port, and the dot at the end.
	Match []string `yaml:"match" required:"true"`
	// From is the backend users come from: the old side, and the fallback.
	From string `yaml:"from" default:"vm"`
	// To is the backend users move to: the new side.
	To string `yaml:"to" default:"containers"`
	// Shift is the journey. Without it the route stays on From.
	Shift *shift.Config `yaml:"shift"`
	// Mirror says how mirrored responses are compared.
	Mirror mirror.Config `yaml:"mirror"`
}

// Fallback bounds what may be held so that a failed request can be answered from the old side.
type Fallback struct {
	// Request is the longest request body held for a replay.
	Request setting.Size `yaml:"request" default:"64KiB"`
	// Response is the longest part of a response of the new side held back until it is whole, so
	// that one which breaks off in the middle can still be replaced.
	Response setting.Size `yaml:"response" default:"64KiB"`
	// Hold is the longest time a response that has begun is held back.
	Hold time.Duration `yaml:"hold" default:"200ms"`
	// Timeout is how long the new side may be silent before the old side is asked as well, where a request may be
	// repeated; it never exceeds the backend's own Response, nor half of limits.requestTime. The first good answer is
	// the user's. The new side may still answer within the backend's own Response, and only what it comes to
	// then is counted, unless the old side has answered in half of Timeout: that is a failure at once.
	Timeout time.Duration `yaml:"timeout" default:"10s"`
}

// Limits protect the gateway and what is behind it. Zero means no limit where a field says so.
type Limits struct {
	// Headers is the largest request head.
	Headers setting.Size `yaml:"headers" default:"64KiB"`
	// Body is the largest request body; 0B: no limit.
	Body setting.Size `yaml:"body" default:"0B"`
	// HeaderTime is how long a request's head may take to arrive.
	HeaderTime time.Duration `yaml:"headerTime" default:"10s"`
	// RequestTime is how long a whole request may take; 0s: no limit. Upgrades are exempt.
	RequestTime time.Duration `yaml:"requestTime" default:"0s"`
	// Idle is how long a connection may wait for its next request, and a body for its next byte.
	Idle time.Duration `yaml:"idle" default:"75s"`
	// Connections is the most client connections at once; more wait in the kernel's queue.
	Connections int `yaml:"connections" default:"10000"`
	// InFlight is the most requests at once; one more is answered 503 with Retry-After.
	InFlight int `yaml:"inFlight" default:"10000"`
}

// Shutdown says how the gateway stops after SIGTERM.
type Shutdown struct {
	// Deregister is how long it serves on with readiness off, until balancers have noticed.
	Deregister time.Duration `yaml:"deregister" default:"5s"`
	// Drain is how long requests under way may take to end.
	Drain time.Duration `yaml:"drain" default:"30s"`
}
