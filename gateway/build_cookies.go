package gateway

import (
	"fmt"

	"yadokari/gateway/keys"
)

// buildCookies makes ready what the gateway's own cookies need.
func (g *Gateway) buildCookies(t *table) (err error) {
	c := t.config
	if !c.ownCookies() {
		return nil
	}
	if t.ring, err = c.ring(); err != nil {
		return err
	}
	t.cut = map[string]struct{}{}
	if c.Sticky.Own {
		t.cut[c.Sticky.Name] = struct{}{}
		t.sticky.own = &ownCookie{name: c.Sticky.Name, lifetime: c.Sticky.Lifetime, ring: t.ring, returning: g.returning}
	}
	for name := range c.Backends {
		if a := t.affinity(name); a != nil && a.own {
			t.cut[a.cookie] = struct{}{}
		}
	}
	return nil
}

// ownCookies reports whether the gateway gives cookies of its own.
func (c *Config) ownCookies() bool {
	if c.Sticky.Own {
		return true
	}
	for _, b := range c.Backends {
		if b.Affinity != nil && b.Affinity.Cookie == ownAffinity {
			return true
		}
	}
	return false
}

// ring is the keys that cookies are signed with.
func (c *Config) ring() (*keys.Ring, error) {
	if file := c.Sticky.OwnKeyFile; file != "" {
		r, err := keys.ReadRing(file)
		if err != nil {
			return nil, fmt.Errorf("sticky.ownKeyFile: %w", err)
		}
		return r, nil
	}
	r, err := keys.OpenRing(c.State)
	if err != nil {
		return nil, fmt.Errorf("the key of the gateway's own cookie: %w", err)
	}
	return r, nil
}

// affinity is that of the named backend; nil when it has none.
func (t *table) affinity(backend string) *affinity {
	c := t.config.Backends[backend].Affinity
	switch {
	case c == nil:
		return nil
	case c.Cookie == ownAffinity:
		return &affinity{own: true, cookie: t.config.Sticky.Name + "-" + backend, lifetime: t.config.Sticky.Lifetime, ring: t.ring.ID()}
	}
	return &affinity{cookie: c.Cookie}
}

// marks names the servers of the backend in users' cookies; nil where none is named.
func (t *table) marks(backend string) func(id string) []uint64 {
	if a := t.affinity(backend); a == nil || !a.own {
		return nil
	}
	return func(id string) []uint64 { return t.ring.Marks(backend, id) }
}
