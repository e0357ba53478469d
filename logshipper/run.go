package logshipper

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const sinkPatience = time.Second // a part of what a stop has for leaving what it could not deliver

// run works until ctx ends, or a flush has come to its end.
func (p *pipe) run(ctx context.Context) {
	defer close(p.ended)
	life, stop := context.WithCancel(ctx)
	defer stop()
	go p.deliverAll(life)
	var flush context.Context
	for {
		now := time.Now()
		p.mu.Lock()
		p.work(now, flush != nil)
		over := flush != nil && p.nothingWaits() && now.Before(p.nextScan) // files were looked for just now
		due, wait := p.due(now, flush != nil)
		p.mu.Unlock()
		if over || ctx.Err() != nil || flush != nil && flush.Err() != nil {
			stop()
			p.finish(flush != nil)
			return
		}
		var queue chan *batch
		if due {
			queue = p.queue
		}
		timer := time.NewTimer(wait)
		select {
		case queue <- p.batch:
			p.sent()
		case d := <-p.done:
			p.settle(d)
		case f := <-p.fresh:
			p.mu.Lock()
			p.welcome(f, time.Now())
			p.mu.Unlock()
		case flush = <-p.flushes:
			p.limit, _ = flush.Deadline()
			close(p.hurry)
			p.nextScan, p.nextPoll = time.Time{}, time.Time{}
		case <-timer.C:
		case <-expiry(flush):
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

func expiry(ctx context.Context) <-chan struct{} {
	if ctx == nil {
		return nil
	}
	return ctx.Done()
}

// work looks at files and reads what there is, into one batch at most.
func (p *pipe) work(now time.Time, flushing bool) {
	if p.batch == nil && len(p.spare) > 0 {
		last := len(p.spare) - 1
		p.batch, p.spare, p.full = p.spare[last], p.spare[:last], false
	}
	p.welcomeAll(now)
	if !now.Before(p.nextScan) || flushing && p.nothingWaits() {
		p.scan(now)
	}
	if !now.Before(p.nextPoll) || flushing && p.nothingWaits() {
		p.poll(now)
	}
	how := growing
	if flushing {
		how = final
	}
	if p.batch != nil && !p.full {
		p.collect(how, now)
	}
	if p.dirty && !now.Before(p.nextSave) {
		p.save(now)
	}
	if now.Sub(p.lastTaken) > trimAfter {
		p.memory.trim()
		p.lastTaken = now
	}
}

// nothingWaits tells that all that is known of is acknowledged.
func (p *pipe) nothingWaits() bool {
	if p.batch == nil || !p.batch.empty() || len(p.unsynced) > 0 || len(p.spare) == 0 {
		return false
	}
	for _, f := range p.files.list {
		if f.acked.offset < f.size && !f.missing {
			return false
		}
	}
	return true
}

// due tells whether the batch should be sent, and how long nothing else is to be done.
func (p *pipe) due(now time.Time, flushing bool) (send bool, wait time.Duration) {
	wait = min(p.nextPoll.Sub(now), p.nextScan.Sub(now))
	if p.dirty {
		wait = min(wait, p.nextSave.Sub(now))
	}
	if p.batch != nil && !p.batch.empty() {
		rest := p.batch.began.Add(p.config.Every).Sub(now)
		if send = p.full || flushing || p.hasty || rest <= 0; !send {
			wait = min(wait, rest)
		}
	}
	if send && !p.register(now) {
		return false, time.Second // not before the disk takes the checkpoint
	}
	return send, max(wait, time.Millisecond)
}

// register sees to it that the ids of the batch's files are on disk before a byte of them leaves: else a
// crash would give the same lines other ids.
func (p *pipe) register(now time.Time) bool {
	for _, part := range p.batch.parts {
		if !part.file.saved {
			return p.save(now)
		}
	}
	return true
}

// sent notes that the batch is under way.
func (p *pipe) sent() {
	p.mu.Lock()
	p.batch, p.hasty, p.lastTaken = nil, false, time.Now()
	p.mu.Unlock()
}

// save writes the checkpoint.
func (p *pipe) save(now time.Time) bool {
	start := time.Now()
	c := checkpoint{Version: 1, Path: p.config.Path, Output: p.output.key(), Saved: now, Looked: p.lastScan}
	for _, known := range p.files.copies {
		c.Copies = append(c.Copies, known)
	}
	var written []*file
	for _, f := range p.files.list {
		if f.ended && f.acked.offset >= f.size || f.size == f.base {
			continue
		}
		c.Files = append(c.Files, f.entry())
		written = append(written, f)
	}
	if err := writeJSON(p.store, c); err != nil {
		p.log.Error("log checkpoint", "error", err.Error())
		p.nextSave = now.Add(time.Second)
		return false
	}
	p.nextSave = time.Now().Add(max(saveEvery, savePause*time.Since(start)))
	for _, f := range written {
		f.saved = true
	}
	p.dirty = false
	return true
}

// settled is what a delivery means for one file.
type settled struct {
	file  *file
	to    mark
	lines int64
	bytes int64
}

// settle notes what became of a batch, and takes it back.
func (p *pipe) settle(d delivery) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counts.Retries += d.retries
	if b := d.batch; b != nil {
		if d.delivered {
			p.counts.Batches++
			p.counts.Split += b.split
			for _, part := range b.parts {
				p.unsynced = append(p.unsynced, settled{part.file, part.to, part.lines, part.to.offset - part.from.offset})
			}
		} else {
			p.abandon(b)
		}
		b.reset(p.memory)
		p.spare = append(p.spare, b)
		if p.batch != nil && len(p.batch.buffer) < int(p.config.Size) {
			p.full = false // there may be memory for it to grow, which is better than to send it small
		}
	}
	if d.failed {
		p.startOver()
	}
	if !d.synced {
		return
	}
	for _, s := range p.unsynced {
		s.file.acked = s.to
		p.counts.Delivered.add(s.lines, s.bytes)
	}
	clear(p.unsynced)
	p.unsynced, p.dirty = p.unsynced[:0], true
}

// startOver goes back to what is acknowledged: what was written since may be gone.
func (p *pipe) startOver() {
	if p.batch != nil {
		p.abandon(p.batch)
		p.batch.reset(p.memory)
		p.full = false
	}
	clear(p.unsynced)
	p.unsynced = p.unsynced[:0]
	for _, f := range p.files.list {
		if f.ended && f.size > f.acked.offset { // what was written last of it cannot be read again
			p.forsake(f, f.size-f.acked.offset, "truncated, and what was delivered of it may not be safe")
			f.size = f.acked.offset
		}
		f.rewind()
		f.barren = 0
	}
	p.counts.Read = p.counts.Delivered
}

// abandon counts what is only in a batch that will not be delivered: its file was truncated.
func (p *pipe) abandon(b *batch) {
	for _, part := range b.parts {
		if part.file.ended {
			p.forsake(part.file, part.to.offset-part.from.offset, "truncated, and read but not delivered at the stop")
			part.file.size = min(part.file.size, part.from.offset)
		}
	}
}

// finish ends delivery, and leaves the rest in a safe place. From here on the files are this goroutine's alone to
// change, and others only look: it locks for the changes, not for what takes long.
func (p *pipe) finish(flushed bool) {
	close(p.queue)
	leaves := flushed && p.config.Leftover.Dir != "" && !p.fixed
	p.endDelivery(leaves)
	p.giveBack()
	if leaves {
		p.fault(p.leave(time.Now()))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range p.files.list {
		p.closeLast(f)
	}
	if !p.save(time.Now()) {
		p.faults = append(p.faults, fmt.Errorf("checkpoint %s could not be written: some lines will be sent twice", p.store))
	}
	p.faults = append(p.faults, p.lock.Close())
}

// closeLast closes a file at the end. One that was removed meanwhile goes with that, and what was not delivered of it.
func (p *pipe) closeLast(f *file) {
	if f.handle == nil {
		return
	}
	if info, err := f.handle.Stat(); err == nil && isUnlinked(info) && f.backlog() > 0 {
		p.forsake(f, f.backlog(), "removed, and not delivered at the stop")
		f.size, f.ended = f.acked.offset, true
	}
	f.close()
}

// endDelivery takes the last deliveries, and closes the output. An output that hangs, in a directory's disk say, is
// not waited for longer than sinkPatience where the rest is to be left in time: it may get lines twice.
func (p *pipe) endDelivery(bounded bool) {
	var over <-chan time.Time
	if bounded {
		over = time.After(sinkPatience)
	}
	for {
		select {
		case d, ok := <-p.done:
			if !ok {
				p.fault(p.out.close())
				return
			}
			p.settle(d)
		case <-over:
			p.log.Error("log delivery hangs, and is not waited for")
			go func() { // when it ends after all
				for range p.done {
					continue
				}
				_ = p.out.close() // nothing of it was acknowledged
			}()
			return
		}
	}
}

// giveBack goes back to what is acknowledged.
func (p *pipe) giveBack() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.batch != nil {
		p.abandon(p.batch)
		p.batch.reset(p.memory)
	}
	for _, f := range p.files.list {
		f.rewind()
	}
}

func (p *pipe) fault(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, err)
}

func (p *pipe) err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return errors.Join(p.faults...)
}
