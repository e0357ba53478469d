package balance

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"sync"
	"time"
)

// lookupTimeout bounds one lookup.
const lookupTimeout = 5 * time.Second

// name is one configured URL and the addresses its host last resolved to.
type name struct {
	base      *url.URL
	literal   bool // an IP address: never looked up
	addresses []netip.Addr
	failure   string // of the last lookup
	since     time.Time
}

func newName(base *url.URL) *name {
	n := &name{base: base}
	if ip, err := netip.ParseAddr(base.Hostname()); err == nil {
		n.literal, n.addresses = true, []netip.Addr{ip}
	}
	return n
}

// inherit takes over the addresses that the same name led to.
func (n *name) inherit(former []NameStatus) {
	for _, was := range former {
		if n.literal || was.URL != n.base.String() {
			continue
		}
		for _, address := range was.Addresses {
			if ip, err := netip.ParseAddr(address); err == nil { // Names wrote it
				n.addresses = append(n.addresses, ip)
			}
		}
	}
}

func (g *Group[T]) hasNames() bool {
	return slices.ContainsFunc(g.names, func(n *name) bool { return !n.literal })
}

// resolve looks all names up at once and makes what they lead to the group's servers.
func (g *Group[T]) resolve(ctx context.Context, start bool) {
	type answer struct {
		addresses []netip.Addr
		err       error
	}
	answers := make([]answer, len(g.names))
	var lookups sync.WaitGroup
	for i, n := range g.names {
		if n.literal {
			continue
		}
		lookups.Go(func() { answers[i].addresses, answers[i].err = g.lookup(ctx, n.base.Hostname()) })
	}
	lookups.Wait()
	g.mu.Lock()
	if g.ended || errors.Is(ctx.Err(), context.Canceled) {
		g.mu.Unlock()
		return
	}
	for i, n := range g.names {
		if !n.literal {
			g.learn(n, answers[i].addresses, answers[i].err)
		}
	}
	idle := g.apply(g.wanted(), start)
	g.mu.Unlock()
	_ = g.closeAll(idle) // it has logged what failed
}

// lookup returns the IPv4 addresses of host if it has any, and else its IPv6 addresses: a server with
// both is one server. They are sorted, so that an answer in another order is the same answer.
func (g *Group[T]) lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	found, err := g.resolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	var v4, v6 []netip.Addr
	for _, ip := range found {
		if ip = ip.Unmap(); ip.Is4() {
			v4 = append(v4, ip)
		} else if ip.IsValid() {
			v6 = append(v6, ip)
		}
	}
	addresses := v4
	if len(v4) == 0 {
		addresses = v6
	}
	if len(addresses) == 0 {
		return nil, errors.New("the answer is empty")
	}
	slices.SortFunc(addresses, netip.Addr.Compare)
	return slices.Compact(addresses), nil
}

// learn keeps an answer, or the failure beside the last good one. The caller holds mu.
func (g *Group[T]) learn(n *name, addresses []netip.Addr, err error) {
	switch {
	case err == nil:
		if n.failure != "" {
			g.log.Info("name resolves again", "backend", g.name, "name", n.base.Hostname(), "failingSince", n.since)
		}
		n.addresses, n.failure, n.since = addresses, "", time.Time{}
	case n.failure == "":
		n.since = time.Now()
		g.log.Warn("name does not resolve, its last addresses stay", "backend", g.name,
			"name", n.base.Hostname(), "addresses", len(n.addresses), "error", err)
		fallthrough
	default:
		n.failure = fmt.Sprintf("looking up %s: %v", n.base.Hostname(), err)
	}
}

// wanted is every address the names lead to, each once, in the order of the configuration. Where two
// URLs lead to one IP address and port the first one stands. The caller holds mu.
func (g *Group[T]) wanted() []Address {
	var all []Address
	seen := map[string]bool{}
	for _, n := range g.names {
		for _, ip := range n.addresses {
			if a := addressOf(n.base, ip); !seen[a.ID] {
				seen[a.ID] = true
				all = append(all, a)
			}
		}
	}
	return all
}

// NameStatus is how the lookups of one configured URL's host go.
type NameStatus struct {
	// URL is the server as configured, with its port.
	URL string `json:"url"`
	// Addresses are those in use: of the last lookup that went well.
	Addresses []string `json:"addresses"`
	// Error is why the last lookup failed; empty: it went well.
	Error string `json:"error,omitempty"`
	// Since is when lookups began to fail.
	Since time.Time `json:"since,omitzero"`
}

// Names tells how the lookups go, in the order of the configuration.
func (g *Group[T]) Names() []NameStatus {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := make([]NameStatus, 0, len(g.names))
	for _, n := range g.names {
		status := NameStatus{URL: n.base.String(), Addresses: []string{}, Error: n.failure, Since: n.since}
		for _, ip := range n.addresses {
			status.Addresses = append(status.Addresses, ip.String())
		}
		all = append(all, status)
	}
	return all
}
