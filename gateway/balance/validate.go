package balance

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"yadokari/setting"
)

// Validate returns what is wrong with c, as *setting.Problem joined with errors.Join, or nil.
func (c Config) Validate() error {
	var problems []error
	report := func(what, remedy string, path ...any) {
		problems = append(problems, &setting.Problem{Path: path, What: what, Remedy: remedy})
	}
	if len(c.Servers) == 0 {
		report("a backend without servers cannot answer", "list base URLs, as in http://10.0.1.11:9000", "servers")
	}
	first := map[string]int{}
	for i, server := range c.Servers {
		u, err := parseServer(server)
		if err != nil {
			report(err.Error(), "write http://host:port or https://host:port", "servers", i)
			continue
		}
		if j, twice := first[u.String()]; twice {
			report(fmt.Sprintf("%q is already servers[%d]", server, j), "list every server once", "servers", i)
			continue
		}
		first[u.String()] = i
	}
	notNegative := func(d time.Duration, key string) {
		if d < 0 {
			report(fmt.Sprintf("%v is negative", d), "write a duration such as 5s, or 0s", key)
		}
	}
	notNegative(c.Resolve, "resolve")
	notNegative(c.SlowStart, "slowStart")
	if c.Health != nil {
		c.Health.validate(report)
	}
	if c.Passive.Failures < 0 {
		report(fmt.Sprintf("%d is negative", c.Passive.Failures), "write 0 to switch the check off", "passive", "failures")
	}
	if c.Passive.Failures > 0 && c.Passive.Eject <= 0 {
		report(fmt.Sprintf("%v is no time to leave a server out for", c.Passive.Eject), "write a duration such as 5s", "passive", "eject")
	}
	return errors.Join(problems...)
}

func (h Health) validate(report func(what, remedy string, path ...any)) {
	if !strings.HasPrefix(h.Path, "/") || strings.ContainsFunc(h.Path, func(r rune) bool { return r <= ' ' || r > '~' || r == '#' }) {
		report(fmt.Sprintf("%q is not a URL path", h.Path), "begin it with / and encode what is not visible ASCII", "health", "path")
	}
	if strings.ContainsFunc(h.Host, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("/?#@\\", r) }) {
		report(fmt.Sprintf("%q is not a Host header", h.Host), "write a host name, with :port if need be", "health", "host")
	}
	for _, d := range []struct {
		key   string
		value time.Duration
	}{{"every", h.Every}, {"timeout", h.Timeout}} {
		if d.value <= 0 {
			report(fmt.Sprintf("%v is not more than nothing", d.value), "write a duration such as 1s", "health", d.key)
		}
	}
	for _, n := range []struct {
		key   string
		value int
	}{{"fall", h.Fall}, {"rise", h.Rise}} {
		if n.value < 1 {
			report(fmt.Sprintf("%d is less than one check", n.value), "write 1 or more", "health", n.key)
		}
	}
}
