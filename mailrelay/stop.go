package mailrelay

import (
	"context"
	"errors"
	"sync"
	"time"
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
		start, whole := time.Now(), ctx
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
		r.result.Where, r.result.Err = r.leave(whole)
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
