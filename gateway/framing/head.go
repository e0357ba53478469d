package framing

const (
	prefaceTail = "HTTP/2.0\r\n\r\nSM\r\n\r\n" // RFC 9113, section 3.4, after "PRI * "
	version     = "HTTP/1."
)

// head follows a request's head or trailers until it ends or p does. It returns the index it came to:
// of the byte at fault, if there is a reason.
func (c *parser) head(p []byte, i int) (int, string) {
	reason := ""
	for i < len(p) && reason == "" {
		switch c.state {
		case inName:
			i, reason = c.name(p, i)
		case inValue:
			i, reason = c.value(p, i)
		case afterLine:
			if p[i] != '\n' {
				return i, ReasonLineEnd
			}
			c.state = atField
			i++
		case atField:
			if i = skipFields(p, i); i < len(p) {
				i, reason = c.startField(p, i)
			}
		case afterHead:
			if p[i] != '\n' {
				return i, ReasonLineEnd
			}
			if reason = c.endHead(); reason == "" {
				return i + 1, ""
			}
		case transparent:
			return i, ""
		default:
			i, reason = c.requestLine(p, i)
		}
	}
	return i, reason
}

// requestLine follows one step of METHOD SP TARGET SP VERSION CR.
func (c *parser) requestLine(p []byte, i int) (int, string) {
	switch c.state {
	case atStart:
		if b := p[i]; classes[b]&isToken == 0 {
			if b == ' ' || b == '\t' || b == '\r' || b == '\n' {
				return i, ReasonBlankStart
			}
			return i, ReasonMethod
		}
		c.state, c.wordLen = inMethod, 0
	case inMethod:
		return c.method(p, i)
	case atTarget:
		return c.startTarget(p, i)
	case inPath:
		i = span(p, i, isTarget)
		if i < len(p) {
			return c.endTarget(p, i)
		}
	case inScheme:
		return c.scheme(p, i)
	case inAuthority:
		return c.host(p, i)
	case afterStar:
		return c.endTarget(p, i)
	case inVersion:
		return c.version(p, i)
	case inPreface:
		if p[i] != prefaceTail[c.pos] {
			return i, ReasonPreface
		}
		if c.pos++; c.pos == len(prefaceTail) {
			c.state = transparent
		}
		return i + 1, ""
	}
	return i, ""
}

func (c *parser) method(p []byte, i int) (int, string) {
	end := span(p, i, isToken)
	word := c.take(p[i:end], end == len(p))
	if end == len(p) {
		return end, ""
	}
	if p[end] != ' ' {
		return end, ReasonMethod
	}
	switch string(word) {
	case "CONNECT":
		return end, ReasonConnect
	case "OPTIONS":
		c.has |= isOptions
	case "PRI":
		c.has |= isPRI
	}
	c.state = atTarget
	return end + 1, ""
}

// take returns a word of which part is the last piece, or keeps part when there is more to come.
func (c *parser) take(part []byte, more bool) []byte {
	if c.wordLen == 0 && !more {
		return part
	}
	c.wordLen += uint8(copy(c.word[c.wordLen:], part))
	return c.word[:c.wordLen]
}

func (c *parser) startTarget(p []byte, i int) (int, string) {
	switch b := p[i]; {
	case b == '/':
		c.state = inPath
	case b == '*' && (c.has&isOptions != 0 || c.has&isPRI != 0 && c.h2c && !c.started):
		c.state = afterStar
	case lower(b) == 'h':
		c.state, c.wordLen = inScheme, 0
		return i, ""
	default:
		return i, ReasonTarget
	}
	return i + 1, ""
}

// scheme reads http:// or https://, which the word grows to letter by letter.
func (c *parser) scheme(p []byte, i int) (int, string) {
	const plain, secure = "http://", "https://"
	c.word[c.wordLen] = lower(p[i])
	c.wordLen++
	word := string(c.word[:c.wordLen])
	switch n := len(word); {
	case word == plain || word == secure:
		c.state, c.authority = inAuthority, c.authority[:0]
		c.has |= isAbsolute
	case n < len(plain) && word == plain[:n], n < len(secure) && word == secure[:n]:
	default:
		return i, ReasonTarget
	}
	return i + 1, ""
}

// host reads absolute-form's authority. User names are refused: they deceive, and RFC 9110, section
// 4.2.4, has recipients treat them as an error.
func (c *parser) host(p []byte, i int) (int, string) {
	end := span(p, i, isHost)
	if room := maxAuthority - len(c.authority); end-i > room {
		return i + room, ReasonTarget
	}
	for _, b := range p[i:end] {
		c.authority = append(c.authority, lower(b))
	}
	switch {
	case end == len(p):
		return end, ""
	case len(c.authority) == 0:
		return end, ReasonTarget
	case p[end] == '/' || p[end] == '?':
		c.state = inPath
		return end + 1, ""
	}
	return c.endTarget(p, end)
}

// endTarget expects the one space between target and version.
func (c *parser) endTarget(p []byte, i int) (int, string) {
	switch p[i] {
	case ' ':
		c.state, c.pos = inVersion, 0
		if c.has&isPRI != 0 && c.h2c && !c.started {
			c.state = inPreface
		}
		return i + 1, ""
	case '\r':
		return i, ReasonVersion // HTTP/0.9
	case '\n':
		return i, ReasonLineEnd
	}
	return i, ReasonTarget
}

// version reads HTTP/1.0 or HTTP/1.1 and the CR of the request line.
func (c *parser) version(p []byte, i int) (int, string) {
	const whole = len(version) + len("1\r\n")
	if c.pos == 0 && len(p)-i >= whole {
		if last := p[i+len(version)]; string(p[i:i+len(version)]) == version &&
			(last == '0' || last == '1') && string(p[i+whole-2:i+whole]) == "\r\n" {
			c.state, c.started, c.minor = atField, true, last
			return i + whole, ""
		}
	}
	b := p[i]
	switch {
	case c.pos < len(version):
		if b != version[c.pos] {
			return i, ReasonVersion
		}
	case c.pos == len(version):
		if b != '0' && b != '1' {
			return i, ReasonVersion
		}
		c.minor = b
	case b == '\n':
		return i, ReasonLineEnd
	case b != '\r':
		return i, ReasonVersion
	default:
		c.state, c.started = afterLine, true
	}
	c.pos++
	return i + 1, ""
}
