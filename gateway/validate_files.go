package gateway

import (
	"errors"

	"yadokari/certs"
	"yadokari/gateway/keys"
	"yadokari/setting"
)

// ValidateFiles reads the files that the settings name and says what is wrong with them, as
// *setting.Problem, joined.
func (c *Config) ValidateFiles() error {
	var p problems
	if c.TLS != nil {
		p.join(c.TLS.ValidateFiles(), "tls")
	}
	p.join(c.Admin.ValidateFiles(), "admin")
	for name, backend := range c.Backends {
		if ca := backend.Upstream.CA; ca != "" {
			_, err := certs.LoadPool(ca)
			p.file(err, "name a PEM file of authorities", "backends", name, "ca")
		}
	}
	if c.Prometheus != nil {
		p.join(c.Prometheus.ValidateFiles(), "prometheus")
	}
	if file := c.Sticky.OwnKeyFile; file != "" {
		_, err := keys.ReadRing(file)
		p.file(err, "write a random line of at least 32 characters into it, as from openssl rand -hex 32", "sticky", "ownKeyFile")
	}
	if c.Override != nil && c.Override.SecretFile != "" {
		_, err := newOverride(c.Override)
		p.file(err, "write one line of at least 16 characters into it", "override", "secretFile")
	}
	return errors.Join(p...)
}

func (p *problems) file(err error, remedy string, path ...any) {
	if err != nil {
		p.check(false, setting.Path(path), err.Error(), remedy)
	}
}
