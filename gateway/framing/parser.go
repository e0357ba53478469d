package framing

// state is what the next byte is part of.
type state uint8

const (
	atStart          state = iota // the first byte of a request
	atStartLF                     // after the CR of the one empty line that is left out
	inMethod                      // the method and the space after it
	atTarget                      // the first byte of the target
	inPath                        // origin-form, or the rest of absolute-form
	inScheme                      // http:// or https://
	inAuthority                   // absolute-form's host and port
	afterStar                     // asterisk-form's one byte is over
	inVersion                     // HTTP/1.x and the CR of the request line
	afterLine                     // the CR of the request line or of a field line is over
	atField                       // the first byte of a field line
	inName                        // a field name and its colon
	inValue                       // a field value and the CR of its line
	afterHead                     // the CR of the empty line is over
	inPreface                     // the HTTP/2 preface from its version on
	inChunkSize                   // hexadecimal digits; from here on, bodies
	inChunkExtension              // what follows a semicolon in a chunk size line
	afterChunkLine                // the CR of a chunk size line is over
	inData                        // a body with a length, or a chunk's data
	afterData                     // a chunk's data is over: CR
	afterDataCR                   // LF
	transparent                   // nothing is checked any more
)

// What a request has had so far.
const (
	hasLength = 1 << iota
	hasCoding
	hasHost
	hasUpgrade
	isOptions
	isPRI
	isAbsolute // the target is in absolute-form; parser.authority holds its host
	isTrailer  // the fields are trailers
)

// field is a field name that framing depends on.
type field uint8

const (
	otherField field = iota
	lengthField
	codingField
	hostField
)

const (
	wordSize      = 18  // one more than the longest word that matters, Transfer-Encoding
	maxAuthority  = 261 // a DNS name of 255 bytes, colon, port
	maxExtension  = 512 // bytes of chunk extensions in one line; nobody is known to use any
	maxSizeDigits = 15  // of a chunk size: fits int64
	maxLenDigits  = 19  // of a Content-Length, leading zeros included
)

// parser follows a stream of requests. It sees every byte once, in pieces of any size, and what it
// decides depends on the bytes alone, never on the pieces.
type parser struct {
	state    state
	has      uint8
	field    field
	minor    byte // of the HTTP version, '0' or '1'
	h2c      bool
	started  bool // a request has begun on this connection
	lenient  bool // an empty line may stand before the next request
	chunked  bool
	wordLen  uint8
	word     [wordSize]byte // the beginning of a method or name that is split between two pieces
	pos      int            // how far the text at hand has been seen: version, value, extension
	maxHead  int
	budget   int   // bytes the head at hand may still have
	left     int64 // bytes of the body or chunk still to come; while a size is read, the size
	hostSeen int   // bytes of Host that agreed with authority

	authority []byte
}

func (c *parser) init(maxHead int, h2c bool) {
	c.maxHead, c.budget, c.h2c = maxHead, maxHead, h2c
}

// inBody reports whether the head of the request at hand has been passed on whole.
func (c *parser) inBody() bool {
	return c.state >= inChunkSize || c.has&isTrailer != 0
}

// check follows p, and returns how many of its bytes may be passed on and, if that is not all of
// them, why not. The empty line that is left out is removed from p, so the rest moves up.
func (c *parser) check(p []byte) (passed int, reason string) {
	i := 0
	for i < len(p) && reason == "" {
		switch {
		case c.state == transparent:
			return len(p), ""
		case c.state == inData:
			i = c.data(p, i)
		case c.state >= inChunkSize:
			i, reason = c.chunk(p, i)
		case c.state == atStartLF && p[i] != '\n':
			reason = ReasonBlankStart
		case c.state == atStartLF, c.state == atStart && c.lenient && p[i] == '\r':
			p = append(p[:i], p[i+1:]...)
			c.lenient = c.state == atStart
			c.state = atStartLF - c.state // to atStartLF and back
		default:
			end := min(len(p), i+c.budget)
			if end == i {
				return i, ReasonHeadSize
			}
			at := i
			i, reason = c.head(p[:end], i)
			c.spend(i - at)
		}
	}
	return i, reason
}

// data skips the bytes of a body or chunk.
func (c *parser) data(p []byte, i int) int {
	n := min(int64(len(p)-i), c.left)
	c.left -= n
	if c.left == 0 {
		if c.chunked {
			c.state = afterData
		} else {
			c.endRequest()
		}
	}
	return i + int(n)
}

// spend counts n bytes against the head, unless they completed it.
func (c *parser) spend(n int) {
	if c.state > atStart && c.state < inChunkSize && c.state != atStartLF {
		c.budget -= n
	}
}

// endHead decides, at the LF of the empty line, what follows the head.
func (c *parser) endHead() (reason string) {
	switch {
	case c.has&isTrailer != 0:
		c.endRequest()
		return ""
	case c.has&hasHost == 0 && c.minor == '1':
		return ReasonHostMissing
	case c.has&hasLength != 0 && c.has&hasCoding != 0:
		return ReasonLengthCoding
	}
	c.chunked = c.has&hasCoding != 0
	c.lenient = true
	switch {
	case c.chunked:
		c.state, c.left, c.pos = inChunkSize, 0, 0
	case c.left > 0:
		c.state = inData
	default:
		c.endRequest()
		c.lenient = false
	}
	return ""
}

// endRequest makes ready for the next request. Old clients send an empty line after a body that they
// did not count (RFC 9112, section 2.2): one such line is left out. Nothing else is forgiven.
func (c *parser) endRequest() {
	c.state = atStart
	if c.has&hasUpgrade != 0 {
		c.state = transparent
	}
	c.has, c.left, c.budget = 0, 0, c.maxHead
}
