package history

import "time"

// Side is what one side did in one step.
type Side struct {
	Requests, Failures uint32
	// P50, P95 and P99 are in milliseconds, of the requests that did not fail; 0 when there were none.
	P50, P95, P99 float32
}

// Point is one step of a route in which something ended.
type Point struct {
	// Time is when the step began, in seconds since the epoch; a multiple of the step.
	Time     int64
	Old, New Side
	// Share is the part of the users on the new side at the end of the step.
	Share float32
	// Doubt is how far the evidence against the new side had come at most: 0 nothing speaks against it,
	// 1 it is condemned; -1 when nothing was judged.
	Doubt float32
	// Fallbacks, Compared and Different are counts of the step.
	Fallbacks, Compared, Different uint32
}

// sums is a step that is under way.
type sums struct {
	old, new                       tally
	share, doubt                   float32
	fallbacks, compared, different uint64
}

func (s *sums) merge(from *sums) {
	s.old.merge(&from.old)
	s.new.merge(&from.new)
	s.share, s.doubt = from.share, max(s.doubt, from.doubt)
	s.fallbacks += from.fallbacks
	s.compared += from.compared
	s.different += from.different
}

func (s *sums) reset() {
	s.old.reset()
	s.new.reset()
	*s = sums{old: s.old, new: s.new, doubt: -1}
}

func (s *sums) point(at int64) Point {
	return Point{
		Time: at, Old: s.old.side(), New: s.new.side(), Share: s.share, Doubt: s.doubt,
		Fallbacks: clamp(s.fallbacks), Compared: clamp(s.compared), Different: clamp(s.different),
	}
}

// resolution is how a level divides time.
type resolution struct {
	step int64 // seconds
	most int   // points kept
}

func (r resolution) span() time.Duration { return time.Duration(r.step*int64(r.most)) * time.Second }

// level keeps the last points of one resolution.
type level struct {
	resolution
	from  int64   // nothing is known of the time before; 0: all of it is
	ring  []Point // grows to most, then next is overwritten
	next  int
	begun bool  // a step is under way
	at    int64 // it began
	sums  sums
}

func newLevel(r resolution, from int64) *level {
	l := &level{resolution: r, from: from}
	l.sums.doubt = -1
	return l
}

func (l *level) push(p Point) {
	if len(l.ring) < l.most {
		l.ring = append(l.ring, p)
		return
	}
	l.ring[l.next] = p
	l.next = (l.next + 1) % l.most
}

// since gives the points that began at from or later, the oldest first.
func (l *level) since(from int64) []Point {
	points := []Point{}
	for i := range l.ring {
		if p := l.ring[(l.next+i)%len(l.ring)]; p.Time >= from {
			points = append(points, p)
		}
	}
	return points
}

// stepOf is the beginning of the step that a moment belongs to.
func (l *level) stepOf(second int64) int64 { return second - second%l.step }
