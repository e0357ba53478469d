package spool

import (
	"fmt"

	"yadokari/mailrelay/wire"
)

// Image is a segment made in memory, for places that are no file system. Written to a file whose name is
// ImageName's, in a directory of its own or together with other images, it is a spool that Open takes up.
type Image struct {
	salt salt
	raw  []byte
}

// NewImage returns a segment without mails, with room for so many bytes of them; it grows beyond that.
func NewImage(room int64) *Image {
	s := newSalt()
	return &Image{salt: s, raw: append(make([]byte, 0, frontSize+room), s.front()...)}
}

// ImageName is the name of the file for the nth image of a directory.
func ImageName(n uint64) string { return fmt.Sprintf("%016x%s", n, mailSuffix) }

// Add adds a mail. The id must not be that of another mail in the same directory.
func (i *Image) Add(id uint64, e *wire.Envelope, text []byte) error {
	if len(text) > MaxText {
		return fmt.Errorf("spool: a text of %d bytes is too long", len(text))
	}
	_, front := newRecord(id, e, text)
	copy(front, i.salt[:])
	i.raw = append(append(i.raw, front...), text...)
	return nil
}

// Bytes is the segment as it is now.
func (i *Image) Bytes() []byte { return i.raw }
