package framing

import "bytes"

// skipFields steps over whole lines that are well-formed and that framing does not depend on, and
// returns the beginning of the first other one. It decides nothing: what it does not step over is
// followed state by state.
func skipFields(p []byte, i int) int {
	for {
		colon := span(p, i, isToken)
		if colon == i || colon == len(p) || p[colon] != ':' || mayMatter(p[i:colon]) {
			return i
		}
		end := spanText(p, colon+1)
		if end+2 > len(p) || p[end] != '\r' || p[end+1] != '\n' {
			return i
		}
		i = end + 2
	}
}

// mayMatter reports whether knowField must look at a name: its length and first letter are those of a
// field it knows.
func mayMatter(name []byte) bool {
	first := lower(name[0])
	switch len(name) {
	case len("Host"):
		return first == 'h'
	case len("Upgrade"):
		return first == 'u'
	case len("Content-Length"):
		return first == 'c'
	case len("Transfer-Encoding"):
		return first == 't'
	}
	return false
}

func (c *parser) startField(p []byte, i int) (int, string) {
	switch p[i] {
	case '\r':
		c.state = afterHead
		return i + 1, ""
	case '\n':
		return i, ReasonLineEnd
	case ' ', '\t':
		return i, ReasonFold
	case ':':
		return i, ReasonName
	}
	c.state, c.wordLen = inName, 0
	return i, ""
}

func (c *parser) name(p []byte, i int) (int, string) {
	end := span(p, i, isToken)
	word := c.take(p[i:end], end == len(p))
	if end == len(p) {
		return end, ""
	}
	switch p[end] {
	case ':':
		if reason := c.knowField(word); reason != "" {
			return end, reason
		}
		c.state, c.pos = inValue, 0
		return end + 1, ""
	case ' ', '\t':
		return end, ReasonNameSpace
	case '\n':
		return end, ReasonLineEnd
	}
	return end, ReasonName
}

// knowField sets the field whose value comes next.
func (c *parser) knowField(name []byte) (reason string) {
	c.field = otherField
	switch {
	case len(name) == 14 && equalFold(name, "content-length"):
		return c.begin(name, lengthField, hasLength, ReasonLengthAgain)
	case len(name) == 17 && equalFold(name, "transfer-encoding"):
		if c.minor == '0' {
			return ReasonCodingOld
		}
		return c.begin(name, codingField, hasCoding, ReasonCodingAgain)
	case len(name) == 4 && equalFold(name, "host"):
		c.hostSeen = 0
		return c.begin(name, hostField, hasHost, ReasonHostAgain)
	case len(name) == 7 && equalFold(name, "upgrade") && c.has&isTrailer == 0:
		c.has |= hasUpgrade
	}
	return ""
}

// begin takes note of a field that may stand in a head once, and not in trailers.
func (c *parser) begin(name []byte, f field, flag uint8, again string) (reason string) {
	switch {
	case bytes.IndexByte(name, '_') >= 0:
		return ReasonLookAlike
	case c.has&isTrailer != 0:
		return ReasonTrailerField
	case c.has&flag != 0:
		return again
	}
	c.field = f
	c.has |= flag
	return ""
}

func (c *parser) value(p []byte, i int) (int, string) {
	switch c.field {
	case lengthField:
		return c.lengthValue(p, i)
	case codingField:
		return c.codingValue(p, i)
	case hostField:
		return c.hostValue(p, i)
	}
	for {
		i = spanText(p, i)
		switch {
		case i == len(p):
			return i, ""
		case p[i] == '\r':
			c.state = afterLine
			return i + 1, ""
		case p[i] == '\n':
			return i, ReasonLineEnd
		case p[i] != '\t':
			return i, ReasonControl
		}
		i++
	}
}

// spaceAfter marks in pos that the value is over and only spaces may follow.
const spaceAfter = 1 << 30

// lengthValue reads digits between spaces; pos counts them. Tabs, signs and commas are faults even
// where RFC 9112, section 6.3, would let a recipient pick one of several equal values.
func (c *parser) lengthValue(p []byte, i int) (int, string) {
	for ; i < len(p); i++ {
		b := p[i]
		switch {
		case '0' <= b && b <= '9' && c.pos < maxLenDigits:
			c.left, c.pos = c.left*10+int64(b-'0'), c.pos+1
			if c.left < 0 { // 19 digits exceed int64 at most once over
				return i, ReasonLength
			}
		case b == ' ':
			if c.pos > 0 {
				c.pos |= spaceAfter
			}
		case b == '\r' && c.pos > 0:
			c.state = afterLine
			return i + 1, ""
		case b == '\n':
			return i, ReasonLineEnd
		default:
			return i, ReasonLength
		}
	}
	return i, ""
}

// codingValue reads exactly "chunked" after at most one space. Anything more is where two parsers part:
// one that does not know the coding falls back to a body without a length.
func (c *parser) codingValue(p []byte, i int) (int, string) {
	const coding = " chunked"
	for ; i < len(p); i++ {
		b := lower(p[i])
		if c.pos == 0 && b != ' ' {
			c.pos = 1
		}
		switch {
		case c.pos < len(coding) && b == coding[c.pos]:
			c.pos++
		case c.pos == len(coding) && b == '\r':
			c.state = afterLine
			return i + 1, ""
		case b == '\n':
			return i, ReasonLineEnd
		default:
			return i, ReasonCoding
		}
	}
	return i, ""
}

// hostValue reads a host and port, or nothing, between spaces and tabs, and holds it against
// absolute-form's authority (RFC 9112, section 3.2.2: a client must send the same).
func (c *parser) hostValue(p []byte, i int) (int, string) {
	for ; i < len(p); i++ {
		if c.has&isAbsolute == 0 && c.pos != spaceAfter {
			if end := span(p, i, isHost); end > i {
				c.pos = 1
				if i = end; i == len(p) {
					break
				}
			}
		}
		b := p[i]
		switch {
		case b == ' ' || b == '\t':
			if c.pos > 0 {
				c.pos = spaceAfter
			}
		case b == '\r':
			if c.has&isAbsolute != 0 && c.hostSeen != len(c.authority) {
				return i, ReasonHostTarget
			}
			c.state = afterLine
			return i + 1, ""
		case b == '\n':
			return i, ReasonLineEnd
		case classes[b]&isHost == 0 || c.pos == spaceAfter:
			return i, ReasonHost
		case c.hostSeen == len(c.authority) || c.authority[c.hostSeen] != lower(b):
			return i, ReasonHostTarget
		default:
			c.pos = 1
			c.hostSeen++
		}
	}
	return i, ""
}
