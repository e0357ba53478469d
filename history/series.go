package history

import (
	"time"

	"yadokari/judge"
	"yadokari/shift"
)

// The resolutions. Each step is a multiple of the one before.
var (
	second = resolution{1, 300}
	five   = resolution{5, 60}
	ten    = resolution{10, 720}
	long   = resolution{120, 720}
)

// series is one route. What ends goes into the finest level; a step that is over goes on to the next.
type series struct {
	levels   []*level
	detailed bool
	turned   int64     // the second up to which steps are over and may have been told
	last     time.Time // something ended, or the route was watched
	watched  time.Time // its new side served or was tried
	stage    stage
}

// stage holds the latencies of the stage that is under way, or, after a rollback, of the one that it ended.
type stage struct {
	name     string
	since    time.Time
	old, new tally
}

func newSeries() *series { return &series{levels: []*level{newLevel(five, 0)}} }

// detail begins to keep finer and longer series.
func (s *series) detail(now int64) {
	s.detailed = true
	s.levels = []*level{newLevel(second, now), s.levels[0], newLevel(ten, now), newLevel(long, now)}
}

// plain gives up what detail began.
func (s *series) plain() {
	s.detailed = false
	s.levels = s.levels[1:2]
	s.stage = stage{}
}

func (s *series) add(o shift.Observation) {
	// What comes late counts in the step under way: one that was told does not change.
	now := max(o.Time.Unix(), s.turned)
	s.turn(now)
	l := s.levels[0]
	if !l.begun {
		l.begun, l.at = true, l.stepOf(now)
	}
	w := o.Window
	l.sums.old.add(&w.Old)
	l.sums.new.add(&w.New)
	l.sums.share = float32(o.Place.Share)
	l.sums.doubt = max(l.sums.doubt, doubt(o.Evidence))
	l.sums.fallbacks += w.Fallbacks
	for i := range w.Compared {
		l.sums.compared++
		if w.Compared[i].Different {
			l.sums.different++
		}
	}
	s.last = o.Time
	if !watched(o.Place.State) {
		return
	}
	s.watched = o.Time
	if s.detailed {
		s.stage.add(o)
	}
}

// add counts what is judged: in mirror the requests that both sides had, else all.
func (g *stage) add(o shift.Observation) {
	if g.name != o.Place.Stage || !g.since.Equal(o.Begun) {
		*g = stage{name: o.Place.Stage, since: o.Begun}
	}
	if o.Place.Stage != shift.MirrorStage {
		g.old.add(&o.Window.Old)
		g.new.add(&o.Window.New)
		return
	}
	var old, new judge.Tally
	for i := range o.Window.Pairs {
		old.Count(&o.Window.Pairs[i].Old)
		new.Count(&o.Window.Pairs[i].New)
	}
	g.old.add(&old)
	g.new.add(&new)
}

// turn ends the steps that are over, from the finest level on.
func (s *series) turn(now int64) {
	s.turned = max(s.turned, now)
	for i, l := range s.levels {
		if !l.begun || now < l.at+l.step {
			continue
		}
		if i+1 < len(s.levels) {
			s.levels[i+1].take(l.at, &l.sums, s.levels[i+2:])
		}
		l.end()
	}
}

// take adds a step of a finer level. If it belongs to a later step than the one under way, that ends.
func (l *level) take(at int64, from *sums, coarser []*level) {
	if step := l.stepOf(at); !l.begun || step > l.at {
		if l.begun {
			if len(coarser) > 0 {
				coarser[0].take(l.at, &l.sums, coarser[1:])
			}
			l.end()
		}
		l.begun, l.at = true, step
	}
	l.sums.merge(from)
}

func (l *level) end() {
	l.push(l.sums.point(l.at))
	l.sums.reset()
	l.begun = false
}

// level is the finest one that reaches back as far as span.
func (s *series) level(span time.Duration) *level {
	for _, l := range s.levels {
		if l.span() >= span {
			return l
		}
	}
	return s.levels[len(s.levels)-1]
}

func watched(s shift.State) bool { return s == shift.Shifting || s == shift.Paused || s == shift.Done }
