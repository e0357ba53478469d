package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"yadokari/admin/client"
	"yadokari/examples/tracker"
	"yadokari/shift"
)

// journey is how one route's shift ended.
type journey struct {
	state shift.State
	ended time.Time // by the ledger
}

// slowBy is how much longer the new side takes for a page of the slow route: enough to be seen on a busy
// machine too.
const slowBy = 150 * time.Millisecond

// errEnough ends the stream when every journey is over.
var errEnough = errors.New("every journey is over")

// follow starts the three journeys, tells every change, breaks the new side at the right moment, and
// returns when all are over.
func follow(ctx context.Context, patience time.Duration, s *site, tell *teller) (map[string]journey, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	slow := tracker.Fault{Method: "GET", Prefix: "/board", Kind: tracker.FaultSlow, Delay: slowBy}
	if err := tracker.SetFaults(ctx, s.containers.ControlURL, slow); err != nil {
		return nil, err
	}
	tell.say("in the containers build every page of /board takes %s longer", slowBy)
	f := &follower{site: s, tell: tell, slow: slow, seen: map[string]string{}, over: map[string]journey{}}
	for _, route := range []string{fineRoute, brokenRoute, slowRoute} {
		var status shift.Status
		if err := s.client.Do(ctx, "POST", "/api/v1/routes/"+route+"/start", map[string]string{"why": "the demonstration"}, &status); err != nil {
			return nil, err
		}
	}
	err := s.client.Stream(ctx, "/api/v1/events", "", func(e client.Event) error { return f.event(ctx, e) })
	if errors.Is(err, errEnough) {
		err = nil
	}
	if ctx.Err() != nil {
		err = fmt.Errorf("%d of 3 journeys were over after %s: %w", len(f.over), patience, ctx.Err())
	}
	return f.over, err
}

// follower takes in what the gateway tells.
type follower struct {
	site *site
	tell *teller
	slow tracker.Fault
	seen map[string]string // what was told last of each route
	over map[string]journey
}

func (f *follower) event(ctx context.Context, e client.Event) error {
	var list []shift.Status
	var err error
	if e.Name == "routes" {
		err = json.Unmarshal(e.Data, &list)
	} else {
		list = make([]shift.Status, 1)
		err = json.Unmarshal(e.Data, &list[0])
	}
	if err != nil {
		return err
	}
	for _, status := range list {
		if err := f.status(ctx, status); err != nil {
			return err
		}
	}
	if len(f.over) == 3 {
		return errEnough
	}
	return nil
}

func (f *follower) status(ctx context.Context, s shift.Status) error {
	now := string(s.State) + " " + s.Stage
	if s.State == shift.Idle || f.seen[s.Route] == now {
		return nil
	}
	f.seen[s.Route] = now
	switch s.State {
	case shift.Shifting:
		f.tell.stage(s)
		if s.Route == brokenRoute && s.Stage == "5%" {
			return f.breakRoute(ctx)
		}
	case shift.Done, shift.RolledBack:
		return f.end(ctx, s)
	}
	return nil
}

// breakRoute lets the new side fail from now on.
func (f *follower) breakRoute(ctx context.Context) error {
	f.tell.say("now the containers build breaks: GET /issues answers 500")
	broken := tracker.Fault{Method: "GET", Prefix: "/issues", Kind: tracker.FaultError}
	return tracker.SetFaults(ctx, f.site.containers.ControlURL, f.slow, broken)
}

// end notes how a journey ended, from the ledger, which is written a moment after users have moved.
func (f *follower) end(ctx context.Context, s shift.Status) error {
	f.tell.end(s)
	for {
		var entries []shift.Entry
		if err := f.site.client.Do(ctx, "GET", "/api/v1/ledger?limit=1&route="+s.Route, nil, &entries); err != nil {
			return err
		}
		if len(entries) > 0 && entries[0].To.State == s.State {
			f.over[s.Route] = journey{state: s.State, ended: entries[0].Time}
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}
