package spool

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"time"

	"yadokari/mailrelay/wire"
)

// salt is what the records of one segment begin with: random, and in no mail. After damage, recovery
// looks for the next record by it. A fixed mark would let a mail hold what looks like a record, and be
// taken for a mail that nobody sent.
type salt [16]byte

func newSalt() (s salt) {
	_, _ = rand.Read(s[:]) // never fails
	return s
}

// The front of a segment holds its salt twice, in two pages, so that one bad place on the disk does not
// take all of the segment along. A copy of it, big-endian:
//
//	0  "YKM2"
//	4  CRC-32C of the salt
//	8  the salt
const (
	copySize  = 24
	secondAt  = 4096
	frontSize = secondAt + copySize
)

var magic = [4]byte{'Y', 'K', 'M', '2'}

func (s salt) front() []byte {
	raw := make([]byte, frontSize)
	for _, at := range []int{0, secondAt} {
		copy(raw[at:], magic[:])
		binary.BigEndian.PutUint32(raw[at+4:], crc32.Checksum(s[:], castagnoli))
		copy(raw[at+8:], s[:])
	}
	return raw
}

// parseFront takes the salt from the front of a segment, or what there is of it.
func parseFront(raw []byte) (s salt, ok bool) {
	for _, at := range []int{0, secondAt} {
		if len(raw) < at+copySize {
			break
		}
		s = salt(raw[at+8:])
		if [4]byte(raw[at:]) == magic && binary.BigEndian.Uint32(raw[at+4:]) == crc32.Checksum(s[:], castagnoli) {
			return s, true
		}
	}
	return salt{}, false
}

// The head of a record, big-endian:
//
//	0  the segment's salt
//	16 CRC-32C of bytes 20 to 39
//	20 the mail's number
//	28 length of the envelope
//	32 length of the text
//	36 CRC-32C of envelope and text
const headSize = 40

// MaxText is the longest text of one mail, in bytes.
const MaxText = 1 << 30

const maxEnvelope = 64 << 20

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

type head struct {
	id       uint64
	envelope uint32
	text     uint32
	sum      uint32
}

func (h head) size() int64 { return headSize + int64(h.envelope) + int64(h.text) }

// put writes the head to the front of raw, without the salt: that is not known before the segment is.
func (h head) put(raw []byte) {
	binary.BigEndian.PutUint64(raw[20:], h.id)
	binary.BigEndian.PutUint32(raw[28:], h.envelope)
	binary.BigEndian.PutUint32(raw[32:], h.text)
	binary.BigEndian.PutUint32(raw[36:], h.sum)
	binary.BigEndian.PutUint32(raw[16:], crc32.Checksum(raw[20:headSize], castagnoli))
}

func parseHead(raw []byte, s salt) (head, bool) {
	if len(raw) < headSize || salt(raw) != s ||
		binary.BigEndian.Uint32(raw[16:]) != crc32.Checksum(raw[20:headSize], castagnoli) {
		return head{}, false
	}
	h := head{
		id:       binary.BigEndian.Uint64(raw[20:]),
		envelope: binary.BigEndian.Uint32(raw[28:]),
		text:     binary.BigEndian.Uint32(raw[32:]),
		sum:      binary.BigEndian.Uint32(raw[36:]),
	}
	return h, h.envelope <= maxEnvelope && h.text <= MaxText
}

// newRecord is the head of a mail, and what stands before its text: head, with room for the salt, and envelope.
func newRecord(id uint64, e *wire.Envelope, text []byte) (head, []byte) {
	front := appendEnvelope(make([]byte, headSize, 256), e)
	h := head{id: id, envelope: uint32(len(front) - headSize), text: uint32(len(text))}
	h.sum = crc32.Update(crc32.Checksum(front[headSize:], castagnoli), castagnoli, text)
	h.put(front)
	return h, front
}

const (
	flagEightBit = 1 << iota
	flagUTF8
)

// appendEnvelope adds e to b: version, flags, time in Unix milliseconds, sender, recipients.
func appendEnvelope(b []byte, e *wire.Envelope) []byte {
	var flags byte
	if e.EightBit {
		flags |= flagEightBit
	}
	if e.UTF8 {
		flags |= flagUTF8
	}
	b = append(b, 1, flags)
	b = binary.AppendVarint(b, e.Accepted.UnixMilli())
	b = appendString(b, e.From)
	b = binary.AppendUvarint(b, uint64(len(e.To)))
	for _, to := range e.To {
		b = appendString(b, to)
	}
	return b
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

var errEnvelope = errors.New("the envelope cannot be read")

func parseEnvelope(b []byte) (wire.Envelope, error) {
	if len(b) < 2 || b[0] != 1 {
		return wire.Envelope{}, errEnvelope
	}
	e := wire.Envelope{EightBit: b[1]&flagEightBit != 0, UTF8: b[1]&flagUTF8 != 0}
	ms, n := binary.Varint(b[2:])
	if n <= 0 {
		return wire.Envelope{}, errEnvelope
	}
	e.Accepted = time.UnixMilli(ms)
	b = b[2+n:]
	var ok bool
	if e.From, b, ok = cutString(b); !ok {
		return wire.Envelope{}, errEnvelope
	}
	count, n := binary.Uvarint(b)
	if n <= 0 || count > uint64(len(b)) { // every recipient takes at least a byte
		return wire.Envelope{}, errEnvelope
	}
	b = b[n:]
	e.To = make([]string, 0, count)
	for range count {
		var to string
		if to, b, ok = cutString(b); !ok {
			return wire.Envelope{}, errEnvelope
		}
		e.To = append(e.To, to)
	}
	if len(b) > 0 {
		return wire.Envelope{}, errEnvelope
	}
	return e, nil
}

func cutString(b []byte) (string, []byte, bool) {
	n, size := binary.Uvarint(b)
	if size <= 0 || n > uint64(len(b)-size) {
		return "", nil, false
	}
	b = b[size:]
	return string(b[:n]), b[n:], true
}

// A mark, big-endian: the mail's number, the recipient's place in the envelope or everyone, and the
// CRC-32C of both.
const markSize = 16

const everyone = ^uint32(0)

func appendMark(b []byte, id uint64, recipient uint32) []byte {
	b = binary.BigEndian.AppendUint64(b, id)
	b = binary.BigEndian.AppendUint32(b, recipient)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b[len(b)-12:], castagnoli))
}

func parseMark(b []byte) (id uint64, recipient uint32, ok bool) {
	ok = binary.BigEndian.Uint32(b[12:]) == crc32.Checksum(b[:12], castagnoli)
	return binary.BigEndian.Uint64(b), binary.BigEndian.Uint32(b[8:]), ok
}
