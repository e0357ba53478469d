package mirror

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"yadokari/judge"
)

// Side is one of the two places a copy can be sent to.
type Side int

// The sides: the old one is what the app was, the new one is on trial.
const (
	OldSide Side = iota
	NewSide
)

// other is the side that s is not.
func (s Side) other() Side { return NewSide - s }

// String is old or new.
func (s Side) String() string {
	if s == NewSide {
		return "new"
	}
	return "old"
}

// Request is a request without a body, as it is copied.
type Request struct {
	Method string      // GET, HEAD or OPTIONS
	Target string      // the origin-form request target: path and query
	Host   string      // the Host header
	Header http.Header // of the client, as far as it is passed on
	Extra  []byte      // more field lines that the first side was sent, each ended by CRLF
	First  Side        // the side that has answered the user; the copy goes to the other one
	Began  time.Time   // when the user's request began; zero: not known
	Of     any         // what the sender knows the request by; a Mirror does not look at it
}

// Response is one side's answer.
type Response struct {
	Status    int         // the HTTP status; 0: there was no answer, or half of one
	Header    http.Header // the response headers
	Body      []byte      // the body as sent, still encoded, or its first part
	Truncated bool        // whether Body is only the first part

	Answer judge.Answer  // what a verdict is told of it; a Mirror only hands it on
	Took   time.Duration // to the server's last byte
}

// failed tells whether the side could not answer.
func (r *Response) failed() bool { return r.Status == 0 || r.Status >= 500 }

// safe tells whether a request with this method may be sent a second time by a mirror.
func safe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// fit tells whether a primary response says something that a copy can be compared with. A failure
// does not; neither do answers to conditional and range requests, which depend on
// validators that the other side need not share.
func fit(p *Response) bool {
	switch p.Status {
	case http.StatusNotModified, http.StatusPartialContent, http.StatusPreconditionFailed,
		http.StatusRequestedRangeNotSatisfiable:
		return false
	}
	return p.Status >= 200 && p.Status < 500
}

// conditional are the request headers of RFC 9110, sections 13 and 14, that make an answer depend on
// what the client already has.
var conditional = []string{"If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range", "Range"}

// Conditional reports whether a request makes its answer depend on what the client already has.
func Conditional(h http.Header) bool {
	for _, name := range conditional {
		if len(h[name]) > 0 {
			return true
		}
	}
	return false
}

// forCopy is r as the copies are sent: unconditional, and in an encoding that can be compared.
func forCopy(r *Request) *Request {
	c := *r
	c.Header = r.Header.Clone()
	if c.Header == nil {
		c.Header = http.Header{}
	}
	for _, name := range conditional {
		c.Header.Del(name)
	}
	c.Header.Set("Accept-Encoding", "gzip")
	return &c
}

// errEncoding says that a body is in a content coding that cannot be undone here.
var errEncoding = errors.New("unknown content coding")

// decoded is r with its content coding undone, at most limit bytes of it. A body that breaks off, or
// decodes to more than limit, is Truncated; one that is no such coding at all is an error.
func decoded(r *Response, limit int64) (*Response, error) {
	coding := strings.ToLower(strings.TrimSpace(strings.Join(r.Header.Values("Content-Encoding"), ",")))
	if coding == "" || coding == "identity" || len(r.Body) == 0 {
		return r, nil
	}
	var from io.Reader
	var err error
	switch coding {
	case "gzip", "x-gzip":
		from, err = gzip.NewReader(bytes.NewReader(r.Body))
	case "deflate":
		from, err = zlib.NewReader(bytes.NewReader(r.Body))
	default:
		err = errEncoding
	}
	if err != nil {
		return nil, err
	}
	plain := *r
	plain.Body, err = io.ReadAll(io.LimitReader(from, limit+1))
	switch {
	case int64(len(plain.Body)) > limit:
		plain.Body, plain.Truncated = plain.Body[:limit], true
	case err != nil && r.Truncated:
		// what was cut off in transit ends early, as it must
	case err != nil:
		return nil, err
	}
	return &plain, nil
}
