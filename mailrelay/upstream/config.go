// Package upstream delivers mail to a mail server over SMTP: it keeps connections to every address the
// server's name stands for, prefers those that answer fast, and reports an answer for each recipient.
package upstream

import "time"

// Config is the mail server that takes the mail on.
type Config struct {
	// Address is host:port. A name stands for every address it resolves to; all are used.
	Address string `yaml:"address"`
	// TLS is off, starttls (demanded, never silently left out) or implicit (TLS from the first byte).
	TLS string `yaml:"tls" default:"starttls"`
	// CA is the PEM file of authorities that may have signed the server's certificate. Empty: those
	// of the system.
	CA string `yaml:"ca"`
	// ServerName is the name the server's certificate must bear. Empty: the host of Address.
	ServerName string `yaml:"serverName"`
	// Auth is who we are to the server. Without it we do not log in.
	Auth *Auth `yaml:"auth"`
	// Connections is the most connections at once, over all addresses.
	Connections int `yaml:"connections" default:"8"`
	// Reuse says how long one connection is used. Behind a network load balancer a connection sticks
	// to one server, so a connection that lives on keeps its load there.
	Reuse Reuse `yaml:"reuse"`
	// Resolve is how often the name of Address is looked up again.
	Resolve time.Duration `yaml:"resolve" default:"30s"`
	// Timeouts bound each step of a delivery.
	Timeouts Timeouts `yaml:"timeouts"`
}

// Auth is a user and a password, sent by AUTH PLAIN or LOGIN.
type Auth struct {
	// User is the name to log in with.
	User string `yaml:"user"`
	// PasswordFile holds the password on its first line. It is read for every new connection.
	PasswordFile string `yaml:"passwordFile"`
}

// Reuse says how long one connection is used. Whichever comes first ends it.
type Reuse struct {
	// Mails is the most mails over one connection.
	Mails int `yaml:"mails" default:"100"`
	// Time is the longest life of a connection.
	Time time.Duration `yaml:"time" default:"60s"`
	// Idle is how long an unused connection is kept open.
	Idle time.Duration `yaml:"idle" default:"10s"`
}

// Timeouts bound each step of a delivery.
type Timeouts struct {
	// Connect covers the TCP connection, the greeting, TLS and the log-in.
	Connect time.Duration `yaml:"connect" default:"10s"`
	// Command is how long the answer to one command may take.
	Command time.Duration `yaml:"command" default:"1m"`
	// Data is how long the text of a mail may stand still while it is sent.
	Data time.Duration `yaml:"data" default:"3m"`
	// Answer is how long the server may take to answer after the end of the text.
	Answer time.Duration `yaml:"answer" default:"10m"`
}

// What Config.TLS may say.
const (
	TLSOff      = "off"
	TLSStart    = "starttls"
	TLSImplicit = "implicit"
)
