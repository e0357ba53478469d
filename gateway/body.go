package gateway

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"time"
)

// clientBody is a request body as it comes from the client: each read has its own bound, and a
// waiting read can be ended.
type clientBody struct {
	source   io.Reader
	control  *http.ResponseController
	idle     time.Duration
	left     int64 // bytes the limit still allows; negative: no limit
	ended    bool  // read to its end
	unblock  bool  // a waiting read was ended: the connection is of no more use
	exceeded bool
}

var errBodySize = errors.New("the request body is larger than limits.body")

// Read reads from the client, waiting at most the idle time.
func (b *clientBody) Read(p []byte) (int, error) {
	if b.idle > 0 {
		_ = b.control.SetReadDeadline(time.Now().Add(b.idle)) // not every test writer has deadlines
	}
	n, err := b.source.Read(p)
	if b.left >= 0 && int64(n) > b.left {
		b.exceeded = true
		return 0, errBodySize
	}
	if b.left >= 0 {
		b.left -= int64(n)
	}
	if errors.Is(err, io.EOF) {
		b.ended = true
		b.done() // net/http waits on the connection for the client to go away; that wait has no bound
	}
	return n, err
}

// end makes a waiting Read return.
func (b *clientBody) end() {
	b.unblock = true
	_ = b.control.SetReadDeadline(time.Unix(1, 0)) // fails only where there is no connection
}

// done lifts the bound of the last read.
func (b *clientBody) done() {
	if b.control != nil && b.idle > 0 && !b.unblock {
		_ = b.control.SetReadDeadline(time.Time{}) // as above
	}
}

// bodyAtHand reports whether the request could be sent a second time.
func (x *exchange) bodyAtHand() bool { return x.request.Body == nil }

// takeBody decides how the request body travels: held (small ones, and those that may have to be
// replayed) or streamed. It answers and returns false when the body is refused.
func (x *exchange) takeBody() bool {
	length, limits := x.r.ContentLength, &x.table.config.Limits
	if length == 0 {
		return true
	}
	if limits.Body > 0 && length > int64(limits.Body) {
		x.fail(http.StatusRequestEntityTooLarge)
		return false
	}
	x.body = clientBody{source: x.r.Body, control: http.NewResponseController(x.w), idle: limits.Idle, left: -1}
	if limits.Body > 0 {
		x.body.left = int64(limits.Body)
	}
	x.request.Length = length
	x.request.Expect = x.r.Header.Get("Expect") != ""
	if x.holds(length) {
		return x.hold()
	}
	x.stream(&x.body)
	return true
}

// holds reports whether the body is read before the request is sent. A body of known small length
// costs no time; one of unknown length is held only where it may have to be replayed, since its
// sender may wait for an answer to its first part.
func (x *exchange) holds(length int64) bool {
	if x.request.Expect || length > int64(x.table.config.Fallback.Request) {
		return false
	}
	return length > 0 || (x.safety != unsafe && x.side == newSide)
}

// hold reads the body up to the limit of a replay; what is longer is streamed.
func (x *exchange) hold() bool {
	limit := int64(x.table.config.Fallback.Request)
	held, err := io.ReadAll(io.LimitReader(&x.body, limit+1))
	switch {
	case errors.Is(err, errBodySize):
		x.fail(http.StatusRequestEntityTooLarge)
		return false
	case err != nil:
		if errors.Is(err, os.ErrDeadlineExceeded) {
			x.fail(http.StatusRequestTimeout)
		} else {
			x.fail(http.StatusBadRequest)
		}
		return false
	case int64(len(held)) > limit:
		x.stream(io.MultiReader(bytes.NewReader(held), &x.body))
		return true
	}
	x.request.Held = held
	if x.request.Length < 0 && len(x.r.Trailer) > 0 {
		x.stream(bytes.NewReader(held)) // trailers need chunks
		return true
	}
	x.request.Length = int64(len(held))
	return true
}

// stream sends the body on as it comes.
func (x *exchange) stream(body io.Reader) {
	x.request.Body, x.request.Held = body, nil
	x.request.Unblock = x.body.end
	if x.r.ContentLength < 0 && len(x.r.Trailer) > 0 {
		x.request.Trailer = x.r.Trailer
	}
	_ = http.NewResponseController(x.w).EnableFullDuplex() // HTTP/2 is so already
}
