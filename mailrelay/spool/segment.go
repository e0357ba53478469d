package spool

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// Entry is one mail in a spool. Its methods and Spool's may be called by one goroutine at a time.
type Entry struct {
	id         uint64
	recipients int    // how many the envelope has
	settled    []bool // which of them are settled; nil: none
	head       head

	// Below: guarded by Spool.mu.
	seg *segment
	off int64
}

// ID is the number the mail was appended with.
func (e *Entry) ID() uint64 { return e.id }

// Size is the number of bytes the mail takes in the spool.
func (e *Entry) Size() int64 { return e.head.size() }

// Text is the number of bytes of the mail's text.
func (e *Entry) Text() int64 { return int64(e.head.text) }

// Settled tells whether the recipient at place i of the envelope is settled.
func (e *Entry) Settled(i int) bool { return e.settled != nil && e.settled[i] }

// Open is the number of recipients that are not settled.
func (e *Entry) Open() int {
	n := e.recipients
	for _, s := range e.settled {
		if s {
			n--
		}
	}
	return n
}

func (e *Entry) settle(i int) {
	if e.settled == nil {
		e.settled = make([]bool, e.recipients)
	}
	e.settled[i] = true
}

// segment is a file of records and its file of marks. Guarded by Spool.mu but for size and sealed,
// which are the committer's.
type segment struct {
	seq       uint64
	salt      salt
	mails     File
	done      File // nil until the first mark
	size      int64
	marks     int64 // length of done
	marksOpen bool  // done holds marks that are not fsynced
	live      map[*Entry]struct{}
	liveBytes int64
	sealed    bool // nothing is appended any more
	users     int  // readers and copiers; files are closed when the last one leaves
	gone      bool
}

func (s *Spool) segmentName(seq uint64, suffix string) string {
	return filepath.Join(s.dir, fmt.Sprintf("%016x%s", seq, suffix))
}

const (
	mailSuffix = ".mail"
	doneSuffix = ".done"
)

// SegmentName is what a file of a segment has in common with the segment's other file, if the name is one's.
func SegmentName(file string) (name string, ok bool) {
	name, isMails := strings.CutSuffix(file, mailSuffix)
	name, isMarks := strings.CutSuffix(name, doneSuffix)
	return name, isMails != isMarks && len(name) == 16
}

func (s *Spool) newSegment() (*segment, error) {
	s.seq++
	f, err := s.fs.Create(s.segmentName(s.seq, mailSuffix))
	if err != nil {
		return nil, err
	}
	seg := &segment{seq: s.seq, salt: newSalt(), mails: f, size: frontSize, live: map[*Entry]struct{}{}}
	_, err = f.WriteAt(seg.salt.front(), 0) // survives a crash when the first mail does
	if err = errors.Join(err, s.fs.SyncDir(s.dir)); err != nil {
		return nil, errors.Join(err, f.Close(), s.fs.Remove(s.segmentName(s.seq, mailSuffix)))
	}
	return seg, nil
}

// mark appends marks to the segment's file of them. s.mu is held.
func (s *Spool) mark(seg *segment, marks []byte) error {
	if seg.done == nil {
		f, err := s.fs.Create(s.segmentName(seg.seq, doneSuffix))
		if err != nil {
			return err
		}
		seg.done = f
	}
	if _, err := seg.done.WriteAt(marks, seg.marks); err != nil {
		return err // the next mark is written over what was written of this one
	}
	seg.marks += int64(len(marks))
	seg.marksOpen = true
	return nil
}

// release removes a segment that holds nothing any more. s.mu is held.
func (s *Spool) release(seg *segment) error {
	if !seg.sealed || len(seg.live) > 0 || seg.gone {
		return nil
	}
	seg.gone = true
	delete(s.segments, seg.seq)
	s.disk -= seg.size
	err := s.fs.Remove(s.segmentName(seg.seq, mailSuffix)) // first: marks without mails are harmless
	if seg.done != nil {
		err = errors.Join(err, s.fs.Remove(s.segmentName(seg.seq, doneSuffix)))
	}
	return errors.Join(err, s.leave(seg))
}

// leave closes the files of a removed segment once nobody uses them. s.mu is held.
func (s *Spool) leave(seg *segment) error {
	if !seg.gone || seg.users > 0 {
		return nil
	}
	err := seg.mails.Close()
	if seg.done != nil {
		err = errors.Join(err, seg.done.Close())
	}
	return err
}
