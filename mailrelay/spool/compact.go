package spool

import (
	"errors"
	"fmt"
	"io"
)

// wasteful is the segment with the least in it when files take much more room than their mails: one
// mail that cannot be delivered for days must not keep a whole segment. Nil if all is well.
func (s *Spool) wasteful() *segment {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.tooWide() {
		return nil
	}
	var least *segment
	for _, seg := range s.segments {
		if seg.sealed && seg.liveBytes < seg.size/2 && (least == nil || seg.liveBytes*least.size < least.liveBytes*seg.size) {
			least = seg
		}
	}
	if least != nil {
		least.users++
	}
	return least
}

func (s *Spool) tooWide() bool { return s.disk > 2*s.live+4*s.full }

// wakeToCompact tells the committer that there may be room to win. s.mu is held.
func (s *Spool) wakeToCompact() {
	if s.tooWide() && !s.closing {
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
}

// compact moves the mails of a segment to the active one and removes it. A crash in between leaves
// mails in both; the later copy counts. wasteful has counted us as a user.
func (s *Spool) compact(seg *segment) error {
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		seg.users--
		if err := s.leave(seg); err != nil {
			s.report(err)
		}
	}()
	s.mu.Lock()
	entries := make([]*Entry, 0, len(seg.live))
	for e := range seg.live {
		entries = append(entries, e)
	}
	s.mu.Unlock()
	for len(entries) > 0 {
		n := batchOf(entries)
		if err := s.move(seg, entries[:n]); err != nil {
			return err
		}
		entries = entries[n:]
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.release(seg)
}

// batchOf is how many of entries to move at once: at least one, and not much more than 1 MiB.
func batchOf(entries []*Entry) (n int) {
	for size := int64(0); n < len(entries) && (n == 0 || size+entries[n].Size() <= 1<<20); n++ {
		size += entries[n].Size()
	}
	return n
}

func (s *Spool) move(from *segment, entries []*Entry) error {
	batch := make([]*write, len(entries))
	for i, e := range entries {
		raw := make([]byte, e.Size())
		if n, err := from.mails.ReadAt(raw, e.off); err != nil && !(errors.Is(err, io.EOF) && n == len(raw)) {
			return fmt.Errorf("mail %016x: %w", e.id, err)
		}
		batch[i] = &write{entry: e, front: raw}
	}
	to, err := s.writable()
	if err != nil {
		return err
	}
	end, err := s.writeAll(to, batch)
	if err == nil {
		err = to.mails.Sync()
	}
	if err != nil {
		return s.undo(to, err)
	}
	return s.repoint(from, to, entries, end)
}

// repoint makes the copies count. Mails settled while they were copied are marked so in their new
// place.
func (s *Spool) repoint(from, to *segment, entries []*Entry, end int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	off := to.size
	s.disk += end - to.size
	to.size = end
	var marks []byte
	for _, e := range entries {
		if _, live := from.live[e]; live {
			delete(from.live, e)
			from.liveBytes -= e.Size()
			s.live -= e.Size()
			s.adopt(e, to, off)
			for i, settled := range e.settled {
				if settled {
					marks = appendMark(marks, e.id, uint32(i))
				}
			}
		} else {
			marks = appendMark(marks, e.id, everyone)
		}
		off += e.Size()
	}
	if len(marks) == 0 {
		return nil
	}
	if err := s.mark(to, marks); err != nil {
		return err
	}
	return to.done.Sync()
}
