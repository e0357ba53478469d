package spool

import (
	"bytes"
	"errors"
	"hash/crc32"
	"io"

	"yadokari/mailrelay/wire"
)

// scan walks over the records of a segment after a crash.
type scan struct {
	s     *Spool
	seg   *segment
	found *Found
	marks map[uint64]settled
	at    int64 // where the next record begins

	// The record next has found.
	off      int64
	head     head
	envelope wire.Envelope

	err error
}

// begin reads the front of the segment. Without a salt nothing in the segment can be told from what a mail
// may hold: all of it is set aside.
func (c *scan) begin() {
	raw := make([]byte, min(frontSize, c.seg.size))
	if _, err := c.seg.mails.ReadAt(raw, 0); err != nil && !errors.Is(err, io.EOF) {
		c.err = err
		return
	}
	var ok bool
	switch c.seg.salt, ok = parseFront(raw); {
	case ok && c.seg.size >= frontSize:
		c.at = frontSize
	case c.seg.size <= frontSize || c.zero(0):
		c.torn() // no mail was ever safe in it
	case c.err == nil:
		c.unreadable(c.seg.size)
	}
}

// next finds the next record that is whole. It is false at the end and on an error of the disk.
func (c *scan) next() bool {
	for c.err == nil && c.at < c.seg.size {
		h, ok := c.readHead(c.at)
		switch {
		case !ok:
			c.skip()
		case c.at+h.size() > c.seg.size:
			c.torn() // the head says more than there is
		case c.readContent(h):
			c.off, c.head = c.at, h
			c.at += h.size()
			return true
		case c.err == nil && c.marks[h.id].all:
			c.at += h.size() // nobody needs it any more
		case c.err == nil:
			c.found.Lost++
			c.setAside(c.at + h.size())
		}
	}
	return false
}

func (c *scan) readHead(at int64) (head, bool) {
	var raw [headSize]byte
	n, err := c.seg.mails.ReadAt(raw[:], at)
	if err != nil && !errors.Is(err, io.EOF) {
		c.err = err
	}
	return parseHead(raw[:n], c.seg.salt)
}

// readContent checks a record's content and takes its envelope.
func (c *scan) readContent(h head) bool {
	start := c.at + headSize
	raw := make([]byte, h.envelope)
	if _, err := c.seg.mails.ReadAt(raw, start); err != nil && !errors.Is(err, io.EOF) {
		c.err = err
		return false
	}
	sum := crc32.New(castagnoli)
	sum.Write(raw)
	if _, err := io.Copy(sum, io.NewSectionReader(c.seg.mails, start+int64(h.envelope), int64(h.text))); err != nil {
		c.err = err
		return false
	}
	if sum.Sum32() != h.sum {
		return false
	}
	envelope, err := parseEnvelope(raw)
	c.envelope = envelope
	return err == nil
}

// skip goes on from a place that is not a record to the next that is; in between is damage. With no
// record to follow it is the torn end of the file, unless it is too much to be only that.
func (c *scan) skip() {
	to, ok := c.findHead(c.at + 1)
	if c.err != nil {
		return
	}
	if !ok && (c.seg.size-c.at < headSize || c.zero(c.at)) {
		c.torn()
		return
	}
	c.unreadable(to)
}

// findHead is the place of the next valid head at or after from; the end of the file if there is none.
func (c *scan) findHead(from int64) (at int64, ok bool) {
	buffer := make([]byte, 64<<10)
	for from < c.seg.size {
		n, err := c.seg.mails.ReadAt(buffer, from)
		if err != nil && !errors.Is(err, io.EOF) {
			c.err = err
			return 0, false
		}
		for i := 0; ; i++ {
			j := bytes.Index(buffer[i:n], c.seg.salt[:])
			if j < 0 {
				break
			}
			i += j
			if _, ok := c.readHead(from + int64(i)); ok {
				return from + int64(i), true
			}
		}
		if n < len(buffer) {
			break
		}
		from += int64(n - len(c.seg.salt) + 1) // the salt may lie across two reads
	}
	return c.seg.size, false
}

// zero tells whether there is nothing but zeros from a place to the end, as a file system leaves it
// that had grown the file but not yet written it.
func (c *scan) zero(from int64) bool {
	buffer := make([]byte, 64<<10)
	for from < c.seg.size {
		n, err := c.seg.mails.ReadAt(buffer, from)
		if err != nil && !errors.Is(err, io.EOF) {
			c.err = err
			return false
		}
		if len(bytes.TrimLeft(buffer[:n], "\x00")) > 0 || n == 0 {
			return false
		}
		from += int64(n)
	}
	return true
}

func (c *scan) torn() {
	c.found.Torn += c.seg.size - c.at
	c.at = c.seg.size
}

// unreadable sets aside what cannot be told to be a mail.
func (c *scan) unreadable(to int64) {
	c.found.Unreadable++
	c.setAside(to)
}

func (c *scan) setAside(to int64) {
	if err := c.s.setAside(c.seg, c.at, to, c.found); err != nil {
		c.err = err
		return
	}
	c.at = to
}
