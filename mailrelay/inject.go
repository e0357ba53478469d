package mailrelay

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"yadokari/mailrelay/spool"
)

// Order says where mail is that an earlier run has left over.
type Order struct {
	// From is a leftover directory, one of those in it, the spool of a relay that does not run any more,
	// or s3://BUCKET/PREFIX, as Result.Where has it.
	From string `json:"from"`
	// Region, Endpoint and PathStyle say how the bucket is reached. What is left out is as in
	// Config.Leftover, if that names the same bucket, and else as every AWS tool finds it.
	Region    string `json:"region,omitempty"`
	Endpoint  string `json:"endpoint,omitempty"`
	PathStyle bool   `json:"pathStyle,omitempty"`
}

// Taken says what came of one Inject.
type Taken struct {
	Mails   int      `json:"taken"`             // are in the queue now, and no longer where they were
	More    bool     `json:"more"`              // the time was over before the mails were: call again
	Full    bool     `json:"full"`              // the queue had no room for some: call again later
	Damaged []string `json:"damaged,omitempty"` // files, or objects, with damaged parts that were set aside
}

// What Inject can complain of.
var (
	// mail that is safe on a disk must not become mail in memory, which a crash loses
	errNoSpool = errors.New("the queue is memory, and what is left over is safer where it is: set mail.spool")
	errFull    = errors.New("the queue is full")
	// errStays ends all: what goes on would be taken once more each time
	errStays = errors.New("it is taken, but cannot be removed where it was, and will be taken again unless it is removed by hand")
	// ErrInjecting tells that another call is at it.
	ErrInjecting = errors.New("left over mail is being taken back already, try again")
)

// Mails are taken so many at a time, or so many bytes: as many share fsyncs, and as many are perhaps taken twice
// if all ends between their being safe here and their going there.
const (
	batchMails = 512
	batchBytes = parcelSize
)

// Inject takes back what an earlier run has left. Every mail that is taken is safe in the spool before it
// goes where it was; a crash in between repeats at most one batch. It ends when all is taken, when the queue
// is full, or, after one batch at least, when so much time is over; an error tells of what cannot be taken. It can be called
// again. A relay without a spool takes none.
func (r *Relay) Inject(ctx context.Context, o Order, most time.Duration) (Taken, error) {
	r.life.RLock()
	defer r.life.RUnlock()
	if r.ended {
		return Taken{}, fmt.Errorf("mail: inject: %w", ErrStopping)
	}
	if r.spool == nil {
		return Taken{}, fmt.Errorf("mail: inject: %w", errNoSpool)
	}
	if !r.injecting.TryLock() {
		return Taken{}, fmt.Errorf("mail: inject: %w", ErrInjecting)
	}
	defer r.injecting.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(r.deliverer, cancel)() // a stop does not wait for a bucket
	in := &injection{relay: r, ctx: ctx, most: most}
	take := in.directories
	if strings.HasPrefix(o.From, bucketScheme) {
		take = in.bucket
	}
	err := take(o)
	if errors.Is(err, errFull) {
		in.taken.Full = true
	}
	if err != nil {
		err = fmt.Errorf("mail: inject: %w", err)
	}
	return in.taken, err
}

// injection is one call of Inject.
type injection struct {
	relay *Relay
	ctx   context.Context
	most  time.Duration
	until time.Time // zero before the first batch: opening a large spool takes its time
	taken Taken
}

// over tells whether to end before the next batch, and the error if that is not for want of time.
func (in *injection) over() (bool, error) {
	switch {
	case in.relay.refusing.Load():
		return true, ErrStopping
	case in.ctx.Err() != nil:
		return true, in.ctx.Err()
	case !in.until.IsZero() && !time.Now().Before(in.until):
		in.taken.More = true
	}
	return in.taken.More, nil
}

// fatal tells whether the mails that follow are not to be taken either.
func fatal(err error) bool { return errors.Is(err, errFull) || errors.Is(err, errStays) }

