package gateway

import (
	"context"
	"crypto/tls"
	"fmt"
	"reflect"

	"yadokari/certs"
	"yadokari/gateway/balance"
	"yadokari/gateway/upstream"
)

// build makes a table from a configuration, taking from the former table the backends that have not
// changed and the records of the routes that are still there.
func (g *Gateway) build(c *Config, former *table) (*table, error) {
	t := &table{config: c, backends: map[string]*backend{}, byName: map[string]*route{}, sticky: newSticky(c.Sticky)}
	if err := g.fill(t, former); err != nil {
		t.retire(former) // nothing begun for a table that is not used lives on
		return nil, err
	}
	return t, nil
}

// fill builds what the table's configuration says. After an error the table has what was begun.
func (g *Gateway) fill(t, former *table) (err error) {
	c := t.config
	if t.peers, err = parsePeers(c.TrustedPeers); err != nil {
		return err
	}
	if t.override, err = newOverride(c.Override); err != nil {
		return err
	}
	if err := g.buildCookies(t); err != nil {
		return err
	}
	if err := g.buildBackends(t, former); err != nil {
		return err
	}
	for _, config := range c.Routes {
		r := g.buildRoute(t, config, former)
		t.routes = append(t.routes, r)
		t.byName[r.name] = r
	}
	t.rest = g.buildRoute(t, Route{Name: restRoute, From: c.RestBackend()}, former)
	if t.rest.old == nil {
		return fmt.Errorf("gateway.backends: there is no backend %q for requests that no route matches", oldBackend)
	}
	t.index, err = newIndex(t.routes)
	return err
}

// restRoute names, in logs and metrics, the requests that no route matches. No route can have it.
const restRoute = "(unmatched)"

func (g *Gateway) buildRoute(t *table, config Route, former *table) *route {
	r := &route{name: config.Name, config: config, old: t.backends[config.From]}
	if config.Shift != nil {
		r.new = t.backends[config.To]
		if r.copier = r.formerCopier(former); r.copier == nil {
			r.copier = &copier{route: r, logger: g.logger}
		}
	}
	switch {
	case former != nil && config.Name == restRoute:
		r.record = former.rest.record
	case former != nil && former.byName[config.Name] != nil:
		r.record = former.byName[config.Name].record
	default:
		r.record = newRecord()
	}
	return r
}

// formerCopier is the copier of the route before a reload, with the noise it has learnt, if it compares
// the same backends in the same way; else nil.
func (r *route) formerCopier(former *table) *copier {
	if former == nil {
		return nil
	}
	was := former.byName[r.name]
	if was == nil || was.old != r.old || was.new != r.new || !reflect.DeepEqual(was.config.Mirror, r.config.Mirror) {
		return nil
	}
	return was.copier
}

func (g *Gateway) buildBackends(t *table, former *table) error {
	drained, err := g.drains.load()
	if err != nil {
		g.logger.Error("drained servers are not known", "error", err)
	}
	for name, config := range t.config.Backends {
		options := balance.Options{Name: name, Logger: g.logger, Drained: drained[name], Marks: t.marks(name)}
		var unfinished []*group
		if former != nil && former.backends[name] != nil {
			b := former.backends[name]
			if reflect.DeepEqual(b.config, config) && reflect.DeepEqual(b.affinity, t.affinity(name)) {
				t.backends[name] = b
				continue
			}
			options.Former, options.Unhealthy = b.group.Names(), b.group.Unhealthy()
			unfinished = append(b.unfinished(), b.group)
		}
		b, err := g.openBackend(config, options)
		if err != nil {
			return err
		}
		b.former, b.affinity = unfinished, t.affinity(name)
		t.backends[name] = b
	}
	return nil
}

func (g *Gateway) openBackend(config Backend, o balance.Options) (*backend, error) {
	secure := &tls.Config{MinVersion: tls.VersionTLS12}
	if config.Upstream.CA != "" {
		authorities, err := certs.LoadPool(config.Upstream.CA)
		if err != nil {
			return nil, fmt.Errorf("backend %q: ca: %w", o.Name, err)
		}
		secure.RootCAs = authorities
	}
	b := &backend{name: o.Name, config: config, transport: upstream.New(config.Upstream, secure)}
	var err error
	b.group, err = balance.New(config.Balance, o,
		func(a balance.Address) *upstream.Host { return b.transport.Open(a.URL, a.HostPort) })
	if err != nil {
		return nil, err
	}
	life, stop := context.WithCancel(g.life)
	b.stop = stop
	g.running.Go(func() { b.transport.Run(life) })
	g.running.Go(func() { b.group.Run(life) })
	return b, nil
}

// retire ends what the table has begun and its successor does not use; successor may be nil.
func (t *table) retire(successor *table) {
	for name, b := range t.backends {
		if successor == nil || successor.backends[name] != b {
			b.retire()
		}
	}
	for _, r := range t.routes {
		if r.copier != nil && (successor == nil || successor.byName[r.name] == nil || successor.byName[r.name].copier != r.copier) {
			r.copier.close()
		}
	}
}

// retire ends a backend: requests under way, of the former table, come to their end first.
func (b *backend) retire() {
	b.stop()
	_ = b.group.Close() // idle connections: there is nothing to lose
}
