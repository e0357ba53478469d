package shift

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Reload takes over a changed configuration, after the data plane knows its routes. On an error, which
// names the route, nothing has changed.
//
//   - A route that is new starts idle, or where it was when it was last configured.
//   - A route that is gone is forgotten by the loop; its record is kept with the state.
//   - Where the old or the new backend is another now, or there is no shift any more, users go back to
//     the old side: the share was not earned by what is there now.
//   - Where stages changed, the share is kept and the next stage is the first that is larger.
//   - Where anything else of the journey changed, the stage is judged anew from now on.
func (c *Controller) Reload(routes []RouteConfig) error {
	if err := c.replace(routes); err != nil {
		return err
	}
	if c.unloaded() != nil {
		c.wake() // the clerk tries again
	}
	return nil
}

func (c *Controller) replace(configs []RouteConfig) error {
	stages := make([][]Stage, len(configs))
	names := make(map[string]bool, len(configs))
	parsed := map[string][]Stage{} // most routes have the same stages, and thousands of copies would be kept
	for i, config := range configs {
		if names[config.Name] {
			return fmt.Errorf("route %q is there twice", config.Name)
		}
		names[config.Name] = true
		if config.Config == nil {
			continue
		}
		if err := config.Config.Validate(); err != nil {
			return fmt.Errorf("route %q: %w", config.Name, err)
		}
		list := strings.Join(config.Config.Stages, ",")
		if parsed[list] == nil {
			parsed[list], _ = ParseStages(config.Config.Stages) // Validate has parsed them
		}
		stages[i] = parsed[list]
	}
	c.reloading.Lock()
	defer c.reloading.Unlock()
	var list []*route
	for i, config := range configs {
		list = append(list, c.place(config, stages[i]))
	}
	c.byName.Range(func(name, r any) bool {
		if !names[name.(string)] {
			c.forget(r.(*route))
			c.byName.Delete(name)
		}
		return true
	})
	c.setRoutes(list)
	c.hub.send(Event{Lagged: true}) // routes may be new, gone, or on another journey
	return nil
}

// place gives a route its configuration, making it if it is new.
func (c *Controller) place(config RouteConfig, stages []Stage) *route {
	if old, ok := c.byName.Load(config.Name); ok {
		r := old.(*route)
		c.configure(r, config, stages)
		return r
	}
	r := &route{name: config.Name, config: config, stages: stages}
	r.mu.Lock()
	defer r.mu.Unlock()
	c.adopt(r, true)
	c.byName.Store(config.Name, r)
	return r
}

func (c *Controller) forget(r *route) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gone = true
	r.active.Store(false)
	c.overtake(r)
}

func (c *Controller) configure(r *route, config RouteConfig, stages []Stage) {
	r.mu.Lock()
	defer r.mu.Unlock()
	former := r.config
	r.config, r.stages = config, stages
	if why := misplaced(r.record, config); why != "" {
		c.takeBack(r, why)
	} else if !reflect.DeepEqual(former, config) {
		c.overtake(r) // it was decided by the former configuration
		if r.record.From != config.From || r.record.To != config.To {
			r.record.From, r.record.To = config.From, config.To
		}
		c.judgeAnew(r)
	}
}

// misplaced says why a record's share does not hold under a configuration; empty if it does.
func misplaced(record Record, config RouteConfig) string {
	switch {
	case !record.State.watched():
		return ""
	case config.Config == nil:
		return "the route has no shift any more"
	case record.From != config.From || record.To != config.To:
		return fmt.Sprintf("the route went from %s to %s and now goes from %s to %s", record.From, record.To, config.From, config.To)
	}
	return ""
}

// takeBack rolls a route back because of its configuration. The caller holds r.mu.
func (c *Controller) takeBack(r *route, why string) {
	now := time.Now()
	c.back(c.newChange(r, c.rolledBack(r, now), ActRollback, Automatic, why, r.found.json(), now))
}

// reload loads the stored state and follows what others have changed in it.
func (c *Controller) reload(ctx context.Context) error {
	c.reloading.Lock()
	defer c.reloading.Unlock()
	snapshot, err := c.store.Load(ctx)
	var last uint64
	if err == nil {
		last, err = c.ledger.Last()
	}
	if err != nil {
		c.loadFailed(err)
		return err
	}
	c.mu.Lock()
	first := c.broken != nil
	if !first && snapshot.Revision == c.revision && c.revision > 0 {
		c.loadErr = nil
		c.mu.Unlock()
		return nil
	}
	c.loaded(snapshot, last)
	conceded := c.concede()
	c.mu.Unlock()
	for _, ch := range conceded {
		ch.route.unsaved.Add(-1)
		c.finish(ch, ErrConflict)
	}
	if c.routes.Load() == nil {
		return nil
	}
	for _, r := range *c.routes.Load() {
		r.mu.Lock()
		c.adopt(r, first)
		r.mu.Unlock()
	}
	c.wake()
	return nil
}

// loadFailed keeps the error of a load.
func (c *Controller) loadFailed(err error) {
	c.mu.Lock()
	atStart := c.broken != nil
	kept := &c.loadErr
	if atStart {
		kept = &c.broken
	}
	said := *kept != nil && (*kept).Error() == err.Error()
	*kept = err
	c.mu.Unlock()
	if !said {
		c.logger.Error("the state is not loaded", "error", err, "everyoneOnOldSide", atStart)
	}
}

// loaded makes a snapshot the one further changes are based on. The caller holds c.mu.
func (c *Controller) loaded(s Snapshot, last uint64) {
	c.broken, c.loadErr = nil, nil
	c.committed, c.revision = s.Routes, s.Revision
	if c.committed == nil {
		c.committed = map[string]Record{}
	}
	// A state that was restored from a backup must not give out numbers the ledger has already.
	c.seq = max(s.Seq, last, c.seq)
	for _, e := range s.Outbox {
		known := slices.ContainsFunc(c.outbox, func(o Entry) bool { return o.Seq == e.Seq })
		if e.Seq > last && !known {
			c.outbox = append(c.outbox, e)
		}
	}
	slices.SortFunc(c.outbox, func(a, b Entry) int { return int(a.Seq) - int(b.Seq) })
}

// concede takes out of the queue what was decided before somebody else changed the state, except for
// what moves everyone back: safety needs no agreement. The caller holds c.mu.
func (c *Controller) concede() (conceded []*change) {
	c.queue = slices.DeleteFunc(c.queue, func(ch *change) bool {
		if !ch.applied || ch.next.Placement() == (Placement{}) {
			return false
		}
		conceded = append(conceded, ch)
		return true
	})
	return conceded
}

// adopt makes the stored record the route's, unless the route has a change in force that is not saved
// yet. The caller holds r.mu.
func (c *Controller) adopt(r *route, first bool) {
	if r.unsaved.Load() > 0 || r.gone {
		return
	}
	c.mu.Lock()
	record, known := c.committed[r.name]
	c.mu.Unlock()
	if !known {
		record = Record{State: Idle, Since: c.began}
	}
	if !first && record.place() == r.record.place() && record.Since.Equal(r.record.Since) {
		return
	}
	c.overtake(r)
	if why := misplaced(record, r.config); why != "" {
		r.record = record // for the ledger's sake
		c.takeBack(r, why)
		return
	}
	record.From, record.To = r.config.From, r.config.To
	if now := time.Now(); !record.Entered.IsZero() {
		// From now on what has passed since is told by a clock that nobody sets.
		record.Entered = now.Add(-max(0, now.Sub(record.Entered)))
	}
	c.apply(r, record.Placement())
	c.enter(r, record)
	c.publish(r)
}
