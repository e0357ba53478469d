package spool

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"yadokari/mailrelay/wire"
)

// Options are the settings of a spool. The zero value is ready to use.
type Options struct {
	FS      FS              // the file system; nil: Disk
	Segment int64           // length at which a segment is full, in bytes; 0: 16 MiB
	Report  func(err error) // told of errors that no caller can be told of; nil: nobody
}

// Spool is an open spool. Its methods may be called from many goroutines, but not two for one Entry.
type Spool struct {
	dir     string
	fs      FS
	full    int64
	report  func(error)
	lock    io.Closer
	wake    chan struct{} // has room for one: the committer has work
	stopped chan struct{} // closed when the committer has ended
	buffer  []byte        // the committer's

	mu       sync.Mutex
	waiting  []*write
	segments map[uint64]*segment
	active   *segment // nil: the next write opens one
	seq      uint64
	disk     int64 // bytes in segments
	live     int64 // bytes of mails that are not settled
	closing  bool
}

// write is a mail on its way into the spool.
type write struct {
	entry *Entry
	front []byte // head, with room for the salt, and envelope
	text  []byte
	done  chan error
}

// ErrClosed is returned by the methods of a closed spool.
var ErrClosed = errors.New("the spool is closed")

// Open opens the spool in dir, makes it if it does not exist, and tells what was found. The mails found
// are in the order in which they were appended. It fails if another process has the spool open.
func Open(dir string, o Options) (*Spool, *Found, error) {
	s := newSpool(dir, o)
	if err := s.fs.MkdirAll(dir); err != nil {
		return nil, nil, fmt.Errorf("spool: %w", err)
	}
	lock, err := s.fs.Lock(dir)
	if err != nil {
		return nil, nil, fmt.Errorf("spool %s: %w", dir, err)
	}
	s.lock = lock
	found, err := s.recover()
	if err != nil {
		s.closeFiles()
		return nil, nil, errors.Join(fmt.Errorf("spool %s: %w", dir, err), lock.Close())
	}
	go s.commitLoop()
	return s, found, nil
}

func newSpool(dir string, o Options) *Spool {
	s := &Spool{
		dir: dir, fs: o.FS, full: o.Segment, report: o.Report, segments: map[uint64]*segment{},
		wake: make(chan struct{}, 1), stopped: make(chan struct{}),
	}
	if s.fs == nil {
		s.fs = Disk{}
	}
	if s.full == 0 {
		s.full = 16 << 20
	}
	if s.report == nil {
		s.report = func(error) {}
	}
	return s
}

// Append adds a mail and returns when it survives a crash. The id must not be that of another mail in
// the spool. An error means that the mail was not kept; errors.Is(err, syscall.ENOSPC) tells a full disk.
func (s *Spool) Append(id uint64, e *wire.Envelope, text []byte) (*Entry, error) {
	if len(text) > MaxText {
		return nil, fmt.Errorf("spool: a text of %d bytes is too long", len(text))
	}
	h, front := newRecord(id, e, text)
	w := &write{
		entry: &Entry{id: id, recipients: len(e.To), head: h},
		front: front, text: text, done: make(chan error, 1),
	}
	if err := s.submit(w); err != nil {
		return nil, err
	}
	if err := <-w.done; err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	return w.entry, nil
}

func (s *Spool) submit(w *write) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return ErrClosed
	}
	s.waiting = append(s.waiting, w)
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return nil
}

// Settle notes that nothing more is to be done for some recipients of a mail, given by their place in
// the envelope. When none is left the mail is gone, and Settle returns true. On an error the note may
// not survive a crash; the mail would then be delivered again.
func (s *Spool) Settle(e *Entry, recipients []int) (gone bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, i := range recipients {
		e.settle(i)
	}
	if e.Open() == 0 {
		return true, s.remove(e)
	}
	if e.seg == nil {
		return false, ErrClosed
	}
	marks := make([]byte, 0, len(recipients)*markSize)
	for _, i := range recipients {
		marks = appendMark(marks, e.id, uint32(i))
	}
	return false, s.mark(e.seg, marks)
}

// Remove takes a mail out of the spool, whoever of its recipients is settled.
func (s *Spool) Remove(e *Entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.remove(e)
}

// remove is Remove with s.mu held.
func (s *Spool) remove(e *Entry) error {
	seg := e.seg
	if seg == nil {
		return ErrClosed
	}
	delete(seg.live, e)
	seg.liveBytes -= e.Size()
	s.live -= e.Size()
	e.seg = nil
	if seg.sealed && len(seg.live) == 0 {
		return s.release(seg)
	}
	err := s.mark(seg, appendMark(nil, e.id, everyone))
	s.wakeToCompact()
	return err
}

// Bytes tells how many bytes of unsettled mails the spool holds, and how many its files take.
func (s *Spool) Bytes() (live, disk int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.live, s.disk
}

// Close waits for what is being written, fsyncs the marks and closes the files. What is not settled
// stays for the next Open.
func (s *Spool) Close() error {
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		<-s.stopped
		return nil
	}
	s.closing = true
	close(s.wake)
	s.mu.Unlock()
	<-s.stopped
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.active != nil {
		s.active.sealed = true
	}
	var errs []error
	for _, seg := range s.segments {
		if len(seg.live) == 0 {
			errs = append(errs, s.release(seg))
			continue
		}
		if seg.marksOpen {
			errs = append(errs, seg.done.Sync())
		}
		for e := range seg.live {
			e.seg = nil
		}
		seg.gone = true
		errs = append(errs, s.leave(seg))
	}
	return errors.Join(append(errs, s.fs.SyncDir(s.dir), s.lock.Close())...)
}

// closeFiles closes what recover had opened when it failed.
func (s *Spool) closeFiles() {
	for _, seg := range s.segments {
		_ = seg.mails.Close() // nothing was written
		if seg.done != nil {
			_ = seg.done.Close()
		}
	}
}

// syncEvery is how often marks are fsynced.
const syncEvery = time.Second
