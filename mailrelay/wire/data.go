package wire

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// What can be wrong with the text of a mail. After each of these the text has been read to its end,
// so that the connection can go on.
var (
	ErrTooLarge = errors.New("the mail is too large")
	ErrBare     = errors.New("the mail holds a CR or LF that is not part of CRLF")
)

// Sink takes the text of a mail as it arrives.
type Sink interface {
	// Take adds a piece of text, which is valid only during the call. An error ends the reading.
	Take(piece []byte) error
}

// ReadText reads what follows DATA up to CRLF.CRLF, takes the dots off that were added for the wire
// (RFC 5321 section 4.5.2) and hands the text to sink. Nothing but CRLF.CRLF ends it: a CR or LF that is
// not part of CRLF makes it ErrBare, because servers that take such lines for an end disagree with
// those that do not, and that lets one mail hide another (CVE-2023-51764 and its like). More than limit bytes
// make it ErrTooLarge. Other errors are those of r and sink; the rest of the text is then unread.
func ReadText(r *bufio.Reader, limit int64, sink Sink) error {
	var size int64
	var wrong error
	start, carried := true, false // at the start of a line; a CR ended the last piece
	for {
		piece, err := r.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
		if start && len(piece) == 3 && piece[0] == '.' && piece[1] == '\r' && piece[2] == '\n' {
			return wrong
		}
		whole := err == nil
		if bare(piece, carried, whole) && wrong == nil {
			wrong = ErrBare
		}
		ends := whole && (len(piece) >= 2 && piece[len(piece)-2] == '\r' || len(piece) == 1 && carried)
		carried = !whole && piece[len(piece)-1] == '\r'
		if start && piece[0] == '.' {
			piece = piece[1:]
		}
		start = ends
		if size += int64(len(piece)); size > limit && wrong == nil {
			wrong = ErrTooLarge
		}
		if wrong != nil {
			continue
		}
		if err := sink.Take(piece); err != nil {
			return err
		}
	}
}

// bare tells whether a piece of text, whole if it ends in LF, holds a CR or LF that is not part of
// CRLF. A CR at the end of a piece that is not whole is carried over to the next.
func bare(piece []byte, carried, whole bool) bool {
	if carried && piece[0] != '\n' {
		return true
	}
	body := piece
	if whole {
		body = piece[:len(piece)-1]
		if n := len(body); n > 0 && body[n-1] == '\r' {
			body = body[:n-1]
		} else if !(n == 0 && carried) {
			return true
		}
	} else if body[len(body)-1] == '\r' {
		body = body[:len(body)-1]
	}
	return bytes.IndexByte(body, '\r') >= 0
}

// Stuffer writes mail text for the wire: it adds a dot to each line that begins with one, and ends the
// text with CRLF.CRLF. The text must hold no bare CR or LF, as ReadText makes sure.
type Stuffer struct {
	w    *bufio.Writer
	last [2]byte // the last two bytes written
}

// NewStuffer returns a Stuffer at the start of a text.
func NewStuffer(w *bufio.Writer) *Stuffer { return &Stuffer{w: w, last: [2]byte{'\r', '\n'}} }

var lineDot = []byte("\r\n.")

// Write adds a piece of text. Pieces may be cut anywhere.
func (s *Stuffer) Write(p []byte) (int, error) {
	total := len(p)
	for len(p) > 0 {
		if p[0] == '.' && s.last == [2]byte{'\r', '\n'} {
			if err := s.w.WriteByte('.'); err != nil {
				return 0, err
			}
		}
		cut := len(p)
		if len(p) > 1 && s.last[1] == '\r' && p[0] == '\n' && p[1] == '.' {
			cut = 1 // the line ends across two pieces; the dot starts the next round
		} else if i := bytes.Index(p, lineDot); i >= 0 {
			cut = i + 2
		}
		if _, err := s.w.Write(p[:cut]); err != nil {
			return 0, err
		}
		s.remember(p[:cut])
		p = p[cut:]
	}
	return total, nil
}

func (s *Stuffer) remember(p []byte) {
	if len(p) >= 2 {
		s.last = [2]byte(p[len(p)-2:])
	} else {
		s.last = [2]byte{s.last[1], p[0]}
	}
}

// Close ends the text. It does not flush.
func (s *Stuffer) Close() error {
	end := "\r\n.\r\n"
	if s.last == [2]byte{'\r', '\n'} {
		end = end[2:]
	}
	_, err := s.w.WriteString(end)
	return err
}
