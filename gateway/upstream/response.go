package upstream

import (
	"io"
	"net"
	"net/http"
)

// Response is a response whose head has been read. Its body comes from the connection as it is read.
type Response struct {
	*http.Response
	conn   *conn
	sender *sender // of a request body that was sent at the same time; nil: none
	ended  bool    // the body has been read to its end
}

// Read reads the body. A silence longer than the backend's Idle, or a broken connection, is an error.
func (r *Response) Read(p []byte) (int, error) {
	r.conn.await(r.conn.host.transport.cfg.Idle)
	n, err := r.Body.Read(p)
	switch err {
	case nil:
		r.conn.await(0) // until the next Read it is the user who is waited for
	case io.EOF:
		r.ended = true
	default:
		if cause := r.conn.cause(); cause != nil {
			err = cause
		}
	}
	return n, err
}

// Pausing reports whether what was read should go on now, because more has yet to come from the server.
// A chunk may be torn before its last byte, the LF; the CR that is left over then is nothing to wait
// for.
func (r *Response) Pausing() bool { return r.conn.br.Buffered() <= 1 }

// Buffered is how many bytes can be read without waiting for the server, framing included.
func (r *Response) Buffered() int { return r.conn.br.Buffered() }

// Sending reports whether the request body is still on its way from the client: the server answered early.
func (r *Response) Sending() bool {
	return r.sender != nil && r.sender.request.Held == nil && !r.sender.whole.Load()
}

// Close gives the connection back. A body that was not read to its end costs the connection. When
// the request body is still on its way, Close ends that first.
func (r *Response) Close() {
	if r.conn == nil {
		return
	}
	if !r.ended && r.ContentLength >= 0 && r.ContentLength <= int64(r.Buffered()) {
		_, _ = io.Copy(io.Discard, r) // all of it is here: a storm of small errors need not cost connections
	}
	reusable := r.ended || r.Body == http.NoBody
	if r.sender != nil {
		if !r.sender.whole.Load() {
			reusable = false
			r.sender.stop()
		} else {
			<-r.sender.ended
		}
	}
	r.conn.host.release(r.conn, reusable && !r.Response.Close)
	r.conn = nil
}

// Hijack takes over the connection after a 101 response: what was read ahead, and the connection.
// The connection stays within the bounds of its host until release is called.
func (r *Response) Hijack() (ahead []byte, c net.Conn, release func()) {
	used := r.conn
	r.conn = nil
	ahead, _ = used.br.Peek(used.br.Buffered())
	used.await(0)
	return ahead, used.Conn, func() { used.host.release(used, false) }
}
