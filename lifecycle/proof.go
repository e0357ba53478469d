package lifecycle

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	proofPoll = 100 * time.Millisecond
	dialTime  = 50 * time.Millisecond // on loopback, a port takes a connection at once or not at all
	// fileClock is how far a file's time may be behind the clock: the kernel stamps with that of its
	// last tick.
	fileClock = 10 * time.Millisecond
)

// Proof is how it is known that an app which others start and stop has finished. It has if
//
//   - its marker is there, was written since Since, and every port of Ports is closed; or
//   - every port of Ports is closed, and for Quiet nothing changed of Files and Activity. This is what is
//     left to go by when an app was killed: it writes no marker. Where there is to be a marker, and
//     neither Ports nor Files, it does not count: an app that sends no mail for a while may be at work.
//
// A marker older than Since may be one of an earlier container, or of an app that finished while this
// process was started anew; it counts for nothing, and the second way decides.
type Proof struct {
	Marker string
	// Since is when this process began. The times of files are compared with it.
	Since time.Time
	// Ports are host:port, where the app listens while it runs.
	Ports []string
	// Files are patterns (filepath.Match) of files that the app writes to.
	Files []string
	// Activity are counts that grow when the app does something, such as send a mail.
	Activity []func() int64
	// Quiet is how long nothing may change.
	Quiet time.Duration

	// Dial is how ports are tried; nil: a net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Evidence is why an app counts as finished, or why it does not.
type Evidence struct {
	Finished bool   `json:"finished"`
	By       string `json:"by"`             // marker or quiet; without Finished what is still in the way
	Mark     *Mark  `json:"mark,omitempty"` // the marker that was found, even if it does not count
	Stale    bool   `json:"stale,omitempty"`
}

// Wait returns when the app is proven finished, or when ctx ends, with ctx's cause as the error.
func (p *Proof) Wait(ctx context.Context) (Evidence, error) {
	tick := time.NewTicker(proofPoll)
	defer tick.Stop()
	var before uint64
	var since time.Time
	for {
		e, stamp := p.look(ctx)
		switch now := time.Now(); {
		case e.Finished:
			return e, nil
		case e.By != "": // a port is not closed
			since = time.Time{}
		case !p.quietCounts():
			e.By = "its marker is not there"
		case since.IsZero() || stamp != before:
			before, since = stamp, now
			e.By = "files and mail are not quiet yet"
		case now.Sub(since) >= p.Quiet:
			e.Finished, e.By = true, "quiet"
			return e, nil
		default:
			e.By = "files and mail are not quiet yet"
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return e, fmt.Errorf("the app is not proven finished, %s: %w", e.By, context.Cause(ctx))
		}
	}
}

// quietCounts tells whether there is enough to look at for an app that does nothing to be one that is gone.
func (p *Proof) quietCounts() bool {
	return p.Marker == "" || len(p.Ports)+len(p.Files) > 0
}

// look returns what can be said at once: finished by its marker, or By the port that is not closed. The stamp
// changes with what the app does.
func (p *Proof) look(ctx context.Context) (Evidence, uint64) {
	var e Evidence
	if p.Marker != "" {
		mark, err := FindMark(p.Marker)
		if err == nil {
			e.Mark = mark
			e.Stale = mark != nil && mark.Written.Before(p.Since.Add(-fileClock))
		}
	}
	if e.By = p.answering(ctx); e.By != "" {
		return e, 0
	}
	if e.Mark != nil && !e.Stale {
		e.Finished, e.By = true, "marker"
		return e, 0
	}
	return e, p.stamp()
}

// answering says of the first port that is not closed what it does, or "". Only a refusal tells that nobody
// listens: an app that has no time to accept, or a process without a descriptor to spare, proves nothing.
func (p *Proof) answering(ctx context.Context) string {
	dial := p.Dial
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	for _, address := range p.Ports {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), dialTime)
		conn, err := dial(ctx, "tcp", address)
		cancel()
		switch {
		case err == nil:
			_ = conn.Close() // nothing was sent
			return address + " still answers"
		case !errors.Is(err, syscall.ECONNREFUSED):
			return fmt.Sprintf("%s is not known to be closed (%v)", address, err)
		}
	}
	return ""
}

// stamp is a digest of names, sizes and times of the files, and of the counts.
func (p *Proof) stamp() uint64 {
	sum := fnv.New64a()
	number := func(n int64) { _ = binary.Write(sum, binary.LittleEndian, n) } // a hash takes all
	for _, pattern := range p.Files {
		names, _ := filepath.Glob(pattern) // Validate has looked at the pattern
		for _, name := range names {
			info, err := os.Stat(name)
			if err != nil {
				continue // renamed meanwhile: its other name tells
			}
			_, _ = sum.Write([]byte(name))
			number(info.Size())
			number(info.ModTime().UnixNano())
			number(int64(inodeOf(info)))
		}
	}
	for _, count := range p.Activity {
		number(count())
	}
	return sum.Sum64()
}

// Validate tells what is wrong with ports and patterns.
func (p *Proof) Validate() error {
	for _, address := range p.Ports {
		if host, port, err := net.SplitHostPort(address); err != nil || host == "" || port == "" {
			return fmt.Errorf("%q is not host:port", address)
		}
	}
	for _, pattern := range p.Files {
		if _, err := filepath.Match(pattern, ""); err != nil || strings.TrimSpace(pattern) == "" {
			return fmt.Errorf("%q is not a pattern of files", pattern)
		}
	}
	return nil
}

func inodeOf(info fs.FileInfo) uint64 {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return s.Ino
	}
	return 0
}
