package judge

import (
	"math"
	"time"
)

const (
	remembered = 1 << 13 // users that a trial remembers one by one
	beyond     = 3.5     // standard deviations that chance does not explain
	habit      = 8       // requests of one user that count for what is usual
)

// A census knows how many users either side has served, and what answers are usual on both sides
// together: how long they take and how long they are. No user counts there with more than a few requests.
type census struct {
	users       sample[visits]
	old, new    uint64 // of the users that are remembered
	first, last Histogram
	sizes       Histogram // a byte is a microsecond: the buckets are what matters
}

// visits are the requests of one user, up to habit, and his side.
type visits struct {
	n   uint8
	new bool
}

func newCensus(most int) census { return census{users: newSample[visits](most)} }

func (c *census) add(e *Event) {
	if c.visit(e.User, e.New) {
		c.learn(&e.Answer)
	}
}

// visit counts a user and reports whether this request of his is to count for what is usual.
func (c *census) visit(user uint64, new bool) bool {
	if !c.users.holds(user) {
		return false
	}
	v := c.users.users[user]
	if v.n == habit {
		return false
	}
	level := c.users.level
	v.n++
	v.new = new
	c.users.put(user, v)
	if v.n == 1 {
		c.count(new)
	}
	if c.users.level != level {
		c.recount()
	}
	return true
}

func (c *census) count(new bool) {
	if new {
		c.new++
	} else {
		c.old++
	}
}

func (c *census) recount() {
	c.old, c.new = 0, 0
	for _, v := range c.users.users {
		c.count(v.new)
	}
}

// learn takes one answer for what is usual.
func (c *census) learn(a *Answer) {
	if a.First >= 0 {
		c.first.Add(int(a.First), 1)
	}
	if a.Last >= 0 {
		c.last.Add(int(a.Last), 1)
	}
	if a.Size >= 0 {
		c.sizes.Add(sizeBucket(a.Size), 1)
	}
}

// sizeBucket is the place of a length in a Histogram: a byte counts as a microsecond.
func sizeBucket(size int64) int {
	return Bucket(time.Duration(min(size, int64(longest/time.Microsecond))) * time.Microsecond)
}

// share is the new side's part of the users if that is beyond chance above the given one, else the given one.
func (c *census) share(nominal float64) float64 {
	_, most := c.shares(nominal)
	return most
}

// shares are the least and the most that may be the chance with which a user seen is on the new side: the given one, and the
// new side's part of the users if that is beyond chance.
func (c *census) shares(nominal float64) (least, most float64) {
	all, new := float64(c.old+c.new), float64(c.new)
	chance := beyond * math.Sqrt(nominal*all*(1-nominal)+1)
	switch {
	case new > nominal*all+chance:
		return nominal, new / all
	case new < nominal*all-chance:
		return new / all, nominal
	}
	return nominal, nominal
}

// served is how many users each side has served.
func (c *census) served() (old, new uint64) {
	return c.old * c.users.scale(), c.new * c.users.scale()
}

// pair takes a pair of the mirror stage, in which nobody is placed. Usual is the quicker one of the two answers, which
// may be either side's: half of all answers are the new side's here, and if they were slow they would be what is usual.
func (c *census) pair(p *Pair) {
	if p.Old.Failed || p.New.Failed || !c.visit(p.User, false) {
		return
	}
	c.learn(&Answer{First: min(p.Old.First, p.New.First), Last: min(p.Old.Last, p.New.Last), Size: -1})
}
