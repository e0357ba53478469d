package history

import (
	"slices"
	"strings"
	"sync"
	"time"

	"yadokari/judge"
	"yadokari/shift"
)

// The bounds. A detailed route takes about 100 KiB when its levels are full, any other about 4 KiB: 35 MiB
// in all at most.
const (
	mostDetailed = 256
	mostRoutes   = 2000
	lookEvery    = time.Second     // between two looks for routes that can be given up
	quiet        = 5 * time.Minute // after which a route's finest points are out of date
)

// Keeper keeps the history of all routes. Its methods are safe for concurrent use, and quick: the
// control loop calls Observe. The zero value is ready.
type Keeper struct {
	mu       sync.Mutex
	routes   map[string]*series
	detailed int
	looked   time.Time // for routes to give up
}

// Observe takes what ended on a route since the last call. Routes beyond the bounds are left out until
// others are quiet.
func (k *Keeper) Observe(o shift.Observation) {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.routes[o.Route]
	if s == nil {
		if s = k.enter(o); s == nil {
			return
		}
	}
	if !s.detailed && watched(o.Place.State) && k.roomForDetail(o.Time) {
		s.detail(o.Time.Unix())
		k.detailed++
	}
	s.add(o)
}

func (k *Keeper) enter(o shift.Observation) *series {
	if k.routes == nil {
		k.routes = map[string]*series{}
	}
	if len(k.routes) >= mostRoutes && !k.giveUp(o.Time, watched(o.Place.State)) {
		return nil
	}
	s := newSeries()
	k.routes[o.Route] = s
	return s
}

// giveUp forgets routes that were quiet, or, for a route that is watched, the one quiet for longest.
func (k *Keeper) giveUp(now time.Time, insist bool) bool {
	if now.Sub(k.looked) < lookEvery {
		return false
	}
	k.looked = now
	oldest := ""
	for name, s := range k.routes {
		if now.Sub(s.last) > quiet && now.Sub(s.watched) > long.span() {
			k.forget(name)
		} else if !s.detailed && (oldest == "" || s.last.Before(k.routes[oldest].last)) {
			oldest = name
		}
	}
	if len(k.routes) >= mostRoutes && insist && oldest != "" {
		k.forget(oldest)
	}
	return len(k.routes) < mostRoutes
}

func (k *Keeper) forget(name string) {
	if k.routes[name].detailed {
		k.detailed--
	}
	delete(k.routes, name)
}

// roomForDetail says whether one more route can be kept in detail; the one that was watched longest ago
// makes room if that was before the finest points went out of date.
func (k *Keeper) roomForDetail(now time.Time) bool {
	if k.detailed < mostDetailed {
		return true
	}
	if now.Sub(k.looked) < lookEvery {
		return false
	}
	k.looked = now
	var oldest *series
	for _, s := range k.routes {
		if s.detailed && (oldest == nil || s.watched.Before(oldest.watched)) {
			oldest = s
		}
	}
	if oldest == nil || now.Sub(oldest.watched) <= quiet {
		return false
	}
	oldest.turn(now.Unix())
	oldest.plain()
	k.detailed--
	return true
}

// Series is a part of one route's history.
type Series struct {
	// Step is the length of a step in seconds.
	Step int64
	// Until is the end of the last step that is over, in seconds since the epoch. Later points are not known yet.
	Until int64
	// From is when these steps began to be kept, in seconds since the epoch; 0: with the process. A time before
	// it that has no point is not known, rather than quiet.
	From   int64
	Points []Point
}

// Series is the route's history in the finest steps that reach back as far as span, or the longest
// there are; only points that began at from or later. A route without history has no points.
func (k *Keeper) Series(route string, span time.Duration, from, now time.Time) Series {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.routes[route]
	if s == nil {
		return Series{Step: five.step, Until: now.Unix() - now.Unix()%five.step, Points: []Point{}}
	}
	s.turn(now.Unix())
	l := s.level(span)
	earliest := max(from.Unix(), now.Add(-min(span, l.span())).Unix())
	return Series{Step: l.step, Until: l.stepOf(now.Unix()), From: l.from, Points: l.since(earliest)}
}

// RecentStep is the step of Recent in seconds.
const RecentStep = 5

// Recent is the last five minutes of every route that had traffic, in steps of RecentStep; only
// points that began at from or later.
func (k *Keeper) Recent(from, now time.Time) map[string][]Point {
	k.mu.Lock()
	defer k.mu.Unlock()
	all := map[string][]Point{}
	earliest := max(from.Unix(), now.Add(-five.span()).Unix())
	for name, s := range k.routes {
		s.turn(now.Unix())
		if points := s.at(five).since(earliest); len(points) > 0 {
			all[name] = points
		}
	}
	return all
}

// at is the level with a resolution that every series has.
func (s *series) at(r resolution) *level {
	return s.levels[slices.IndexFunc(s.levels, func(l *level) bool { return l.resolution == r })]
}

// Bar is how many latencies there were from From to To, in milliseconds.
type Bar struct {
	From float64 `json:"from"`
	To   float64 `json:"to"`
	N    uint32  `json:"n"`
}

// Latencies are the distributions of both sides' latencies in a stage.
type Latencies struct {
	// Stage is the one under way, or, after a rollback, the one it ended; empty when none is known.
	Stage string    `json:"stage"`
	Since time.Time `json:"since,omitzero"`
	Old   []Bar     `json:"vm"`
	New   []Bar     `json:"containers"`
}

// Latencies is what the latencies of a route's stage are.
func (k *Keeper) Latencies(route string) Latencies {
	k.mu.Lock()
	defer k.mu.Unlock()
	found := Latencies{Old: []Bar{}, New: []Bar{}}
	if s := k.routes[route]; s != nil && s.detailed {
		found.Stage, found.Since = strings.Clone(s.stage.name), s.stage.since
		found.Old, found.New = s.stage.old.bars(), s.stage.new.bars()
	}
	return found
}

func (t *tally) bars() []Bar {
	bars := make([]Bar, len(t.latency))
	for i, c := range t.latency {
		from, to := judge.Span(int(c.bucket))
		bars[i] = Bar{From: milliseconds(from), To: milliseconds(to), N: c.n}
	}
	return bars
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
