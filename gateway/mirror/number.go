package mirror

import (
	"bytes"
	"strconv"
)

// decimal is a JSON number as its value and not as it was written: 1, 1.0 and 10e-1 are one. It
// compares without arithmetic on the digits, so 1e999999999 costs what its text costs.
type decimal struct {
	negative bool
	head     []byte // the digits before the point
	tail     []byte // the digits after it
	from, to int    // head+tail without zeros at either end
	exponent int64  // of the first significant digit
}

// maxExponent bounds the exponents that are told apart: beyond it all numbers of the same digits
// are alike, as they are for every parser that knows them as infinite or zero.
const maxExponent = 1 << 40

// parseNumber reads text as a number of RFC 8259, section 6.
func parseNumber(text []byte) (decimal, bool) {
	var d decimal
	text, d.negative = bytes.CutPrefix(text, []byte("-"))
	mantissa := text
	if at := bytes.IndexAny(text, "eE"); at >= 0 {
		mantissa = text[:at]
		if !d.scale(text[at+1:]) {
			return d, false
		}
	}
	var point bool
	d.head, d.tail, point = bytes.Cut(mantissa, []byte("."))
	if !digits(d.head) || point && !digits(d.tail) || len(d.head) > 1 && d.head[0] == '0' {
		return d, false
	}
	d.from, d.to = 0, len(d.head)+len(d.tail)
	for d.from < d.to && d.digit(d.from) == '0' {
		d.from++
	}
	for d.to > d.from && d.digit(d.to-1) == '0' {
		d.to--
	}
	if d.from == d.to {
		return decimal{}, true // zero, of either sign
	}
	d.exponent += int64(len(d.head) - d.from)
	return d, true
}

func (d *decimal) scale(text []byte) bool {
	unsigned := bytes.TrimLeft(text, "+-")
	if len(text)-len(unsigned) > 1 || !digits(unsigned) {
		return false
	}
	n, err := strconv.ParseInt(string(unsigned), 10, 64)
	if err != nil || n > maxExponent {
		n = maxExponent
	}
	if text[0] == '-' {
		n = -n
	}
	d.exponent = n
	return true
}

func digits(text []byte) bool {
	for _, c := range text {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(text) > 0
}

func (d *decimal) digit(i int) byte {
	if i < len(d.head) {
		return d.head[i]
	}
	return d.tail[i-len(d.head)]
}

// hash is equal for numbers of equal value; base is where it begins.
func (d *decimal) hash(base uint64) uint64 {
	for i := d.from; i < d.to; i++ {
		base = mix(base, uint64(d.digit(i)))
	}
	base = mix(base, uint64(d.exponent))
	if d.negative {
		base = mix(base, '-')
	}
	return base
}
