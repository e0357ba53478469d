// Package browse is people using the tracker: each user has a session, looks at pages, and now and
// then writes, uploads, or listens for notifications. It counts what these people would call a
// failure, and can check afterwards that what they were told is stored was stored, once.
package browse

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// Config is who browses what, and how fast.
type Config struct {
	// URL is where the tracker, or the gateway before it, is: http://host:port.
	URL string
	// Users is how many people browse, 1 to 10,000. Zero: 20.
	Users int
	// Rate is how many requests all users together make a second, at most. When answers are slower than
	// this, there are fewer. Zero: as many as there can be.
	Rate float64
	// Mix is how often each activity is chosen, by weight. Nil: DefaultMix.
	Mix map[Activity]int
	// Sockets is how many of the users listen for notifications all the time. They are not part of Rate.
	Sockets int
	// UploadBytes is the size of an uploaded file. Zero: 64 KiB.
	UploadBytes int64
	// Timeout is how long a user waits for a whole answer. Zero: 30 s.
	Timeout time.Duration
	// Transport makes the requests, for example with TLS or from a chosen address. Nil: a plain one
	// with a kept connection for each user.
	Transport http.RoundTripper
	// Seed makes the users' choices repeatable. Zero is a seed like any other.
	Seed uint64
}

const (
	maxUsers       = 10_000
	defaultUsers   = 20
	defaultUpload  = 64 << 10
	defaultTimeout = 30 * time.Second
)

// Load is people browsing.
type Load struct {
	config  Config
	run     string // tells this load's writings from those of others
	pace    *pacer
	weights []weight
	record  *recorder
	users   []*user
	done    chan struct{}
}

// Run browses until ctx ends, lets each user finish the request it waits for, and returns the sums.
func Run(ctx context.Context, config Config) (Result, error) {
	load, err := Start(ctx, config)
	if err != nil {
		return Result{}, err
	}
	return load.Wait(), nil
}

// Start begins to browse, until ctx ends.
func Start(ctx context.Context, config Config) (*Load, error) {
	config, err := config.normal()
	if err != nil {
		return nil, err
	}
	weights, err := weigh(config.Mix)
	if err != nil {
		return nil, err
	}
	l := &Load{
		config: config, run: rand.Text()[:8], pace: newPacer(config.Rate), weights: weights,
		record: newRecorder(), done: make(chan struct{}),
	}
	var all sync.WaitGroup
	for n := range config.Users {
		u, err := newUser(l, n)
		if err != nil {
			return nil, err
		}
		l.users = append(l.users, u)
	}
	for n, u := range l.users {
		all.Go(func() { u.browse(ctx) })
		if n < config.Sockets {
			all.Go(func() { u.listen(ctx) })
		}
	}
	go func() {
		defer close(l.done)
		all.Wait()
		closeIdle(config.Transport)
	}()
	return l, nil
}

// Wait waits for the end, and returns the sums.
func (l *Load) Wait() Result {
	<-l.done
	return l.Snapshot()
}

// Snapshot is the sums so far.
func (l *Load) Snapshot() Result { return l.record.read() }

func (c Config) normal() (Config, error) {
	target, err := url.Parse(c.URL)
	if err != nil || target.Host == "" || (target.Scheme != "http" && target.Scheme != "https") {
		return c, fmt.Errorf("browse: %q is not the URL of a web server", c.URL)
	}
	c.URL = target.Scheme + "://" + target.Host
	if c.Users == 0 {
		c.Users = defaultUsers
	}
	if c.UploadBytes <= 0 {
		c.UploadBytes = defaultUpload
	}
	if c.Timeout <= 0 {
		c.Timeout = defaultTimeout
	}
	if c.Mix == nil {
		c.Mix = DefaultMix()
	}
	if c.Transport == nil {
		c.Transport = &http.Transport{
			DialContext:         (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
			MaxIdleConnsPerHost: c.Users,
			DisableCompression:  true,
			TLSHandshakeTimeout: 10 * time.Second,
		}
	}
	switch {
	case c.Users < 0 || c.Users > maxUsers:
		return c, fmt.Errorf("browse: %d users: want 1 to %d", c.Users, maxUsers)
	case c.Rate < 0:
		return c, errors.New("browse: the rate is negative")
	case c.Sockets < 0 || c.Sockets > c.Users:
		return c, fmt.Errorf("browse: %d sockets for %d users", c.Sockets, c.Users)
	}
	return c, nil
}

func closeIdle(t http.RoundTripper) {
	if closer, ok := t.(interface{ CloseIdleConnections() }); ok {
		closer.CloseIdleConnections()
	}
}
