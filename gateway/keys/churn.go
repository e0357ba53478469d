package keys

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	churnSpan = time.Minute
	churnMost = 2048 // keys that are remembered; of more a sample
)

// Churn measures how well a key holds that the app gives: of the users of a minute, how many got
// another one in an answer although they had one. It remembers a sample of keys (distinct sampling:
// Gibbons, "Distinct Sampling for Highly-Accurate Answers to Distinct Values Queries", VLDB 2001): those
// whose hash ends in so many zeros that they find room.
type Churn struct {
	skip atomic.Uint64 // a key is in the sample when its hash and this have no bit in common

	requests, without atomic.Uint64 // of this minute

	mu    sync.Mutex
	since time.Time
	keys  map[uint64]fate
	last  Holding
}

// fate is what has become of a key.
type fate uint8

const (
	replaced  fate = 1 << iota // an answer gave its user another key
	successor                  // an answer gave it to a user who had another one before
)

// Holding is how well keys have held in the last full minute.
type Holding struct {
	// Users had a key; of them Changed got another one. When there are many both are of a sample.
	Users   int `json:"users"`
	Changed int `json:"changed"`
	// Requests are all, and Without those that had no key and are known by their address.
	Requests uint64 `json:"requests"`
	Without  uint64 `json:"without"`
}

// Asked takes note of a request; key is the hash of its user's key, or 0 when it has none.
func (c *Churn) Asked(key uint64, now time.Time) {
	n := c.requests.Add(1)
	if key != 0 {
		if key = Mix(key); key&c.skip.Load() == 0 && c.mu.TryLock() { // who is missed now is met again
			defer c.mu.Unlock()
			c.note(key, 0, now)
		}
		return
	}
	c.without.Add(1)
	if n%64 == 0 {
		c.Last(now) // somebody must look at the clock, but not everybody
	}
}

// Replaced takes note that an answer gave the user with the key another one.
func (c *Churn) Replaced(key, by uint64, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.note(Mix(key), replaced, now)
	c.note(Mix(by), successor, now)
}

// note remembers what has become of a key, if it is in the sample. c.mu is held.
func (c *Churn) note(key uint64, what fate, now time.Time) {
	c.turn(now)
	if key&c.skip.Load() != 0 {
		return
	}
	if c.keys == nil {
		c.keys = map[uint64]fate{}
	}
	c.keys[key] |= what
	for len(c.keys) > churnMost {
		c.thin()
	}
}

// thin halves the sample. c.mu is held.
func (c *Churn) thin() {
	skip := c.skip.Load()<<1 | 1
	c.skip.Store(skip)
	for key := range c.keys {
		if key&skip != 0 {
			delete(c.keys, key)
		}
	}
}

// turn begins another minute when it is time. c.mu is held.
func (c *Churn) turn(now time.Time) {
	if c.since.IsZero() {
		c.since = now
	}
	age := now.Sub(c.since)
	if age < churnSpan {
		return
	}
	c.last = Holding{}
	if age < 2*churnSpan {
		c.last = c.count()
	}
	c.since = now
	c.requests.Store(0)
	c.without.Store(0)
	clear(c.keys)
	c.skip.Store(c.skip.Load() >> 1) // there may be fewer users now
}

func (c *Churn) count() Holding {
	h := Holding{Requests: c.requests.Load(), Without: c.without.Load()}
	for _, is := range c.keys {
		if is&successor != 0 {
			continue // its user has been counted by the key before
		}
		h.Users++
		if is&replaced != 0 {
			h.Changed++
		}
	}
	return h
}

// Last is how the last full minute was, or, before there is one, the minute that has begun.
func (c *Churn) Last(now time.Time) Holding {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turn(now)
	if c.last == (Holding{}) {
		return c.count()
	}
	return c.last
}
