package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"yadokari/durable"
	"yadokari/gateway/balance"
)

// drainFile keeps which servers are drained, so that a restart in the middle of a deployment does not
// put a half-updated host back.
type drainFile struct {
	dir string
	mu  sync.Mutex // held while servers are drained, and while a reload makes servers anew
}

func (d *drainFile) path() string { return filepath.Join(d.dir, "drained.json") }

// load is the drained servers by backend. A damaged file must not keep the gateway from serving: its
// error says that every server is in use.
func (d *drainFile) load() (map[string][]string, error) {
	text, err := os.ReadFile(d.path())
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("drained servers: %w", err)
	}
	var drained map[string][]string
	if err := json.Unmarshal(text, &drained); err != nil {
		return nil, fmt.Errorf("drained servers: %s is damaged: %w (every server gets requests; drain again what must be out)", d.path(), err)
	}
	return drained, nil
}

func (d *drainFile) save(drained map[string][]string) error {
	text, err := json.MarshalIndent(drained, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(d.dir, 0o750); err != nil {
		return err
	}
	return durable.Replace(d.path(), append(text, '\n'), 0o640)
}

// ServerStatus is the state of one server of a backend.
type ServerStatus = balance.ServerStatus

// Servers is the state of every server, by backend.
func (g *Gateway) Servers() map[string][]ServerStatus {
	all := map[string][]ServerStatus{}
	for name, b := range g.table.Load().backends {
		all[name] = b.servers()
	}
	return all
}

// NameStatus is how the lookups of one configured server's name go.
type NameStatus = balance.NameStatus

// Names is how the lookups go, by backend.
func (g *Gateway) Names() map[string][]NameStatus {
	all := map[string][]NameStatus{}
	for name, b := range g.table.Load().backends {
		all[name] = b.group.Names()
	}
	return all
}

// Drain takes one server out: it gets no more requests; those under way end as usual. It stays out
// over restarts until Undrain.
func (g *Gateway) Drain(backend, server string) error {
	return g.setDrain(backend, func(b *group) error { return b.Drain(server) })
}

// Undrain puts a drained server back, with slow start.
func (g *Gateway) Undrain(backend, server string) error {
	return g.setDrain(backend, func(b *group) error { return b.Undrain(server) })
}

// WaitIdle waits until the server has no request under way.
func (g *Gateway) WaitIdle(ctx context.Context, backend, server string) error {
	b, err := g.backendNamed(backend)
	if err != nil {
		return err
	}
	err = b.group.Wait(ctx, server)
	for _, former := range b.former {
		if former.Wait(ctx, server) == nil {
			err = nil // it has left with a reload; its last request is done
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return &UnknownError{err}
	}
	return nil
}

// servers is the state of every server, with what is still under way there from before a reload.
func (b *backend) servers() []ServerStatus {
	all := b.group.Status()
	for _, former := range b.former {
		for _, was := range former.Status() {
			if was.InFlight == 0 {
				continue
			}
			at := slices.IndexFunc(all, func(s ServerStatus) bool { return s.ID == was.ID })
			if at < 0 {
				all = append(all, was)
			} else {
				all[at].InFlight += was.InFlight
			}
		}
	}
	return all
}

// unfinished are the groups of before reloads that still have requests under way.
func (b *backend) unfinished() []*group {
	return slices.DeleteFunc(slices.Clone(b.former), (*group).Ended)
}

func (g *Gateway) setDrain(backend string, change func(*group) error) error {
	g.drains.mu.Lock() // a reload may be putting another backend in the place of this one
	defer g.drains.mu.Unlock()
	b, err := g.backendNamed(backend)
	if err != nil {
		return err
	}
	if err := change(b.group); err != nil {
		return &UnknownError{err}
	}
	drained := map[string][]string{}
	for name, b := range g.table.Load().backends {
		if list := b.group.Drained(); len(list) > 0 {
			drained[name] = list
		}
	}
	if err := g.drains.save(drained); err != nil {
		return fmt.Errorf("done, but not kept for a restart: %w", err)
	}
	return nil
}

// UnknownError is returned when a backend, server or route is named that is not there.
type UnknownError struct{ err error }

// Error names what is not there and what is.
func (e *UnknownError) Error() string { return e.err.Error() }

func (g *Gateway) backendNamed(name string) (*backend, error) {
	backends := g.table.Load().backends
	if b := backends[name]; b != nil {
		return b, nil
	}
	known := slices.Sorted(maps.Keys(backends))
	return nil, &UnknownError{fmt.Errorf("there is no backend %q, only %s", name, strings.Join(known, ", "))}
}
