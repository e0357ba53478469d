package gateway

import (
	"log/slog"
	"sync"
	"sync/atomic"

	"yadokari/gateway/mirror"
)

// copier holds a route's Mirror, which is made for the first copy: of ten thousand routes few are in a
// stage. A nil copier, of a route that does not move, never makes one.
type copier struct {
	route  *route
	logger *slog.Logger
	made   atomic.Pointer[mirror.Mirror]

	mu     sync.Mutex // held while made or closed change
	closed bool
}

// mirror is the route's Mirror, or nil when the route has none any more.
func (c *copier) mirror() *mirror.Mirror {
	if m := c.already(); m != nil || c == nil {
		return m
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.made.Load() == nil && !c.closed {
		c.made.Store(mirror.New(c.route.config.Mirror, c.route.sendCopy, c.route.countCopy, c.logger.With("route", c.route.name)))
	}
	return c.made.Load()
}

func (c *copier) close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	if m := c.already(); m != nil {
		m.Close()
	}
}

// already is the route's Mirror if there has been a copy, else nil.
func (c *copier) already() *mirror.Mirror {
	if c == nil {
		return nil
	}
	return c.made.Load()
}

// counts are what the mirror has counted.
func (c *copier) counts() (counts mirror.Stats) {
	if m := c.already(); m != nil {
		counts = m.Stats()
	}
	return counts
}

// examples are the differences that the mirror keeps; never nil.
func (c *copier) examples() []mirror.Example {
	examples := []mirror.Example{}
	if m := c.already(); m != nil {
		examples = append(examples, m.Examples()...)
	}
	return examples
}
