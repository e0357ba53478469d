package logshipper

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"yadokari/setting"
)

// Options are what a Shipper needs beside its Configs. The zero value is ready to use.
type Options struct {
	Logger     *slog.Logger          // nil: no logs
	Registerer prometheus.Registerer // nil: no metrics
	Host       string                // in JSON, keys and paths; empty: the system's name
	Pod        string                // in JSON; empty: none
	Cluster    string                // the service cluster, in JSON, keys and paths; empty: none
	Stdout     io.Writer             // what output stdout writes to; nil: os.Stdout
	Transport  http.RoundTripper     // for AWS; nil: the SDK's own
	// Memory is what batches may take, beyond about 2 MiB an output; 0: DefaultMemory, or one batch of
	// Config.Size for every output where that is more.
	Memory int
}

// DefaultMemory is the least that Options.Memory is if nothing is said: enough for two batches of the
// default size for each of three outputs. With less than a batch needs, batches are smaller.
const DefaultMemory = 24 << 20

// place is what outputs and entries say of where lines come from.
type place struct {
	Host, Pod, Cluster string
	Stdout             io.Writer
	Transport          http.RoundTripper
}

// Shipper ships log files. New makes one, Run runs it, Flush ends it.
type Shipper struct {
	pipes   []*pipe
	watcher *watcher // nil: there is none
	flushed sync.Once
	result  Result
}

// New opens checkpoints and outputs. It fails when a Config is invalid, a checkpoint is used by
// another process, or an output cannot be had (no AWS region is known, say); that a service cannot be
// reached is no error.
func New(configs []Config, o Options) (*Shipper, error) {
	where, log, m := prepare(configs, &o)
	s := &Shipper{}
	var err error
	if s.watcher, err = newWatcher(); err != nil {
		log.Warn("log files that live for less than a second may be missed", "error", err.Error())
	}
	for i := range configs {
		c := &configs[i]
		if err := c.Validate(); err != nil {
			return nil, errors.Join(setting.Under(err, i), s.abort())
		}
		for _, output := range c.To.list() {
			p, err := newPipe(c, output, where, m, log)
			if err == nil {
				err = p.open(context.Background())
			}
			if err != nil {
				return nil, errors.Join(fmt.Errorf("logs: %s to %s: %w", c.Path, output.key(), err), s.abort())
			}
			s.pipes = append(s.pipes, p)
		}
	}
	if o.Registerer != nil {
		if err := o.Registerer.Register(collector{s}); err != nil {
			return nil, errors.Join(fmt.Errorf("logs: %w", err), s.abort())
		}
	}
	return s, nil
}

func prepare(configs []Config, o *Options) (place, *slog.Logger, *memory) {
	where := place{Host: o.Host, Pod: o.Pod, Cluster: o.Cluster, Stdout: o.Stdout, Transport: o.Transport}
	if where.Host == "" {
		where.Host = "localhost"
		if name, err := os.Hostname(); err == nil {
			where.Host = name
		}
	}
	if where.Stdout == nil {
		where.Stdout = os.Stdout
	}
	log := o.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if o.Memory == 0 {
		o.Memory = max(DefaultMemory, oneEach(configs))
	}
	return where, log, &memory{left: o.Memory}
}

// oneEach is how many bytes one batch for every output takes.
func oneEach(configs []Config) (sum int) {
	for i := range configs {
		sum += int(configs[i].Size) * len(configs[i].To.list())
	}
	return sum
}

// abort closes what was opened and never ran.
func (s *Shipper) abort() error {
	errs := []error{s.unwatch()}
	for _, p := range s.pipes {
		errs = append(errs, p.abort())
	}
	return errors.Join(errs...)
}

// Run ships until Flush has come to its end. If ctx ends first it stops at once: what is not acknowledged
// stays in the files.
func (s *Shipper) Run(ctx context.Context) error {
	var all, watch sync.WaitGroup
	if s.watcher != nil {
		watch.Go(func() { s.watcher.tell(s.appeared) })
	}
	for _, p := range s.pipes {
		p.watcher = s.watcher
		all.Go(func() { p.run(ctx) })
	}
	all.Wait()
	err := s.unwatch()
	watch.Wait()
	for _, p := range s.pipes {
		p.turnAway()
	}
	return errors.Join(s.err(), err)
}

func (s *Shipper) appeared(path string) {
	for _, p := range s.pipes {
		p.appeared(path)
	}
}

func (s *Shipper) unwatch() error {
	if s.watcher == nil {
		return nil
	}
	return s.watcher.close()
}

func (s *Shipper) err() error {
	var errs []error
	for _, p := range s.pipes {
		errs = append(errs, p.err())
	}
	return errors.Join(errs...)
}

func (s *Shipper) unopenedErr() error {
	var errs []error
	for _, p := range s.pipes {
		errs = append(errs, p.unopenedErr())
	}
	return errors.Join(errs...)
}

// Result says how a Flush ended.
type Result struct {
	Counts Counts        `json:"counts"`
	Files  []FileStatus  `json:"files"`
	Where  []string      `json:"where,omitempty"` // directories of what is left over
	Took   time.Duration `json:"took"`
	Err    error         `json:"-"` // what went wrong: what could not be left anywhere is still in the files
}

// Flush ends the shipper. Call it when nobody writes to the files any more: it reads all to the end, with a
// last line that has no end, delivers, and returns when everything is acknowledged. When ctx ends first
// the rest stays in the files, or goes to Leftover.Dir, which takes as long as the disk needs. Run must
// have been called. Further calls wait for the first and return its result.
func (s *Shipper) Flush(ctx context.Context) Result {
	s.flushed.Do(func() {
		start := time.Now()
		for _, p := range s.pipes {
			p.flushes <- ctx
		}
		for _, p := range s.pipes {
			<-p.ended
		}
		s.result.Where = s.Left()
		s.result.Counts, s.result.Files, s.result.Err = s.Counts(), s.Status(), errors.Join(s.err(), s.unopenedErr())
		s.result.Took = time.Since(start)
	})
	return s.result
}

// Left are the directories of what is left over so far.
func (s *Shipper) Left() (dirs []string) {
	for _, p := range s.pipes {
		p.mu.Lock()
		if p.left != "" {
			dirs = append(dirs, p.left)
		}
		p.mu.Unlock()
	}
	return dirs
}

// Counts is the sum over all outputs: with two outputs every line counts twice.
func (s *Shipper) Counts() (sum Counts) {
	for _, p := range s.pipes {
		sum.Add(p.count())
	}
	return sum
}

func (p *pipe) count() Counts {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.counts
	for _, f := range p.files.list {
		c.Waiting += f.backlog()
	}
	if p.config.Leftover.Dir != "" && !p.fixed {
		c.ToLeave = c.Waiting
	}
	return c
}
