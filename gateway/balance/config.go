// Package balance keeps the servers of one backend: resolves their names, checks their health, and
// picks the one for a request.
package balance

import "time"

// Config is the part of a backend's settings that says which servers there are and who gets a request.
type Config struct {
	// Servers are base URLs, http://host:port or https://host:port, without a path. A name stands for
	// every address it resolves to (its IPv4 addresses where it has any), and is resolved again every
	// Resolve. Without a port the scheme's own is used.
	Servers []string `yaml:"servers" required:"true"`
	// Resolve is how often names are looked up again; 0s: only at the start.
	Resolve time.Duration `yaml:"resolve" default:"5s"`
	// SlowStart is the time over which a server that is new, or back, grows to its full part of the
	// requests; 0s: at once.
	SlowStart time.Duration `yaml:"slowStart" default:"10s"`
	// Health asks each server actively; without it only requests tell (passive checks).
	Health *Health `yaml:"health"`
	// Passive takes a server out after requests to it failed to connect.
	Passive Passive `yaml:"passive"`
}

// Health is an active check: GET Path on every server, every Every.
type Health struct {
	// Path is the URL path to ask for; a status from 200 to 399 is healthy.
	Path string `yaml:"path" default:"/"`
	// Host is the Host header of the check; empty: the server's own.
	Host string `yaml:"host"`
	// Every is the time between two checks of one server.
	Every time.Duration `yaml:"every" default:"2s"`
	// Timeout is how long an answer may take.
	Timeout time.Duration `yaml:"timeout" default:"1s"`
	// Fall is the number of failed checks in a row that take a server out.
	Fall int `yaml:"fall" default:"2"`
	// Rise is the number of good checks in a row that bring it back.
	Rise int `yaml:"rise" default:"2"`
}

// Passive is the check that requests themselves make: failing to connect, in a row, takes a server
// out for a while. When every server of a backend is out, all are tried: a check may be wrong.
type Passive struct {
	// Failures is the number of connects in a row that must fail; 0 switches the check off.
	Failures int `yaml:"failures" default:"3"`
	// Eject is how long the server is left out before one request tries it again.
	Eject time.Duration `yaml:"eject" default:"5s"`
}
