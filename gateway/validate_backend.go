package gateway

import (
	"fmt"

	"yadokari/setting"
)

func (c *Config) validateBackends(p *problems) {
	p.check(len(c.Backends) > 0, "backends", "no backend", "define vm and containers, each with servers")
	for name, backend := range c.Backends {
		p.check(setting.IsName(name), setting.Path{"backends", name}, fmt.Sprintf("%q is not a name", name), "use letters, digits, - _ and .")
		var inside problems
		backend.validate(&inside)
		for _, problem := range inside {
			p.join(problem, "backends", name)
		}
	}
}

func (b *Backend) validate(p *problems) {
	p.join(b.Balance.Validate())
	u := b.Upstream
	p.positive(u.Connect, "connect")
	p.positive(u.Response, "response")
	p.positive(u.Idle, "idle")
	p.atLeastZero(u.KeepAlive, "keepAlive")
	p.atLeast(1, u.Connections, "connections")
}
