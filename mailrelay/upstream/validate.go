package upstream

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"yadokari/setting"
)

// Validate returns everything that is wrong with the settings: *setting.Problem values, joined.
func (c *Config) Validate() error {
	var problems []error
	wrong := func(what, remedy string, path ...any) {
		problems = append(problems, &setting.Problem{Path: path, What: what, Remedy: remedy})
	}
	host, port, err := net.SplitHostPort(c.Address)
	if err != nil || host == "" || port == "" {
		wrong(fmt.Sprintf("%q is not host:port", c.Address), "name the mail server, as in mail.internal:25", "address")
	}
	switch c.TLS {
	case TLSOff, TLSStart, TLSImplicit:
	default:
		wrong(fmt.Sprintf("%q is not a way to use TLS", c.TLS), "write off, starttls or implicit", "tls")
	}
	if c.Auth != nil {
		if c.Auth.User == "" {
			wrong("the user is missing", "name the user to log in with", "auth", "user")
		}
		if c.Auth.PasswordFile == "" {
			wrong("the password file is missing", "name a file that holds the password", "auth", "passwordFile")
		}
		if c.TLS == TLSOff && !loopback(host) {
			wrong("a password would travel in the clear", "set tls to starttls or implicit", "auth")
		}
	}
	if c.Connections < 1 {
		wrong(fmt.Sprintf("%d connections deliver nothing", c.Connections), "allow at least 1", "connections")
	}
	if c.Reuse.Mails < 1 {
		wrong(fmt.Sprintf("%d mails a connection deliver nothing", c.Reuse.Mails), "allow at least 1", "reuse", "mails")
	}
	for _, d := range []struct {
		value interface{ Nanoseconds() int64 }
		path  []any
	}{
		{c.Reuse.Time, []any{"reuse", "time"}}, {c.Reuse.Idle, []any{"reuse", "idle"}}, {c.Resolve, []any{"resolve"}},
		{c.Timeouts.Connect, []any{"timeouts", "connect"}}, {c.Timeouts.Command, []any{"timeouts", "command"}},
		{c.Timeouts.Data, []any{"timeouts", "data"}}, {c.Timeouts.Answer, []any{"timeouts", "answer"}},
	} {
		if d.value.Nanoseconds() <= 0 {
			wrong(fmt.Sprintf("%v is not a time to wait", d.value), "write a time above zero, as in 10s", d.path...)
		}
	}
	return errors.Join(problems...)
}

func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}
