// Package demo shows a whole migration in about a minute, with the real parts: two builds of a small
// monolith, the gateway before them, people browsing, and three routes that move. One is fine, one
// breaks on the new side, one is slower there. It ends with the sums.
package demo

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"yadokari/examples/tracker/browse"
)

// TrackerVerb is the hidden verb by which the program starts a build of the example app.
const TrackerVerb = "demo-tracker"

// Options say how the demonstration is given.
type Options struct {
	// Binary is the yadokari program, which is started several times with other verbs.
	Binary string
	// Out is told the story.
	Out io.Writer
	// Keep leaves everything running after the sums, until ctx ends.
	Keep bool
	// Rate is the requests a second of all users together; 0: 450.
	Rate float64
	// Patience is the longest the three journeys may take; 0: two minutes.
	Patience time.Duration
}

// users is how many people browse; enough that 5 % of them are about as many in every run.
const users = 600

// Run gives the demonstration. It returns the sums, and an error when a promise was broken.
func Run(ctx context.Context, o Options) (Sums, error) {
	if o.Rate == 0 {
		o.Rate = 450
	}
	if o.Patience == 0 {
		o.Patience = 2 * time.Minute
	}
	dir, err := os.MkdirTemp("", "yadokari-demo-")
	if err != nil {
		return Sums{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // a folder that stays is in the system's own for temporary ones
	tell := newTeller(o.Out)
	tell.say("starting two builds of examples/tracker, vm and containers, on one set of data, and the gateway before them")
	starting, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	s, err := startSite(starting, o.Binary, dir)
	if err != nil {
		return Sums{}, err
	}
	defer s.stop()
	tell.say("%d people browse %s at %.0f requests a second; operators look at %s", users, s.url(), o.Rate, s.adminURL())
	sums, err := play(ctx, o, s, tell)
	if err != nil {
		return sums, err
	}
	tell.sums(sums)
	if o.Keep {
		tell.keep(s)
		<-ctx.Done()
	}
	return sums, sums.Broken()
}

// play lets people browse while the routes move, and adds up.
func play(ctx context.Context, o Options, s *site, tell *teller) (Sums, error) {
	browsing, enough := context.WithCancel(ctx)
	defer enough()
	load, err := browse.Start(browsing, browse.Config{
		URL: s.url(), Users: users, Rate: o.Rate, Sockets: 5, Timeout: 15 * time.Second,
		Mix: map[browse.Activity]int{
			browse.Wiki: 46, browse.Issues: 38, browse.Board: 8,
			browse.WikiPut: 2, browse.Comment: 2, browse.Search: 2, browse.Static: 2, browse.Upload: 1,
		},
	})
	if err != nil {
		return Sums{}, err
	}
	journeys, err := follow(ctx, o.Patience, s, tell)
	if !o.Keep {
		enough()
	}
	if err != nil {
		return Sums{}, err
	}
	result := load.Snapshot()
	if !o.Keep {
		result = load.Wait()
	}
	sums := newSums(result, journeys)
	if !o.Keep {
		writes, err := load.Check(ctx, s.vm.URL)
		if err != nil {
			return sums, fmt.Errorf("look whether everything written is there: %w", err)
		}
		sums.WritesLost, sums.WritesDoubled = writes.Lost, writes.Doubled
	}
	log, err := readLog(s.AccessLog, brokenRoute)
	if err != nil {
		return sums, err
	}
	sums.Fallbacks = log.fallbacks
	if !log.firstFailure.IsZero() {
		sums.RolledBackAfter = journeys[brokenRoute].ended.Sub(log.firstFailure)
	}
	return sums, nil
}