// directories takes what is in Order.From, or in the directories in it.
func (in *injection) directories(o Order) error {
	dirs, err := spoolsIn(o.From)
	if err != nil {
		return err
	}
	var errs []error
	for _, dir := range dirs {
		damaged := len(in.taken.Damaged)
		err := in.spool(dir, spool.Disk{})
		if err == nil && !in.taken.More && len(in.taken.Damaged) == damaged {
			_ = os.Remove(filepath.Join(dir, "lock"))
			_ = os.Remove(dir) // it may hold something else: then it stays
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", dir, err))
		}
		if in.taken.More || fatal(err) {
			break
		}
	}
	return errors.Join(errs...)
}

// spoolsIn is dir, if it holds segments, or those directories in it that do.
func spoolsIn(dir string) ([]string, error) {
	if _, err := os.ReadDir(dir); err != nil {
		return nil, err
	}
	if own, err := filepath.Glob(filepath.Join(dir, "*.mail")); err != nil || len(own) > 0 {
		return []string{dir}, err
	}
	inside, err := filepath.Glob(filepath.Join(dir, "*", "*.mail"))
	var dirs []string
	for _, file := range inside {
		if d := filepath.Dir(file); len(dirs) == 0 || dirs[len(dirs)-1] != d {
			dirs = append(dirs, d)
		}
	}
	return dirs, err
}

// spool takes the mails of one spool.
func (in *injection) spool(dir string, files spool.FS) error {
	r := in.relay
	s, found, err := spool.Open(dir, spool.Options{FS: files, Report: func(err error) { r.log.Error("mail: inject", "error", err.Error()) }})
	if err != nil {
		return err
	}
	r.report(found, dir)
	in.taken.Damaged = append(in.taken.Damaged, found.Damaged...)
	var errs []error
	for rest := found.Mails; len(rest) > 0; {
		over, err := in.over()
		if over {
			errs = append(errs, err)
			break
		}
		if in.until.IsZero() {
			in.until = time.Now().Add(in.most)
		}
		n := batchOf(rest)
		taken, err := r.injectBatch(s, rest[:n])
		in.taken.Mails += taken
		rest = rest[n:]
		errs = append(errs, err, s.Sync())
		if fatal(err) {
			break
		}
	}
	return errors.Join(append(errs, s.Close())...)
}

// batchOf is how many of the mails to take next: at least one.
func batchOf(mails []spool.Mail) (n int) {
	for size := int64(0); n < min(len(mails), batchMails) && (n == 0 || size+mails[n].Entry.Size() <= batchBytes); n++ {
		size += mails[n].Entry.Size()
	}
	return n
}

// injectBatch takes some mails, all at once, so that they share fsyncs. The error is that of the first
// with one, a fatal one if there is any.
func (r *Relay) injectBatch(s *spool.Spool, mails []spool.Mail) (taken int, err error) {
	var mu sync.Mutex
	failures := 0
	each(mails, batchMails, func(m spool.Mail) {
		failed := r.injectMail(s, m)
		mu.Lock()
		defer mu.Unlock()
		if failed == nil || errors.Is(failed, errStays) {
			taken++
		}
		if failed == nil {
			return
		}
		failures++
		if err == nil || fatal(failed) && !fatal(err) {
			err = fmt.Errorf("mail %s: %w", name(m.Entry.ID()), failed)
		}
	})
	if failures > 1 {
		err = fmt.Errorf("%w (and %d mails more)", err, failures-1)
	}
	return taken, err
}

func (r *Relay) injectMail(s *spool.Spool, m spool.Mail) error {
	if size := m.Entry.Size(); size > int64(r.config.Queue.Bytes) {
		return fmt.Errorf("its %d bytes are more than queue.bytes is here (%v)", size, r.config.Queue.Bytes)
	}
	envelope, reader, err := s.Read(m.Entry)
	if err != nil {
		return err
	}
	text := make(sliceWriter, 0, m.Entry.Text())
	_, err = reader.WriteTo(&text)
	if err = errors.Join(err, reader.Close()); err != nil {
		return err
	}
	envelope.To = pick(envelope.To, openRecipients(&item{entry: m.Entry}, len(envelope.To)))
	if it, reply := r.enqueue(r.nextID(), &envelope, text, ready, fromLeftover); it == nil {
		if reply == fullQueue() {
			return errFull
		}
		return errors.New(reply.String())
	}
	if err := s.Remove(m.Entry); err != nil {
		return fmt.Errorf("%w: %w", errStays, err)
	}
	return nil
}
