package framing

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"syscall"
)

// headSlop is what net/http adds to Server.MaxHeaderBytes (4096), and what it may hold in its buffer
// before it starts to count (4096). Beyond both its own answer, 431, comes first.
const headSlop = 8 << 10

// defaultMaxHead is http.DefaultMaxHeaderBytes.
const defaultMaxHead = 1 << 20

// poison is what net/http reads in place of the byte at fault. Whatever line has begun ends with it,
// and its second line has no colon, so no request head that contains it is well-formed.
const poison = "\x00\r\n\x00\r\n\r\n"

// Options say how strict a gate is and who hears of refusals.
type Options struct {
	// MaxHead is the largest request head, and the largest trailer section, in bytes; 0: 1 MiB. Give it
	// the value of http.Server.MaxHeaderBytes: the gate refuses heads only 8 KiB above it, so that
	// net/http's own answer, 431, comes first.
	MaxHead int
	// AllowH2C lets a connection that begins with the HTTP/2 preface (RFC 9113, section 3.4) through
	// unchecked. Without it the preface is a malformed request.
	AllowH2C bool
	// OnReject, if set, is called once for the connection that is refused, with one of the Reason
	// constants, from inside Read.
	OnReject func(reason string)
}

// Error is why a connection was refused.
type Error struct {
	// Reason is one of the Reason constants.
	Reason string
}

// Error names the reason.
func (e *Error) Error() string { return "request framing refused: " + e.Reason }

// Conn is a client's connection behind the gate. As with any net.Conn that net/http serves, only one
// Read may run at a time; everything else is safe for concurrent use as far as the inner connection is.
type Conn struct {
	net.Conn
	options Options
	parser  parser
	// refused is set once; poison holds what of the malformed line has not been read yet.
	refused error
	poison  string
}

var (
	_ net.Conn      = (*Conn)(nil)
	_ io.ReaderFrom = (*Conn)(nil)
	_ syscall.Conn  = (*Conn)(nil)
)

// NewConn puts c behind a gate. Nothing must have been read from c.
func NewConn(c net.Conn, o Options) *Conn {
	if o.MaxHead <= 0 {
		o.MaxHead = defaultMaxHead
	}
	conn := &Conn{Conn: c, options: o}
	conn.parser.init(o.MaxHead+headSlop, o.AllowH2C)
	return conn
}

// NetConn returns the connection below the gate, for use after a hijack.
func (c *Conn) NetConn() net.Conn { return c.Conn }

// Read reads from the client and passes on what the gate lets through. See the package comment for
// what it does with the rest.
func (c *Conn) Read(p []byte) (int, error) {
	for {
		if c.refused != nil {
			return c.readRefused(p)
		}
		n, err := c.Conn.Read(p)
		if n == 0 || c.parser.state == transparent {
			return n, err
		}
		passed, reason := c.parser.check(p[:n])
		if reason != "" {
			c.refuse(reason)
			err = nil // it comes after the refusal, where nobody reads
		}
		if passed > 0 || err != nil {
			return passed, err
		}
	}
}

func (c *Conn) readRefused(p []byte) (int, error) {
	if c.poison == "" {
		return 0, c.refused
	}
	n := copy(p, c.poison)
	c.poison = c.poison[n:]
	return n, nil
}

// refuse ends the connection. The error is a *net.OpError because net/http closes without an answer
// when reading a head fails with one, and by then its answer has been given.
func (c *Conn) refuse(reason string) {
	c.refused = &net.OpError{
		Op: "read", Net: "tcp", Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: &Error{Reason: reason},
	}
	if !c.parser.inBody() {
		c.poison = poison
	}
	if c.options.OnReject != nil {
		c.options.OnReject(reason)
	}
}

// ReadFrom writes what r yields to the client. It is there so that net/http still finds the inner
// connection's own ReadFrom (sendfile, splice).
func (c *Conn) ReadFrom(r io.Reader) (int64, error) {
	if to, ok := c.Conn.(io.ReaderFrom); ok {
		return to.ReadFrom(r)
	}
	return io.Copy(writerOnly{c.Conn}, r)
}

// writerOnly hides every other method of a connection from io.Copy.
type writerOnly struct{ io.Writer }

// CloseWrite ends the sending direction if the inner connection can. net/http needs it: without, the
// client may get a reset instead of the 400.
func (c *Conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// SyscallConn gives access to the inner connection's file descriptor; errors.ErrUnsupported when it
// has none. Reading through it goes past the gate.
func (c *Conn) SyscallConn() (syscall.RawConn, error) {
	if raw, ok := c.Conn.(syscall.Conn); ok {
		return raw.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}

// TLSConn is a Conn over TLS. net/http finds its ConnectionState and sets Request.TLS from it.
type TLSConn struct {
	*Conn
	tls *tls.Conn
}

// NewTLSConn puts c, whose handshake is complete and which did not negotiate HTTP/2, behind a gate.
func NewTLSConn(c *tls.Conn, o Options) *TLSConn {
	return &TLSConn{Conn: NewConn(c, o), tls: c}
}

// ConnectionState is the TLS connection's.
func (c *TLSConn) ConnectionState() tls.ConnectionState { return c.tls.ConnectionState() }
