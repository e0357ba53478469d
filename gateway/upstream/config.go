// Package upstream speaks HTTP/1.1 to one server of a backend over connections it keeps.
package upstream

import "time"

// Config is the part of a backend's settings that says how connections to its servers are made.
type Config struct {
	// CA is a PEM file of the authorities trusted for https servers; empty: the system's.
	CA string `yaml:"ca"`
	// Connect is how long a connection may take to be made.
	Connect time.Duration `yaml:"connect" default:"2s"`
	// Response is how long the server may take until the response headers have arrived.
	Response time.Duration `yaml:"response" default:"60s"`
	// Idle is how long a response body, or an upgraded connection, may be silent.
	Idle time.Duration `yaml:"idle" default:"5m"`
	// KeepAlive is how long an unused connection is kept for the next request. Keep it below the
	// servers' own keep-alive time.
	KeepAlive time.Duration `yaml:"keepAlive" default:"30s"`
	// Connections is the most connections to one server; its health check may have one of its own.
	Connections int `yaml:"connections" default:"1024"`
}
