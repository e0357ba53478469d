package mailrelay

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"yadokari/mailrelay/spool"
)

// Result says how a stop ended.
type Result struct {
	Counts Counts        `json:"counts"`
	Where  string        `json:"where,omitempty"` // directory of the mails left over
	Took   time.Duration `json:"took"`
	Err    error         `json:"-"` // what went wrong; mails that could not be left anywhere are counted as dropped
}

// Drain ends the relay: it refuses new mail, waits for the mails that are arriving, tries every mail of
// the queue at once, and again when a quarter of the time left is over, until the queue is empty or ctx ends; then it leaves what is
// left safely. Deliveries under way when ctx ends are cut off, and may happen twice. Drain takes
// longer than ctx by what the disk needs. Further calls wait for the first and return its result.
func (r *Relay) Drain(ctx context.Context) Result {
	r.draining.Do(func() {
		start := time.Now()
		ctx, cancel := r.untilLeaving(ctx)
		defer cancel()
		r.Refuse()
		enough := r.urge(ctx)
		err := r.server.finish(ctx.Done())
		select {
		case <-r.queue.drained():
		case <-ctx.Done():
		}
		enough()
		r.giveUp()
		r.life.Lock() // waits for who looks at the queue, or injects
		r.ended = true
		r.life.Unlock()
		r.workers.Wait()
		r.attempts.Wait()
		r.pool.Close()
		r.result.Where, r.result.Err = r.leave()
		r.result.Err = errors.Join(err, r.result.Err)
		r.result.Counts = r.Counts()
		r.result.Took = time.Since(start)
		close(r.stopped)
	})
	<-r.stopped
	return r.result
}

// leastUrge is the shortest time between two tries of the whole queue in a stop.
const leastUrge = 100 * time.Millisecond

// urge has every mail and every address tried now, and again each time that a quarter of what ctx leaves is
// over: the usual delays are longer than a stop. It goes on until enough is called.
func (r *Relay) urge(ctx context.Context) (enough func()) {
	all := func() {
		r.pool.TryNow()
		r.queue.flush(0, true)
	}
	all()
	deadline, ok := ctx.Deadline()
	if !ok {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	var urging sync.WaitGroup
	urging.Go(func() {
		for {
			select {
			case <-time.After(max(leastUrge, time.Until(deadline)/4)):
				all()
			case <-ctx.Done():
				return
			}
		}
	})
	return func() {
		cancel()
		urging.Wait()
	}
}

// errNoSpool: mail that is safe on a disk must not become mail in memory, which a crash loses.
var errNoSpool = errors.New("the queue is memory, and what is left over is safer where it is: set mail.spool")

// Inject takes back what an earlier run has left in dir: a leftover directory, one of those in it, or
// the spool of a relay that does not run any more. Every mail that is taken is safe in the queue
// before it is removed there. It returns how many were taken; an error if some were not, for want of
// room, say: call it again later. A relay without a spool takes none.
func (r *Relay) Inject(dir string) (taken int, err error) {
	r.life.RLock()
	defer r.life.RUnlock()
	if r.ended {
		return 0, fmt.Errorf("mail: inject: %w", ErrStopping)
	}
	if r.spool == nil {
		return 0, fmt.Errorf("mail: inject: %w", errNoSpool)
	}
	dirs, err := spoolsIn(dir)
	if err != nil {
		return 0, fmt.Errorf("mail: inject: %w", err)
	}
	for _, d := range dirs {
		n, e := r.injectOne(d)
		taken += n
		if e != nil {
			err = errors.Join(err, fmt.Errorf("mail: inject %s: %w", d, e))
		}
	}
	return taken, err
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

func (r *Relay) injectOne(dir string) (taken int, err error) {
	in, found, err := spool.Open(dir, spool.Options{})
	if err != nil {
		return 0, err
	}
	r.report(found, dir)
	for _, m := range found.Mails {
		if r.refusing.Load() {
			err = ErrStopping
			break
		}
		if err = r.injectMail(in, m); err != nil {
			break
		}
		taken++
	}
	if err = errors.Join(err, in.Close()); err == nil && len(found.Damaged) == 0 {
		_ = os.Remove(filepath.Join(dir, "lock"))
		_ = os.Remove(dir) // it may hold something else: then it stays
	}
	return taken, err
}

func (r *Relay) injectMail(in *spool.Spool, m spool.Mail) error {
	envelope, reader, err := in.Read(m.Entry)
	if err != nil {
		return err
	}
	var text sliceWriter
	_, err = reader.WriteTo(&text)
	if err = errors.Join(err, reader.Close()); err != nil {
		return err
	}
	envelope.To = pick(envelope.To, openRecipients(&item{entry: m.Entry}, len(envelope.To)))
	e := envelope
	if it, reply := r.enqueue(r.nextID(), &e, text, ready, fromLeftover); it == nil {
		return fmt.Errorf("mail %s: %s", name(m.Entry.ID()), reply)
	}
	return in.Remove(m.Entry)
}
