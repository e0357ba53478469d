package framing

import (
	"encoding/binary"
	"math/bits"
)

// What a byte may be part of.
const (
	isToken  = 1 << iota // RFC 9110, section 5.6.2: methods and field names
	isTarget             // visible ASCII but '#': a fragment is read in two ways (CVE-2023-45539)
	isHost               // RFC 3986, section 3.2.2, host and port
)

var classes = func() (table [256]uint8) {
	for c := '!'; c <= '~'; c++ {
		if c != '#' {
			table[c] |= isTarget
		}
	}
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	for _, c := range letters + "0123456789!#$%&'*+-.^_`|~" {
		table[c] |= isToken
	}
	for _, c := range letters + "0123456789-._~%!$&'()*+,;=:[]" {
		table[c] |= isHost
	}
	return table
}()

// span returns the index of the first byte at or after i that is not of the class.
func span(p []byte, i int, class uint8) int {
	for i < len(p) && classes[p[i]]&class != 0 {
		i++
	}
	return i
}

// spanText returns the index of the first control byte (below SP, or DEL) at or after i, eight bytes at
// a time. The formulas are those of "Bit Twiddling Hacks" (Anderson): "word has a byte less than n" and
// "word has a zero byte"; the lowest byte they mark is never a false hit.
func spanText(p []byte, i int) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	for ; i+8 <= len(p); i += 8 {
		w := binary.LittleEndian.Uint64(p[i:])
		del := w ^ (ones * 0x7f)
		if hits := ((w-ones*0x20)&^w | (del-ones)&^del) & highs; hits != 0 {
			return i + bits.TrailingZeros64(hits)/8
		}
	}
	for i < len(p) && p[i] >= ' ' && p[i] != 0x7f {
		i++
	}
	return i
}

// lower folds an ASCII letter.
func lower(b byte) byte {
	if 'A' <= b && b <= 'Z' {
		return b + ('a' - 'A')
	}
	return b
}

// equalFold reports whether p is text, which is in lower case, but for the case of ASCII letters.
// An underscore in p stands for a hyphen: CGI and its kin do not tell them apart.
func equalFold(p []byte, text string) bool {
	if len(p) != len(text) {
		return false
	}
	for i, b := range p {
		if b = lower(b); b == '_' {
			b = '-'
		}
		if b != text[i] {
			return false
		}
	}
	return true
}
