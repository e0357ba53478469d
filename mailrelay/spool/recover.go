package spool

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"yadokari/mailrelay/wire"
)

// Found is what Open found in the directory.
type Found struct {
	Mails   []Mail   // mails that are not settled, in the order in which they were appended
	Torn    int64    // bytes of records whose writing never ended; they were discarded
	Damaged []string // files, each with a damaged part of a segment, set aside
	Lost    int      // damaged records among them whose head could still be read: one mail each

	// Unreadable are the other files: parts without a readable head. How many mails were in one, if any was that is
	// not settled, nobody can tell.
	Unreadable int
}

// Mail is one mail found by Open.
type Mail struct {
	Entry    *Entry
	Envelope wire.Envelope
}

// recover reads every segment. Damage is set aside, not an error; errors are those of the disk.
func (s *Spool) recover() (*Found, error) {
	seqs, err := s.sequences()
	if err != nil {
		return nil, err
	}
	found := &Found{}
	byID := map[uint64]int{} // place in found.Mails
	for _, seq := range seqs {
		s.seq = max(s.seq, seq)
		if err := s.recoverSegment(seq, found, byID); err != nil {
			return nil, fmt.Errorf("segment %016x: %w", seq, err)
		}
	}
	found.Mails = slices.DeleteFunc(found.Mails, func(m Mail) bool { return m.Entry == nil })
	for _, seg := range s.segments {
		if err := s.release(seg); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// sequences lists the segments, and removes marks whose mails are gone.
func (s *Spool) sequences() ([]uint64, error) {
	names, err := s.fs.List(s.dir)
	if err != nil {
		return nil, err
	}
	var seqs, marks []uint64
	for _, entry := range names {
		name, ok := SegmentName(entry)
		if !ok {
			continue
		}
		seq, err := strconv.ParseUint(name, 16, 64)
		switch {
		case err != nil:
		case strings.HasSuffix(entry, mailSuffix):
			seqs = append(seqs, seq)
		default:
			marks = append(marks, seq)
		}
	}
	slices.Sort(seqs)
	for _, seq := range marks {
		if _, ok := slices.BinarySearch(seqs, seq); !ok {
			if err := s.fs.Remove(s.segmentName(seq, doneSuffix)); err != nil {
				return nil, err
			}
		}
	}
	return seqs, nil
}

func (s *Spool) recoverSegment(seq uint64, found *Found, byID map[uint64]int) error {
	f, err := s.fs.Open(s.segmentName(seq, mailSuffix))
	if err != nil {
		return err
	}
	seg := &segment{seq: seq, mails: f, live: map[*Entry]struct{}{}, sealed: true}
	if seg.size, err = f.Size(); err != nil {
		return errors.Join(err, f.Close())
	}
	s.segments[seq] = seg
	s.disk += seg.size
	marks, err := s.readMarks(seg)
	if err != nil {
		return err
	}
	c := &scan{s: s, seg: seg, found: found, marks: marks}
	for c.begin(); c.next(); {
		m := marks[c.head.id]
		if at, twice := byID[c.head.id]; twice { // a copy made by compact; the later one counts
			s.forget(found.Mails[at].Entry)
			found.Mails[at].Entry = nil
		}
		if m.all || m.count(len(c.envelope.To)) == len(c.envelope.To) {
			continue
		}
		e := &Entry{id: c.head.id, recipients: len(c.envelope.To), head: c.head}
		for i := range c.envelope.To {
			if m.some[uint32(i)] {
				e.settle(i)
			}
		}
		s.adopt(e, seg, c.off)
		byID[e.id] = len(found.Mails)
		found.Mails = append(found.Mails, Mail{e, c.envelope})
	}
	return c.err
}

func (s *Spool) forget(e *Entry) {
	if e == nil {
		return
	}
	delete(e.seg.live, e)
	e.seg.liveBytes -= e.Size()
	s.live -= e.Size()
}

type settled struct {
	all  bool
	some map[uint32]bool
}

func (m settled) count(recipients int) (n int) {
	for i := range m.some {
		if int64(i) < int64(recipients) {
			n++
		}
	}
	return n
}

func (s *Spool) readMarks(seg *segment) (map[uint64]settled, error) {
	marks := map[uint64]settled{}
	f, err := s.fs.Open(s.segmentName(seg.seq, doneSuffix))
	if errors.Is(err, os.ErrNotExist) {
		return marks, nil
	}
	if err != nil {
		return nil, err
	}
	seg.done = f
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	raw := make([]byte, size)
	if _, err := f.ReadAt(raw, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	for ; len(raw) >= markSize; raw = raw[markSize:] {
		id, recipient, ok := parseMark(raw)
		if !ok {
			continue // torn or damaged: that recipient gets the mail again
		}
		m := marks[id]
		if recipient == everyone {
			m.all = true
		} else if m.some == nil {
			m.some = map[uint32]bool{recipient: true}
		} else {
			m.some[recipient] = true
		}
		marks[id] = m
	}
	seg.marks = size - int64(len(raw)) // a torn mark is written over
	return marks, nil
}

// damagedDir is where damaged parts of segments are set aside, below the spool's directory.
const damagedDir = "damaged"

// setAside copies a part of a segment to a file of its own, unless an earlier Open has done so.
func (s *Spool) setAside(seg *segment, from, to int64, found *Found) error {
	dir := filepath.Join(s.dir, damagedDir)
	if err := s.fs.MkdirAll(dir); err != nil {
		return err
	}
	base := filepath.Join(dir, fmt.Sprintf("%016x-%d", seg.seq, from))
	name := base
	out, err := s.fs.Create(name)
	for n := 2; errors.Is(err, os.ErrExist); n++ { // the numbers begin anew in an empty spool
		if s.holds(name, io.NewSectionReader(seg.mails, from, to-from)) {
			found.Damaged = append(found.Damaged, name)
			return nil
		}
		name = fmt.Sprintf("%s-%d", base, n)
		out, err = s.fs.Create(name)
	}
	if err != nil {
		return err
	}
	_, err = io.Copy(io.NewOffsetWriter(out, 0), io.NewSectionReader(seg.mails, from, to-from))
	if err = errors.Join(err, out.Sync(), out.Close(), s.fs.SyncDir(dir)); err == nil {
		found.Damaged = append(found.Damaged, name)
	}
	return err
}

// holds tells whether a file's content is that of part, and nothing else, as far as it can be read.
func (s *Spool) holds(name string, part *io.SectionReader) bool {
	f, err := s.fs.Open(name)
	if err != nil {
		return false
	}
	defer f.Close()
	if size, err := f.Size(); err != nil || size != part.Size() {
		return false
	}
	var there, here [4 << 10]byte
	for at := int64(0); at < part.Size(); at += int64(len(here)) {
		n := min(int64(len(here)), part.Size()-at)
		if !fill(f, there[:n], at) || !fill(part, here[:n], at) || there != here {
			return false
		}
	}
	return true
}

func fill(from io.ReaderAt, b []byte, at int64) bool {
	n, _ := from.ReadAt(b, at) // at the end of a file, EOF comes along with the last bytes
	return n == len(b)
}
