package shift

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"yadokari/judge"
	"yadokari/setting"
)

// How a signal is worse: values of Signal.Worse.
const (
	fewer = "fewer"
	more  = "more"
)

// Signal is something that others count for both sides: orders, logins a minute, errors in browsers.
type Signal struct {
	// Name is what is counted, as in orders: letters, digits, - _ and .
	Name string `yaml:"name" required:"true"`
	// Query is a PromQL expression for what has been counted on one side since some time. {side} stands for the
	// backend's name and {since} for the time: sum(increase(orders_total{side="{side}"}[{since}])).
	Query string `yaml:"query" required:"true"`
	// Worse says whether fewer or more are worse.
	Worse string `yaml:"worse" required:"true" enum:"fewer,more"`
	// Tolerate is how much fewer, or more, a user of the new side may have and still pass.
	Tolerate setting.Growth `yaml:"tolerate" default:"10%"`
	// PerUser is the most that one user is expected to have in a stage: users are the unit of chance, and who is
	// counted is not known. The larger it is, the more must be counted for a verdict.
	PerUser int `yaml:"perUser" default:"5"`
}

const (
	sideWord  = "{side}"
	sinceWord = "{since}"
)

// Validate says everything that is wrong with s as *setting.Problem, joined, or returns nil.
func (s *Signal) Validate() error {
	var problems []error
	check := func(ok bool, key, what, remedy string) {
		if !ok {
			problems = append(problems, &setting.Problem{Path: setting.Path{key}, What: what, Remedy: remedy})
		}
	}
	check(setting.IsName(s.Name), "name", fmt.Sprintf("%q is not a name", s.Name), "use letters, digits, - _ and .")
	for _, word := range []string{sideWord, sinceWord} {
		check(strings.Contains(s.Query, word), "query", fmt.Sprintf("does not say %s", word),
			`write a query as in sum(increase(orders_total{side="{side}"}[{since}]))`)
	}
	check(s.Worse == fewer || s.Worse == more, "worse", fmt.Sprintf("%q is neither fewer nor more", s.Worse), "write fewer or more")
	check(s.Worse != fewer || s.Tolerate < 1, "tolerate", fmt.Sprintf("%s fewer is nothing at all", s.Tolerate), "write less than 100%")
	check(s.PerUser >= 1, "perUser", fmt.Sprintf("%d is less than one user's first", s.PerUser), "write 1 or more")
	return errors.Join(problems...)
}

func (s *Signal) count() judge.Count {
	return judge.Count{Name: s.Name, Fewer: s.Worse == fewer, Tolerance: s.Tolerate, PerUser: s.PerUser}
}

// queryFor is the query for one side.
func (s *Signal) queryFor(side string, since time.Duration) string {
	return strings.NewReplacer(sideWord, side, sinceWord, fmt.Sprintf("%ds", int(since.Seconds()))).Replace(s.Query)
}

// Counter answers queries. Its methods must be safe for concurrent use.
type Counter interface {
	// Count is the figure that a query comes to now, within seconds.
	Count(ctx context.Context, query string) (float64, error)
	// Every is how often it is worth asking; 0: not at all.
	Every() time.Duration
}

const (
	lateRounds  = 4 // of asking whose figures may be of the former placement: scrapes lag
	mostAsked   = 4 // routes at once
	countingFor = time.Minute
)

// counting is what a route has asked the Counter.
type counting struct {
	asking bool
	next   time.Time
	found  []judge.Counted // not told to the trial yet
}

// ask begins to ask for the route's signals when that is due, and tells the window what has been found. The caller
// holds r.mu.
func (c *Controller) ask(r *route, w *judge.Window, now time.Time) {
	w.Counted = append(w.Counted, r.counting.found...)
	r.counting.found = nil
	signals := r.config.Config.Signals
	share := r.record.Stage.Share
	if len(signals) == 0 || c.counter == nil || r.counting.asking || now.Before(r.counting.next) || share <= 0 || share >= 1 {
		return
	}
	every := c.counter.Every()
	if every <= 0 {
		r.counting.next = now.Add(idleEvery)
		r.counting.found = unknown(signals, "no Prometheus server is configured")
		return
	}
	r.counting.next = now.Add(every)
	since := now.Sub(r.begun) - lateRounds*every
	if since < every {
		return
	}
	r.counting.asking = true
	from, to, begun := r.config.From, r.config.To, r.begun
	go func() {
		found := c.counts(signals, from, to, since)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.counting.asking = false
		if r.begun.Equal(begun) {
			r.counting.found = found
		}
	}()
}

func unknown(signals []Signal, why string) []judge.Counted {
	list := make([]judge.Counted, len(signals))
	for i := range signals {
		list[i] = judge.Counted{Name: signals[i].Name, Problem: why}
	}
	return list
}

// counts asks for all signals on both sides, which takes as long as it takes: nothing waits for it.
func (c *Controller) counts(signals []Signal, from, to string, since time.Duration) []judge.Counted {
	ctx, cancel := context.WithTimeout(context.Background(), countingFor)
	defer cancel()
	select {
	case c.asked <- struct{}{}:
		defer func() { <-c.asked }()
	case <-ctx.Done():
		return unknown(signals, "the Prometheus server is too slow for all that is asked")
	}
	list := make([]judge.Counted, 0, len(signals))
	for i := range signals {
		one := judge.Counted{Name: signals[i].Name}
		for side, into := range map[string]*float64{from: &one.Old, to: &one.New} {
			value, err := c.counter.Count(ctx, signals[i].queryFor(side, since))
			if err != nil {
				one.Problem = side + ": " + err.Error()
			}
			*into = value
		}
		list = append(list, one)
	}
	return list
}
