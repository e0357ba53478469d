package gateway

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"yadokari/setting"
)

func (c *Config) validateBackends(p *problems) {
	p.check(len(c.Backends) > 0, "backends", "no backend", "define vm and containers, each with servers")
	for name, backend := range c.Backends {
		p.check(isName(name), setting.Path{"backends", name}, fmt.Sprintf("%q is not a name", name), "use letters, digits, - _ and .")
		var inside problems
		backend.validate(&inside)
		for _, problem := range inside {
			p.join(problem, "backends", name)
		}
	}
}

func (b *Backend) validate(p *problems) {
	p.check(len(b.Balance.Servers) > 0, "servers", "no server", "list base URLs, as in http://10.0.1.11:9000")
	listed := map[string]int{}
	for i, server := range b.Balance.Servers {
		what, remedy := faultOfServer(server)
		p.check(what == "", setting.Path{"servers", i}, what, remedy)
		first, twice := listed[server]
		p.check(!twice, setting.Path{"servers", i}, fmt.Sprintf("%q is listed already, as server %d", server, first+1), "leave one of them out")
		if !twice {
			listed[server] = i
		}
	}
	b.validateBalance(p)
	u := b.Upstream
	p.positive(u.Connect, "connect")
	p.positive(u.Response, "response")
	p.positive(u.Idle, "idle")
	p.atLeastZero(u.KeepAlive, "keepAlive")
	p.atLeast(1, u.Connections, "connections")
}

func (b *Backend) validateBalance(p *problems) {
	p.positive(b.Balance.Resolve, "resolve")
	p.atLeastZero(b.Balance.SlowStart, "slowStart")
	p.atLeast(0, b.Balance.Passive.Failures, "passive", "failures")
	p.positive(b.Balance.Passive.Eject, "passive", "eject")
	h := b.Balance.Health
	if h == nil {
		return
	}
	p.check(strings.HasPrefix(h.Path, "/") && !strings.ContainsAny(h.Path, " \r\n\t#"), setting.Path{"health", "path"},
		fmt.Sprintf("%q is not a URL path", h.Path), "begin it with /, as in /healthz")
	p.check(!strings.ContainsAny(h.Host, "/ \r\n\t"), setting.Path{"health", "host"},
		fmt.Sprintf("%q is not a host", h.Host), "write a host name, as in app.example.com")
	p.positive(h.Every, "health", "every")
	p.positive(h.Timeout, "health", "timeout")
	p.atLeast(1, h.Fall, "health", "fall")
	p.atLeast(1, h.Rise, "health", "rise")
}

// faultOfServer says what is wrong with a server's base URL and what to write, or "".
func faultOfServer(server string) (what, remedy string) {
	u, err := url.Parse(server)
	if err != nil || u.Host == "" && u.Opaque == "" && u.Scheme == "" {
		return fmt.Sprintf("%q is not a URL", server), "write http://host:port or https://host:port"
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Sprintf("%q does not begin with http:// or https://", server), "write http://host:port or https://host:port"
	}
	if u.Hostname() == "" {
		return fmt.Sprintf("%q names no host", server), "write http://host:port or https://host:port"
	}
	if port := u.Port(); port != "" || strings.HasSuffix(u.Host, ":") {
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			return fmt.Sprintf("%q has no port that exists", server), "write a port from 1 to 65535"
		}
	}
	if u.User != nil {
		return fmt.Sprintf("the URL of host %q holds a user or password", u.Hostname()), "leave it out: it would stand in logs"
	}
	if base := u.Scheme + "://" + u.Host; u.Path != "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return fmt.Sprintf("%q is more than a base URL", server), "write " + base
	}
	return "", ""
}
