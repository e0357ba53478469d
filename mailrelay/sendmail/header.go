package sendmail

import (
	"bytes"
	"fmt"
	"strings"
)

// lines gives every line its CRLF, whether it ended in that or in LF, and, unless dots is set, ends the text at a
// line with a single dot, as sendmail does. A CR by itself ends no line: see strayCR.
func lines(raw []byte, dots bool) []byte {
	out := make([]byte, 0, len(raw)+len(raw)/32+2)
	for len(raw) > 0 {
		line, rest, _ := bytes.Cut(raw, []byte("\n"))
		raw = rest
		line = bytes.TrimSuffix(line, []byte("\r"))
		if !dots && len(line) == 1 && line[0] == '.' {
			break
		}
		out = append(append(out, line...), '\r', '\n')
	}
	return out
}

// strayCR is the place of the first CR in a text that no LF follows, or -1. In a header it is how a line is
// injected past a program that looks for LF alone; in a body it is harmless, once it is a line's end.
func strayCR(text []byte) int {
	for i, c := range text {
		if c == '\r' && (i+1 == len(text) || text[i+1] != '\n') {
			return i
		}
	}
	return -1
}

// endLines makes a line's end of every CR that is none: no server takes it as it is.
func endLines(text []byte) []byte {
	var out []byte
	for i := strayCR(text); i >= 0; i = strayCR(text) {
		out = append(append(out, text[:i+1]...), '\n')
		text = text[i+1:]
	}
	return append(out, text...)
}

// split parts header and body. A text whose first line is no field has no header.
func split(text []byte) (header, body []byte) {
	rest := text
	if bytes.HasPrefix(rest, []byte("From ")) { // the line mbox files begin a mail with
		_, rest, _ = bytes.Cut(rest, []byte("\r\n"))
	}
	start := rest
	for len(rest) > 0 {
		line, after, _ := bytes.Cut(rest, []byte("\r\n"))
		if len(line) == 0 {
			return start[:len(start)-len(rest)], after
		}
		if !isField(line) && !(isFolded(line) && len(rest) < len(start)) {
			return start[:len(start)-len(rest)], rest
		}
		rest = after
	}
	return start, nil
}

func isFolded(line []byte) bool { return line[0] == ' ' || line[0] == '\t' }

// isField tells whether a line is "Name: value" (RFC 5322 section 2.2).
func isField(line []byte) bool {
	colon := bytes.IndexByte(line, ':')
	if colon <= 0 {
		return false
	}
	for _, c := range bytes.TrimRight(line[:colon], " \t") {
		if c <= ' ' || c >= 0x7f {
			return false
		}
	}
	return true
}

// field is one field of a header, with its folded lines.
type field struct {
	name string
	raw  []byte // ends in CRLF
}

func (f field) is(name string) bool { return strings.EqualFold(f.name, name) }

// value is what stands after the colon, unfolded.
func (f field) value() string {
	_, value, _ := strings.Cut(string(f.raw), ":")
	return strings.TrimSpace(strings.ReplaceAll(value, "\r\n", ""))
}

// once are the fields of which there is at most one (RFC 5322 section 3.6). A second one is what an
// injected line looks like: programs that put a user's words into a header make them.
var once = map[string]bool{
	"from": true, "sender": true, "reply-to": true, "to": true, "cc": true, "bcc": true, "message-id": true,
	"in-reply-to": true, "references": true, "subject": true, "date": true, "mime-version": true, "content-type": true,
	"content-transfer-encoding": true,
}

func parseHeader(header []byte) (fields []field, err error) {
	seen := map[string]bool{}
	for len(header) > 0 {
		end := fieldEnd(header)
		raw := header[:end]
		header = header[end:]
		name, _, _ := bytes.Cut(raw, []byte(":"))
		f := field{name: string(bytes.TrimRight(name, " \t")), raw: raw}
		if i := bytes.IndexByte(raw, 0); i >= 0 {
			return nil, fmt.Errorf("header %s holds a NUL", f.name)
		}
		if strayCR(raw) >= 0 {
			return nil, fmt.Errorf("header %s holds a CR by itself: it looks as if a line had been injected", f.name)
		}
		key := strings.ToLower(f.name)
		if once[key] && seen[key] {
			return nil, fmt.Errorf("the header has %s twice: it looks as if a line had been injected", f.name)
		}
		seen[key] = true
		fields = append(fields, f)
	}
	return fields, nil
}

// fieldEnd is where the first field of a header ends, its folded lines with it.
func fieldEnd(header []byte) int {
	end := 0
	for {
		i := bytes.Index(header[end:], []byte("\r\n"))
		if i < 0 {
			return len(header)
		}
		end += i + 2
		if end == len(header) || !isFolded(header[end:]) {
			return end
		}
	}
}
