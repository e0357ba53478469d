package logshipper

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
	"unicode/utf8"
)

// encoder writes entries as JSON. The text that is the same for all entries of a file is made once.
type encoder struct {
	common []byte // {"host":…,"pod":…,"cluster":…
}

func newEncoder(host, pod, cluster string) *encoder {
	common := append([]byte(`{"host":`), quoted(host)...)
	if pod != "" {
		common = append(append(common, `,"pod":`...), quoted(pod)...)
	}
	if cluster != "" {
		common = append(append(common, `,"cluster":`...), quoted(cluster)...)
	}
	return &encoder{common: common}
}

func quoted(text string) []byte {
	q, _ := json.Marshal(text) // a string cannot fail
	return q
}

// prefixOf is what stands before the offset of every entry of a file.
func (e *encoder) prefixOf(name, id string) []byte {
	p := append([]byte(nil), e.common...)
	p = append(append(p, `,"file":`...), quoted(name)...)
	return append(append(append(p, `,"id":"`...), id...), '-')
}

// appendEntry appends {…,"id":"ID-OFFSET-LENGTH","offset":OFFSET,"line":"…"} and a newline. The length of the entry
// is in its id because the same place can be cut in two ways: a last line that a stop took before it was whole, and
// that was not acknowledged, comes again as a longer one. What is not text (not UTF-8, or every eighth byte a control
// character) is under "bytes", in base64.
func appendEntry(to, prefix []byte, offset int64, entry []byte) []byte {
	to = append(to, prefix...)
	to = strconv.AppendInt(to, offset, 10)
	to = strconv.AppendInt(append(to, '-'), int64(len(entry)), 10)
	to = append(to, `","offset":`...)
	to = strconv.AppendInt(to, offset, 10)
	if !isText(entry) {
		to = append(to, `,"bytes":"`...)
		to = base64.StdEncoding.AppendEncode(to, entry)
		return append(to, '"', '}', '\n')
	}
	to = append(to, `,"line":"`...)
	to = appendEscaped(to, entry)
	return append(to, '"', '}', '\n')
}

// worst is an upper bound of what appendEntry appends.
func worst(prefix, entry int) int { return prefix + 128 + 3*entry }

func isText(entry []byte) bool {
	controls := 0
	for _, c := range entry {
		if c < ' ' && c != '\t' && c != '\n' && c != '\r' {
			controls++
		}
	}
	return controls <= len(entry)/8 && utf8.Valid(entry)
}

const digits = "0123456789abcdef"

// plain tells the bytes that stand for themselves in a JSON string.
var plain = func() (p [256]bool) {
	for c := range p {
		p[c] = c >= ' ' && c != '"' && c != '\\'
	}
	return p
}()

func appendEscaped(to, text []byte) []byte {
	begin := 0
	for i, c := range text {
		if plain[c] {
			continue
		}
		to = append(to, text[begin:i]...)
		begin = i + 1
		switch c {
		case '"', '\\':
			to = append(to, '\\', c)
		case '\n':
			to = append(to, '\\', 'n')
		case '\t':
			to = append(to, '\\', 't')
		case '\r':
			to = append(to, '\\', 'r')
		default:
			to = append(to, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		}
	}
	return append(to, text[begin:]...)
}
