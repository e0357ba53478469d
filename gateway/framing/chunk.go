package framing

// chunk follows chunked coding (RFC 9112, section 7.1) outside of the chunks' data.
func (c *parser) chunk(p []byte, i int) (int, string) {
	b := p[i]
	switch c.state {
	case inChunkSize:
		return c.chunkSize(p, i)
	case inChunkExtension:
		return c.chunkExtension(p, i)
	case afterChunkLine:
		if b != '\n' {
			return i, ReasonChunkLine
		}
		c.state = inData
		if c.left == 0 {
			c.state, c.has, c.budget = atField, c.has|isTrailer, c.maxHead
		}
	case afterData:
		if b != '\r' {
			return i, ReasonChunkEnd
		}
		c.state = afterDataCR
	case afterDataCR:
		if b != '\n' {
			return i, ReasonChunkEnd
		}
		c.state, c.left, c.pos = inChunkSize, 0, 0
	}
	return i + 1, ""
}

// chunkSize reads hexadecimal digits; pos counts them.
func (c *parser) chunkSize(p []byte, i int) (int, string) {
	for ; i < len(p); i++ {
		digit, ok := hexDigit(p[i])
		switch {
		case ok && c.pos < maxSizeDigits:
			c.left, c.pos = c.left<<4|int64(digit), c.pos+1
		case ok, c.pos == 0:
			return i, ReasonChunkSize
		case p[i] == ';':
			c.state, c.pos = inChunkExtension, 0
			return i + 1, ""
		case p[i] == '\r':
			c.state = afterChunkLine
			return i + 1, ""
		case p[i] == '\n':
			return i, ReasonChunkLine
		default:
			return i, ReasonChunkSize
		}
	}
	return i, ""
}

func hexDigit(b byte) (digit byte, ok bool) {
	switch l := lower(b); {
	case '0' <= b && b <= '9':
		return b - '0', true
	case 'a' <= l && l <= 'f':
		return l - 'a' + 10, true
	}
	return 0, false
}

// chunkExtension skips ASCII text; pos counts it.
func (c *parser) chunkExtension(p []byte, i int) (int, string) {
	for ; i < len(p); i++ {
		switch b := p[i]; {
		case b == '\r':
			c.state = afterChunkLine
			return i + 1, ""
		case b < ' ' && b != '\t', b > '~':
			return i, ReasonChunkLine
		case c.pos == maxExtension:
			return i, ReasonChunkLong
		}
		c.pos++
	}
	return i, ""
}
