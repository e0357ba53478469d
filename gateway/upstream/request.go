package upstream

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Request is one request as it goes to a server. Header is read, never changed, so that several
// attempts can share it.
type Request struct {
	Method string
	// Target is the request target in origin form (or *), written as it is.
	Target string
	// Host is the Host header. Empty: the server's own authority.
	Host string
	// Header holds the fields of the client. Fields that belong to one connection (RFC 9110, 7.6.1)
	// and those that Skip names are left out.
	Header http.Header
	// Skip reports whether a field, by its canonical name, is left out; nil: none.
	Skip func(name string) bool
	// Extra are more field lines, each ended by CRLF.
	Extra []byte
	// Upgrade is the protocol to change to; empty: none.
	Upgrade string

	// Length is the length of the body in bytes; -1: not known, sent in chunks.
	Length int64
	// Body is the body when Length is not 0. It is read once, while the response may already come.
	Body io.Reader
	// Unblock makes a read of Body that waits for the client return. It is called when the exchange
	// ends before the body does; demanded with Body.
	Unblock func()
	// Held is the whole body, already at hand, in place of Body.
	Held []byte
	// Trailer has the names of a chunked body's trailers, and their values once Body has been read to
	// its end; nil: none.
	Trailer http.Header
	// Expect waits for the server's 100 (Continue) before the body is sent.
	Expect bool

	// Response bounds the wait for the response head, from when the request has been sent; 0: the
	// backend's own.
	Response time.Duration
	// Patient says that the exchange is not over after a Response that is shorter than the backend's own, if the
	// request has been sent and not one byte has come: the Failure then has it as Pending. A server that has begun to
	// answer has the backend's own time. Not for a request with a Body.
	Patient bool
	// Interim receives 1xx responses other than 100 and 101; nil: they are dropped.
	Interim func(status int, h http.Header)
	// Replayable says that the request may be sent again when a connection that was idle turns out
	// to be closed.
	Replayable bool

	// beyond says that the request needs no free connection: a server with as much to do as it may have is
	// not unhealthy for that.
	beyond bool
}

var errTarget = errors.New("the request target holds a space or a control character")

// ValidTarget reports whether target can stand in a request line. HTTP/2 lets through what would end
// the line, or the target, early.
func ValidTarget(target string) bool {
	for i := 0; i < len(target); i++ {
		if target[i] <= ' ' || target[i] == 0x7f {
			return false
		}
	}
	return true
}

// AppendHead writes the request line and the header section, its empty line included. The authority
// stands in for an empty Host.
func (r *Request) AppendHead(b []byte, authority string) ([]byte, error) {
	if !ValidTarget(r.Target) {
		return b, errTarget
	}
	b = append(b, r.Method...)
	b = append(b, ' ')
	b = append(b, r.Target...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	if r.Host != "" {
		authority = r.Host
	}
	b = append(b, authority...)
	b = append(b, "\r\n"...)
	listed := listedIn(r.Header)
	for name, values := range r.Header {
		if hopByHop(name) || (r.Skip != nil && r.Skip(name)) || (len(listed) > 0 && Names(listed, name)) {
			continue
		}
		for _, v := range values {
			b = append(b, name...)
			b = append(b, ": "...)
			b = append(b, v...)
			b = append(b, "\r\n"...)
		}
	}
	b = append(b, r.Extra...)
	return append(r.appendFraming(b), "\r\n"...), nil
}

// appendFraming writes what says where the body ends and what the connection turns into.
func (r *Request) appendFraming(b []byte) []byte {
	switch {
	case r.Length < 0:
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	case r.Length > 0 || r.Method == http.MethodPost || r.Method == http.MethodPut || r.Method == http.MethodPatch:
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, r.Length, 10)
		b = append(b, "\r\n"...)
	}
	if r.Expect && r.Length != 0 {
		b = append(b, "Expect: 100-continue\r\n"...)
	}
	if r.Length < 0 {
		for name := range r.Trailer {
			b = append(append(append(b, "Trailer: "...), name...), "\r\n"...)
		}
	}
	if r.Upgrade != "" {
		b = append(b, "Connection: Upgrade\r\nUpgrade: "...)
		b = append(b, r.Upgrade...)
		b = append(b, "\r\n"...)
	}
	return b
}

// hopByHop reports fields that the gateway writes itself or that end at each connection. RFC 9110,
// section 7.6.1, and Host and Content-Length, which follow from the Request.
func hopByHop(name string) bool {
	switch name {
	case "Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authorization", "Te", "Trailer",
		"Transfer-Encoding", "Upgrade", "Http2-Settings", "Host", "Content-Length", "Expect":
		return true
	}
	return false
}

// listedIn is the Connection header if it names other fields. Nearly all say keep-alive or close, which
// name none.
func listedIn(h http.Header) []string {
	listed := h["Connection"]
	if len(listed) == 1 && (strings.EqualFold(listed[0], "keep-alive") || strings.EqualFold(listed[0], "close")) {
		return nil
	}
	return listed
}

// Names reports whether a Connection header names the field (in its canonical form).
func Names(connection []string, field string) bool {
	for _, value := range connection {
		for start := 0; start <= len(value); {
			end := start
			for end < len(value) && value[end] != ',' {
				end++
			}
			if http.CanonicalHeaderKey(trim(value[start:end])) == field {
				return true
			}
			start = end + 1
		}
	}
	return false
}

func trim(s string) string {
	for len(s) > 0 && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for len(s) > 0 && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}

// StripHopByHop removes from a response header the fields that end at the connection to the server.
func StripHopByHop(h http.Header) {
	if listed := listedIn(h); len(listed) > 0 {
		for name := range h {
			if Names(listed, name) {
				delete(h, name)
			}
		}
	}
	for _, name := range [...]string{"Connection", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade"} {
		delete(h, name)
	}
}
