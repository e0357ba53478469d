package upstream

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// worn tells whether a connection is not to be used again. p.mu is held.
func (p *Pool) worn(c *Conn, now time.Time) bool {
	return c.broken || c.mails >= p.config.Reuse.Mails || now.Sub(c.born) >= p.config.Reuse.Time ||
		now.Sub(c.idleSince) >= p.config.Reuse.Idle
}

// retire closes idle connections that are worn. p.mu is held.
func (p *Pool) retire(now time.Time) {
	for _, e := range p.endpoints {
		e.idle = slices.DeleteFunc(e.idle, func(c *Conn) bool {
			worn := p.worn(c, now)
			if worn {
				p.drop(c)
			}
			return worn
		})
	}
}

// drop closes a connection that is in no list. p.mu is held.
func (p *Pool) drop(c *Conn) {
	c.from.open--
	p.open--
	p.background.Go(c.quit) // taking leave can block
}

// wakeOne lets one waiter look again. p.mu is held.
func (p *Pool) wakeOne() {
	if len(p.waiters) > 0 {
		close(p.waiters[0])
		p.waiters = p.waiters[1:]
	}
}

// unlist takes a waiter from the list; it is false if the waiter has been woken.
func (p *Pool) unlist(waiter chan struct{}) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.Index(p.waiters, waiter)
	if i >= 0 {
		p.waiters = slices.Delete(p.waiters, i, i+1)
	}
	return i >= 0
}

// forsake is for a waiter who waits no longer and does not look again. One who was woken at the same moment
// lets another look: or a connection could idle while someone waits for it.
func (p *Pool) forsake(waiter chan struct{}) {
	if p.unlist(waiter) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wakeOne()
}

// wakeAll lets every waiter look again. p.mu is held.
func (p *Pool) wakeAll() {
	for _, w := range p.waiters {
		close(w)
	}
	p.waiters = nil
}

// lookUp starts a look-up of the server's name if one is due. p.mu is held.
func (p *Pool) lookUp(now time.Time) {
	if p.resolving || now.Before(p.resolved) {
		return
	}
	if addr, err := netip.ParseAddr(p.host); err == nil {
		p.resolved = now.AddDate(100, 0, 0)
		p.replace([]netip.Addr{addr})
		return
	}
	p.resolving = true
	p.background.Go(func() {
		ctx, cancel := context.WithTimeout(p.ctx, p.config.Timeouts.Connect)
		defer cancel()
		addrs, err := p.resolve(ctx, p.host)
		if err == nil && len(addrs) == 0 {
			err = fmt.Errorf("%s has no address", p.host)
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		now := time.Now()
		p.resolving, p.unresolved = false, err
		p.resolved = now.Add(p.config.Resolve)
		if err == nil {
			p.replace(addrs)
		} else {
			p.resolved = now.Add(min(p.config.Resolve, 5*time.Second))
			p.log.Warn("mail server's name cannot be looked up", "name", p.host, "error", err.Error())
		}
		p.wakeAll()
	})
}

// replace makes addrs the addresses; what is known of those that stay is kept. p.mu is held.
func (p *Pool) replace(addrs []netip.Addr) {
	var next []*endpoint
	for _, addr := range addrs {
		to := netip.AddrPortFrom(addr.Unmap(), p.port)
		if slices.ContainsFunc(next, func(e *endpoint) bool { return e.addr == to }) {
			continue
		}
		if i := slices.IndexFunc(p.endpoints, func(e *endpoint) bool { return e.addr == to }); i >= 0 {
			next = append(next, p.endpoints[i])
		} else {
			next = append(next, &endpoint{addr: to})
		}
	}
	for _, e := range p.endpoints {
		if slices.Contains(next, e) {
			continue
		}
		e.gone = true
		for _, c := range e.idle {
			p.drop(c)
		}
		e.idle = nil
	}
	p.endpoints = next
}

// Status is the state of one address.
type Status struct {
	Address     string    `json:"address"`
	Connections int       `json:"connections"`
	Busy        int       `json:"busy"`
	Mails       int64     `json:"mails"`              // mails it has answered for
	Latency     float64   `json:"latencySeconds"`     // of one mail, smoothed
	Failures    int       `json:"failures"`           // in a row
	DownUntil   time.Time `json:"downUntil,omitzero"` // in the past: the next mail tries it
	Cause       string    `json:"cause,omitempty"`    // of the last failure
}

// Status tells the state of every address.
func (p *Pool) Status() []Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := make([]Status, len(p.endpoints))
	for i, e := range p.endpoints {
		list[i] = Status{
			Address: e.addr.String(), Connections: e.open, Busy: e.busy, Mails: e.mails,
			Latency: e.latency, Failures: e.failures,
		}
		if e.failures > 0 {
			list[i].DownUntil, list[i].Cause = e.downUntil, e.cause.Error()
		}
	}
	return list
}

// TryNow forgets how long to leave out addresses that failed: each may be tried at once.
func (p *Pool) TryNow() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.endpoints {
		e.downUntil = time.Time{}
	}
	if p.unresolved != nil {
		p.resolved = time.Time{}
	}
	p.wakeAll()
}

// Close closes idle connections, and those in use when they are given back.
func (p *Pool) Close() {
	p.mu.Lock()
	p.closed = true
	for _, e := range p.endpoints {
		for _, c := range e.idle {
			p.drop(c)
		}
		e.idle = nil
	}
	p.wakeAll()
	p.mu.Unlock()
	p.cancel()
	p.background.Wait()
}
