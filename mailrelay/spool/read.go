package spool

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"sync"

	"yadokari/mailrelay/wire"
)

// ErrDamaged tells that a mail in the spool is not what was written.
var ErrDamaged = errors.New("the mail is damaged")

const readSize = 32 << 10

var readBuffers = sync.Pool{New: func() any { return new([readSize]byte) }}

// Reader gives the text of one mail. It must be closed before the mail is settled.
type Reader struct {
	s      *Spool
	seg    *segment
	buffer *[readSize]byte
	ready  []byte // text that was read along with the envelope
	off    int64  // where the next text is read
	end    int64
	sum    uint32
	want   uint32
}

// Read opens a mail: its envelope at once, its text as it is read.
func (s *Spool) Read(e *Entry) (wire.Envelope, *Reader, error) {
	r, err := s.reader(e)
	if err != nil {
		return wire.Envelope{}, nil, err
	}
	envelope, err := r.start(e)
	if err != nil {
		return wire.Envelope{}, nil, errors.Join(fmt.Errorf("spool: mail %016x: %w", e.id, err), r.Close())
	}
	return envelope, r, nil
}

func (s *Spool) reader(e *Entry) (*Reader, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.seg == nil {
		return nil, ErrClosed
	}
	e.seg.users++
	return &Reader{
		s: s, seg: e.seg, buffer: readBuffers.Get().(*[readSize]byte),
		off: e.off + headSize, end: e.off + e.Size(), want: e.head.sum,
	}, nil
}

// start reads the envelope and, with it, what of the text fits the buffer.
func (r *Reader) start(e *Entry) (wire.Envelope, error) {
	n := int64(e.head.envelope)
	raw := r.buffer[:min(readSize, r.end-r.off)]
	if n > readSize {
		raw = make([]byte, n)
	}
	if err := r.fill(raw); err != nil {
		return wire.Envelope{}, err
	}
	r.ready = raw[n:]
	return parseEnvelope(raw[:n])
}

// fill reads the next bytes of the record and adds them to the checksum.
func (r *Reader) fill(b []byte) error {
	if n, err := r.seg.mails.ReadAt(b, r.off); n < len(b) {
		if errors.Is(err, io.EOF) {
			return ErrDamaged // the file is shorter than the record
		}
		return err
	}
	r.off += int64(len(b))
	r.sum = crc32.Update(r.sum, castagnoli, b)
	return nil
}

// WriteTo writes the whole text to w. It returns ErrDamaged, after writing, if the text is not what was
// written to the spool.
func (r *Reader) WriteTo(w io.Writer) (total int64, err error) {
	for {
		if r.off == r.end && r.sum != r.want {
			return total, ErrDamaged // before the last piece is out
		}
		n, err := w.Write(r.ready)
		total += int64(n)
		if err != nil || r.off == r.end {
			return total, err
		}
		r.ready = r.buffer[:min(readSize, r.end-r.off)]
		if err := r.fill(r.ready); err != nil {
			return total, err
		}
	}
}

// Close lets go of the mail.
func (r *Reader) Close() error {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	if r.buffer == nil {
		return nil
	}
	readBuffers.Put(r.buffer)
	r.buffer = nil
	r.seg.users--
	return r.s.leave(r.seg)
}

// SetAside copies a mail as it is on the disk, damaged or not, to a file in the directory damaged, and
// takes it out of the spool. It returns the file's name. On an error the mail stays.
func (s *Spool) SetAside(e *Entry) (file string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.seg == nil {
		return "", ErrClosed
	}
	var found Found
	if err := s.setAside(e.seg, e.off, e.off+e.Size(), &found); err != nil {
		return "", fmt.Errorf("spool: set mail %016x aside: %w", e.id, err)
	}
	return found.Damaged[0], s.remove(e)
}
