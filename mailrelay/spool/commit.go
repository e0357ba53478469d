package spool

import (
	"errors"
	"fmt"
	"time"
)

// copyUpTo is the longest text that is copied to be written together with others.
const copyUpTo = 64 << 10

// commitLoop writes what is waiting, all of it with one fsync, until the spool is closed.
func (s *Spool) commitLoop() {
	defer close(s.stopped)
	tick := time.NewTicker(syncEvery)
	defer tick.Stop()
	for open := true; open; {
		select {
		case _, open = <-s.wake:
		case <-tick.C:
			if err := s.Sync(); err != nil {
				s.report(err)
			}
		}
		s.mu.Lock()
		batch := s.waiting
		s.waiting = nil
		s.mu.Unlock()
		if len(batch) > 0 {
			err := s.commit(batch)
			for _, w := range batch {
				w.done <- err
			}
		}
		if seg := s.wasteful(); seg != nil && open {
			if err := s.compact(seg); err != nil {
				s.report(fmt.Errorf("spool: compact segment %016x: %w", seg.seq, err))
			}
		}
	}
}

// commit appends a batch to the active segment and fsyncs it: all of it is kept, or none.
func (s *Spool) commit(batch []*write) error {
	seg, err := s.writable()
	if err != nil {
		return err
	}
	end, err := s.writeAll(seg, batch)
	if err == nil {
		err = seg.mails.Sync()
	}
	if err != nil {
		return s.undo(seg, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	off := seg.size
	for _, w := range batch {
		s.adopt(w.entry, seg, off)
		off += w.entry.Size()
	}
	s.disk += end - seg.size
	seg.size = end
	return nil
}

// adopt makes a mail one of a segment's. s.mu is held.
func (s *Spool) adopt(e *Entry, seg *segment, off int64) {
	e.seg, e.off = seg, off
	seg.live[e] = struct{}{}
	seg.liveBytes += e.Size()
	s.live += e.Size()
}

// writable is the segment to append to.
func (s *Spool) writable() (*segment, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.active != nil && s.active.size >= s.full {
		s.seal()
	}
	if s.active == nil {
		seg, err := s.newSegment()
		if err != nil {
			return nil, err
		}
		s.active = seg
		s.segments[seg.seq] = seg
		s.disk += seg.size
	}
	return s.active, nil
}

// seal ends the active segment. s.mu is held.
func (s *Spool) seal() {
	seg := s.active
	s.active = nil
	seg.sealed = true
	if err := s.release(seg); err != nil {
		s.report(fmt.Errorf("spool: remove segment %016x: %w", seg.seq, err))
	}
}

// undo cuts off what a failed commit wrote. The segment is not used again: after a failed fsync the
// kernel may have dropped pages without saying which.
func (s *Spool) undo(seg *segment, cause error) error {
	err := seg.mails.Truncate(seg.size)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seal()
	if err != nil {
		return errors.Join(cause, fmt.Errorf("cut off what was written: %w", err))
	}
	return cause
}

func (s *Spool) writeAll(seg *segment, batch []*write) (end int64, err error) {
	s.buffer, end = s.buffer[:0], seg.size
	flush := func() {
		if err == nil && len(s.buffer) > 0 {
			_, err = seg.mails.WriteAt(s.buffer, end)
			end += int64(len(s.buffer))
			s.buffer = s.buffer[:0]
		}
	}
	for _, w := range batch {
		copy(w.front, seg.salt[:])
		s.buffer = append(s.buffer, w.front...)
		if len(w.text) <= copyUpTo {
			s.buffer = append(s.buffer, w.text...)
		} else if flush(); err == nil {
			_, err = seg.mails.WriteAt(w.text, end)
			end += int64(len(w.text))
		}
		if len(s.buffer) > 4*copyUpTo {
			flush()
		}
	}
	flush()
	return end, err
}

// Sync makes what was settled and removed survive a crash of the machine now, and not only within a second.
func (s *Spool) Sync() (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, seg := range s.segments {
		if !seg.marksOpen {
			continue
		}
		seg.marksOpen = false
		seg.users++
		s.mu.Unlock()
		failed := seg.done.Sync()
		s.mu.Lock()
		seg.users--
		if failed = errors.Join(failed, s.leave(seg)); failed != nil {
			err = errors.Join(err, fmt.Errorf("spool: sync marks: %w", failed))
		}
	}
	return err
}
