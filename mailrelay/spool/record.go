package spool

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"time"

	"yadokari/mailrelay/wire"
)

// The head of a record, big-endian:
//
//	0  magic "YKM1"
//	4  CRC-32C of bytes 8 to 27
//	8  the mail's number
//	16 length of the envelope
//	20 length of the text
//	24 CRC-32C of envelope and text
const headSize = 28

var magic = [4]byte{'Y', 'K', 'M', '1'}

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

func (h head) append(b []byte) []byte {
	var raw [headSize]byte
	copy(raw[:], magic[:])
	binary.BigEndian.PutUint64(raw[8:], h.id)
	binary.BigEndian.PutUint32(raw[16:], h.envelope)
	binary.BigEndian.PutUint32(raw[20:], h.text)
	binary.BigEndian.PutUint32(raw[24:], h.sum)
	binary.BigEndian.PutUint32(raw[4:], crc32.Checksum(raw[8:], castagnoli))
	return append(b, raw[:]...)
}

func parseHead(raw []byte) (head, bool) {
	if len(raw) < headSize || [4]byte(raw) != magic ||
		binary.BigEndian.Uint32(raw[4:]) != crc32.Checksum(raw[8:headSize], castagnoli) {
		return head{}, false
	}
	h := head{
		id:       binary.BigEndian.Uint64(raw[8:]),
		envelope: binary.BigEndian.Uint32(raw[16:]),
		text:     binary.BigEndian.Uint32(raw[20:]),
		sum:      binary.BigEndian.Uint32(raw[24:]),
	}
	return h, h.envelope <= maxEnvelope && h.text <= MaxText
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
