package tracker

import (
	"errors"
	"fmt"
	"time"
)

// Config is everything a copy of the tracker can be told.
type Config struct {
	// Listen is the address users' requests arrive at, host:port; port 0 takes a free one.
	Listen string
	// Control is the address of the control listener, which must be a loopback one; port 0 takes a
	// free port. Empty: no control listener.
	Control string
	// Data is the directory that all copies share. It is created when it is not there.
	Data string
	// Version names this build, for example vm or containers. It is sent as X-Tracker-Build.
	Version string
	// Think is the time each page spends beyond its own work, as a real application does.
	Think Think
	// Slower makes every answer take this much longer before its first byte: 0.6 is 60 % longer.
	Slower float64
	// Faults are in force from the first request on.
	Faults []Fault
	// Audit is the path of the audit log, which belongs to this copy alone. Empty: no audit log.
	Audit string
	// Mail says how mail about changed issues leaves.
	Mail Mail
	// Marker is the path of the empty file that is written when everything else has been written at a
	// stop, and removed at the next start. Empty: no marker.
	Marker string
	// Linger is how long requests are still accepted after the signal to stop. Zero: not at all.
	Linger time.Duration
	// Grace is how long open requests and, after them, queued mails each have to finish at a stop.
	// Zero: 20 s.
	Grace time.Duration
	// MaxUpload is the largest file accepted, in bytes. Zero: 8 GiB.
	MaxUpload int64
}

const (
	defaultGrace     = 20 * time.Second
	defaultMaxUpload = 8 << 30
	maxFormBytes     = 1 << 20
)

// normal returns c with its defaults filled in, or what is wrong with it.
func (c Config) normal() (Config, error) {
	if c.Data == "" {
		return c, errors.New("tracker: the data directory is not set")
	}
	if c.Slower < 0 {
		return c, fmt.Errorf("tracker: slower is %g: it cannot be negative", c.Slower)
	}
	if c.Version == "" {
		c.Version = "vm"
	}
	if c.Listen == "" {
		c.Listen = "127.0.0.1:9000"
	}
	if c.Grace <= 0 {
		c.Grace = defaultGrace
	}
	if c.MaxUpload <= 0 {
		c.MaxUpload = defaultMaxUpload
	}
	for i, f := range c.Faults {
		if err := f.check(); err != nil {
			return c, fmt.Errorf("tracker: fault %d: %w", i+1, err)
		}
	}
	if err := c.Think.check(); err != nil {
		return c, err
	}
	if c.Control != "" {
		if err := checkLoopback(c.Control); err != nil {
			return c, err
		}
	}
	return c, c.Mail.check()
}
