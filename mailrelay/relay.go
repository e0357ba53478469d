package mailrelay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/semaphore"

	"yadokari/mailrelay/spool"
	"yadokari/mailrelay/upstream"
)

// Options are what a Relay needs beside its Config. The zero value is ready to use.
type Options struct {
	Logger     *slog.Logger          // nil: no logs
	Registerer prometheus.Registerer // nil: no metrics
	Hostname   string                // our name in SMTP and Received lines; empty: the system's

	// Resolve finds the addresses of the upstream's name; nil: the system's resolver.
	Resolve func(ctx context.Context, host string) ([]netip.Addr, error)
	// Dial connects to the upstream; nil: a net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	files spool.FS // below the spool; nil: the disk
}

// Relay takes mail and hands it on. New makes one, Run runs it, Drain ends it.
type Relay struct {
	config   Config
	hostname string
	log      *slog.Logger
	pool     *upstream.Pool
	spool    *spool.Spool    // nil: the queue is memory
	bucket   *leftoverBucket // nil: there is none
	queue    *queue
	server   *server
	memory   *semaphore.Weighted // for mails that are arriving
	lastID   atomic.Uint64

	refusing  atomic.Bool
	asideMu   sync.Mutex
	aside     []string        // see Aside
	deliverer context.Context // ends when deliveries must end
	giveUp    context.CancelFunc
	attempts  sync.WaitGroup // deliveries that no worker waits for
	workers   sync.WaitGroup // started by Run, under life
	injecting sync.Mutex     // held by Inject
	life      sync.RWMutex   // held for reading by who uses the queue from outside
	ended     bool           // guarded by life: nothing may begin any more
	draining  sync.Once
	result    Result
	stopped   chan struct{} // closed at the end of Drain
}

// New opens the spool and the port and returns a relay that has not yet begun to serve. An invalid
// Config is an error, as is a spool that another process uses.
func New(config Config, o Options) (*Relay, error) {
	if err := config.Validate(); err != nil {
		return nil, fmt.Errorf("mail: %w", err)
	}
	r := &Relay{
		config: config, hostname: o.Hostname, log: o.Logger, queue: newQueue(config.Queue),
		memory: semaphore.NewWeighted(int64(config.Limits.Memory)), stopped: make(chan struct{}),
	}
	r.deliverer, r.giveUp = context.WithCancel(context.Background())
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	if r.hostname == "" {
		if name, err := os.Hostname(); err == nil {
			r.hostname = name
		} else {
			r.hostname = "localhost"
		}
	}
	r.lastID.Store(uint64(time.Now().UnixMilli()) << 20)
	if err := r.open(o); err != nil {
		r.giveUp()
		return nil, fmt.Errorf("mail: %w", err)
	}
	return r, nil
}

func (r *Relay) open(o Options) (err error) {
	r.pool, err = upstream.New(r.config.Upstream, upstream.Options{
		Hostname: r.hostname, Unreachable: r.config.Retry.Unreachable, Logger: r.log, Resolve: o.Resolve, Dial: o.Dial,
	})
	if err != nil {
		return err
	}
	if r.bucket, err = openBucket(r.config.Leftover.S3); err != nil {
		return err
	}
	if r.server, err = listen(r); err != nil {
		return err
	}
	if r.config.Spool != "" {
		if err := r.openSpool(o.files); err != nil {
			return errors.Join(err, r.server.close())
		}
	}
	if o.Registerer != nil {
		if err := o.Registerer.Register(collector{r}); err != nil {
			return errors.Join(err, r.server.close())
		}
	}
	return nil
}

// openSpool takes up what an earlier run left in the spool.
func (r *Relay) openSpool(files spool.FS) error {
	s, found, err := spool.Open(r.config.Spool, spool.Options{
		FS: files, Segment: max(16<<20, int64(r.config.Queue.Bytes)/64),
		Report: func(err error) { r.log.Error("mail spool", "error", err.Error()) },
	})
	if err != nil {
		return err
	}
	r.spool = s
	r.report(found, r.config.Spool)
	r.queue.count(func(c *Counts) { // whom they were for nobody can tell
		c.Mails.come(fromSpool, int64(found.Lost+found.Unreadable))
		c.Mails.add(damaged, int64(found.Lost+found.Unreadable))
		c.Unreadable += int64(found.Unreadable)
	})
	r.noteAside(found.Damaged...)
	for _, m := range found.Mails {
		r.lastID.Store(max(r.lastID.Load(), m.Entry.ID()))
		it := r.newItem(m.Entry.ID(), &m.Envelope)
		it.entry, it.open, it.size = m.Entry, m.Entry.Open(), m.Entry.Size()
		r.queue.keep(it.size) // what is accepted is kept, even if the bounds are narrower now
		r.queue.add(it, ready, func(c *Counts) {
			c.Mails.come(fromSpool, 1)
			c.Recipients.come(fromSpool, int64(it.open))
		})
	}
	return nil
}

func (r *Relay) report(found *spool.Found, dir string) {
	if len(found.Mails) > 0 || found.Torn > 0 {
		r.log.Info("mail spool opened", "dir", dir, "mails", len(found.Mails), "tornBytes", found.Torn)
	}
	for _, file := range found.Damaged {
		r.log.Error("a damaged part of the mail spool was set aside", "file", file, "mails", found.Lost, "unreadable", found.Unreadable)
	}
}

// Run serves and delivers. It returns after Drain; if ctx ends first it drains at once, without time to
// deliver.
func (r *Relay) Run(ctx context.Context) error {
	r.startWorkers()
	r.server.serve()
	select {
	case <-ctx.Done():
		r.Drain(ctx)
	case <-r.stopped:
	}
	return nil
}

func (r *Relay) startWorkers() {
	r.life.RLock()
	defer r.life.RUnlock()
	if r.ended {
		return
	}
	for range r.config.Upstream.Connections {
		r.workers.Go(func() { r.work(r.deliverer) })
	}
	r.workers.Go(func() { r.queue.watch(r.deliverer) })
	r.workers.Go(func() { r.watchAge(r.deliverer) })
}

// ErrStopping is the error of calls that come too late.
var ErrStopping = errors.New("the relay is stopping")

// Refuse begins a stop: new mail is answered 421, also on connections that idle. Mails whose text is
// already arriving are still accepted.
func (r *Relay) Refuse() {
	if !r.refusing.Swap(true) {
		r.log.Info("mail: refusing new mail")
		r.server.refuse()
	}
}

// mostAside is how many names of files set aside are kept.
const mostAside = 100

func (r *Relay) noteAside(files ...string) {
	r.asideMu.Lock()
	defer r.asideMu.Unlock()
	r.aside = append(r.aside, files[:min(len(files), mostAside-len(r.aside))]...)
}

// Aside is the files with what was found damaged in the spool, the first 100 at most.
func (r *Relay) Aside() []string {
	r.asideMu.Lock()
	defer r.asideMu.Unlock()
	return slices.Clone(r.aside)
}

// Counts tells what was done so far. Its sums add up at every moment.
func (r *Relay) Counts() Counts { return r.queue.snapshot() }

// Addr is the address of the SMTP port, nil without one.
func (r *Relay) Addr() net.Addr { return r.server.addr() }

func (r *Relay) nextID() uint64 { return r.lastID.Add(1) }
