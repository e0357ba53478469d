package gateway

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"yadokari/setting"
)

// Validate says what is wrong with the settings, as *setting.Problem, joined. It reads no file and
// asks no network; ValidateFiles and the start do.
func (c *Config) Validate() error {
	var p problems
	p.address(c.Listen, "listen")
	if c.TLS != nil {
		p.join(c.TLS.Validate(), "tls")
		p.check(!c.H2C, "h2c", "HTTP/2 without TLS on a port that speaks TLS", "leave h2c or tls out")
	}
	p.join(c.Admin.Validate(), "admin")
	if _, port, err := net.SplitHostPort(c.Listen); err == nil && port != "0" {
		p.check(c.Listen != c.Admin.Listen, "admin", "the same address as listen", "choose another port")
	}
	p.check(c.Page == "" || isPage(c.Page), "page", fmt.Sprintf("%q is not the URL of a page", c.Page), "write https://HOST, with no query and no fragment")
	p.check(strings.TrimSpace(c.State) != "", "state", "no directory is named", "name one that survives restarts, as in /var/lib/yadokari")
	p.check(c.AccessLog != "", "accessLog", "is empty", "write stdout, off or a file's path")
	c.validateBackends(&p)
	c.validateSticky(&p)
	if c.Override != nil {
		c.Override.validate(&p)
	}
	c.validateRoutes(&p)
	c.validatePrometheus(&p)
	c.validateTrusted(&p)
	c.validateBounds(&p)
	return errors.Join(p...)
}

// isPage tells whether a browser can be sent there without anything being run.
func isPage(text string) bool {
	u, ok := setting.WebURL(text)
	return ok && u.User == nil
}

func (c *Config) validatePrometheus(p *problems) {
	if c.Prometheus != nil {
		p.join(c.Prometheus.Validate(), "prometheus")
		return
	}
	for i := range c.Routes {
		s := c.Routes[i].Shift
		p.check(s == nil || len(s.Signals) == 0, setting.Path{"routes", i, "shift", "signals"}, "nobody can be asked for them",
			"name the server as gateway.prometheus, as in {url: http://prometheus.monitoring:9090}")
	}
}

func (c *Config) validateTrusted(p *problems) {
	for i, peer := range c.TrustedPeers {
		_, noNetwork := netip.ParsePrefix(peer)
		_, noAddress := netip.ParseAddr(peer)
		p.check(noNetwork == nil || noAddress == nil, setting.Path{"trustedPeers", i},
			fmt.Sprintf("%q is neither a network nor an address", peer), "write 10.0.0.0/8 or 10.0.0.7")
	}
}

func (c *Config) validateBounds(p *problems) {
	f, l, s := c.Fallback, c.Limits, c.Shutdown
	p.check(f.Request >= 0, setting.Path{"fallback", "request"}, "is negative", "write a size, as in 64KiB")
	p.check(f.Response >= 0, setting.Path{"fallback", "response"}, "is negative", "write a size, as in 64KiB")
	p.atLeastZero(f.Hold, "fallback", "hold")
	p.positive(f.Timeout, "fallback", "timeout")
	p.check(l.Headers >= 1<<10, setting.Path{"limits", "headers"}, fmt.Sprintf("%s holds no request's head", l.Headers), "write 1KiB or more")
	p.check(l.Body >= 0, setting.Path{"limits", "body"}, "is negative", "write a size; 0B is no limit")
	p.positive(l.HeaderTime, "limits", "headerTime")
	p.atLeastZero(l.RequestTime, "limits", "requestTime")
	p.positive(l.Idle, "limits", "idle")
	p.atLeast(1, l.Connections, "limits", "connections")
	p.atLeast(1, l.InFlight, "limits", "inFlight")
	p.atLeastZero(s.Deregister, "shutdown", "deregister")
	p.atLeastZero(s.Drain, "shutdown", "drain")
}

func (o *Override) validate(p *problems) {
	p.check(isFieldName(o.Header), setting.Path{"override", "header"}, fmt.Sprintf("%q is not the name of a header", o.Header), "write a name, as in X-Yadokari-Side")
	p.check(o.SecretFile != "", setting.Path{"override", "secretFile"}, "no file is named", "name a file with one line of at least 16 characters")
}

// problems collects what is wrong.
type problems []error

// check adds a problem at path, a key or a setting.Path, unless ok.
func (p *problems) check(ok bool, path any, what, remedy string) {
	if ok {
		return
	}
	at, isPath := path.(setting.Path)
	if !isPath {
		at = setting.Path{path}
	}
	*p = append(*p, &setting.Problem{Path: at, What: what, Remedy: remedy})
}

// join adds the problems of a config that stands at path.
func (p *problems) join(err error, path ...any) {
	if err != nil {
		*p = append(*p, setting.Under(err, path...))
	}
}

func (p *problems) positive(d time.Duration, path ...any) {
	p.check(d > 0, setting.Path(path), fmt.Sprintf("%s is no time at all", d), "write more than 0s")
}

func (p *problems) atLeastZero(d time.Duration, path ...any) {
	p.check(d >= 0, setting.Path(path), fmt.Sprintf("%s is negative", d), "write 0s or more")
}

func (p *problems) atLeast(least, n int, path ...any) {
	p.check(n >= least, setting.Path(path), fmt.Sprintf("%d is too few", n), fmt.Sprintf("write %d or more", least))
}

func (p *problems) address(address string, path ...any) {
	_, port, err := net.SplitHostPort(address)
	n, bad := strconv.Atoi(port)
	p.check(err == nil && bad == nil && n >= 0 && n <= 65535, setting.Path(path),
		fmt.Sprintf("%q is not an address", address), "write host:port or :port, as in :8080")
}

// nearestOf says in a remedy which of the known names was meant, or which there are.
func nearestOf[V any](name string, known map[string]V) string {
	names := slices.Sorted(maps.Keys(known))
	if near := setting.Nearest(name, names); near != "" {
		return fmt.Sprintf("did you mean %s?", near)
	}
	return "known: " + strings.Join(names, ", ")
}

// isFieldName says whether name is a token (RFC 9110, section 5.6.2), as header and cookie names are.
func isFieldName(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("!#$%&'*+-.^_`|~", r))
	})
}
