package gateway

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"syscall"
	"time"
)

// clientBody is a request body as it comes from the client: each read has its own bound, and a
// waiting read can be ended.
type clientBody struct {
	source  io.Reader
	control *http.ResponseController
	idle    time.Duration
	h2      bool  // a bound that runs out ends the body, whether or not somebody reads
	left    int64 // bytes the limit still allows; negative: no limit
	rest    int64 // bytes still to come; negative: not known
	ended   bool  // read to its end
	failure error // of a read: there will be no more

	mu      sync.Mutex // a read may set its bound while another goroutine ends it
	unblock bool       // a waiting read was ended: the connection is of no more use
	whole   time.Time  // when the last of it had come; zero: not yet
}

var (
	errBodySize  = errors.New("the request body is larger than limits.body")
	errBodyEnded = errors.New("the rest of the request body is not wanted any more")
)

// Read reads from the client, waiting at most the idle time.
func (b *clientBody) Read(p []byte) (int, error) {
	if !b.begin() {
		return 0, errBodyEnded
	}
	n, err := b.source.Read(p)
	if b.left >= 0 && int64(n) > b.left {
		b.failure = errBodySize
		return 0, errBodySize
	}
	if b.left >= 0 {
		b.left -= int64(n)
	}
	if b.rest >= 0 {
		b.rest -= int64(n)
	}
	if errors.Is(err, io.EOF) || b.rest == 0 {
		b.ended = true
		b.arrived()
		b.lift() // net/http waits on the connection for the client to go away; that wait has no bound
	} else if err != nil {
		b.failure = err
	} else if b.h2 {
		b.lift() // it is the server that is waited for now
	}
	return n, err
}

// begin bounds the read that follows; false: it is not to begin at all.
func (b *clientBody) begin() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.unblock {
		return false
	}
	if b.idle > 0 {
		_ = b.control.SetReadDeadline(time.Now().Add(b.idle)) // not every test writer has deadlines
	}
	return true
}

// lift takes the bound of the last read away.
func (b *clientBody) lift() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.idle > 0 && !b.unblock {
		_ = b.control.SetReadDeadline(time.Time{}) // as above
	}
}

// arrived notes that all of the body is there.
func (b *clientBody) arrived() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.whole = time.Now()
}

// since is from when on the server may answer a request that began to be sent then: from when the body was there. early
// says that it is not there yet.
func (b *clientBody) since(began time.Time) (from time.Time, early bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.whole.IsZero() {
		return began, true
	}
	if b.whole.After(began) {
		return b.whole, false
	}
	return began, false
}

// end makes a waiting Read return, and any later one.
func (b *clientBody) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.unblock = true
	_ = b.control.SetReadDeadline(time.Unix(1, 0)) // fails only where there is no connection
}

// abandon leaves a body that has not ended to net/http, which reads some of it for the sake of the
// connection, and would wait for it without a bound. After a read that failed the bound is over.
func (b *clientBody) abandon() {
	if b.control != nil && b.idle > 0 && !b.ended && b.failure == nil && !b.unblock {
		_ = b.control.SetReadDeadline(time.Now().Add(b.idle)) // as above
	}
}

// refuseBody answers a client whose body could not be read. That says nothing about any side.
func (x *exchange) refuseBody(err error) {
	x.void = true
	switch {
	case errors.Is(err, errBodySize):
		x.fail(http.StatusRequestEntityTooLarge)
	case errors.Is(err, os.ErrDeadlineExceeded):
		x.fail(http.StatusRequestTimeout)
	case errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET):
		x.leave()
	default:
		x.fail(http.StatusBadRequest)
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
	x.body = clientBody{source: x.r.Body, control: http.NewResponseController(x.w), idle: limits.Idle, h2: x.r.ProtoMajor == 2, left: -1, rest: length}
	if limits.Body > 0 {
		x.body.left = int64(limits.Body)
	}
	if limits.Body > 0 && length > int64(limits.Body) {
		x.fail(http.StatusRequestEntityTooLarge)
		return false
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
// costs no time; one of unknown length, or one for which the client waits to be asked, is held only where
// it may have to be replayed: the sender may wait for an answer to its first part, and the server may
// want none of it.
func (x *exchange) holds(length int64) bool {
	if length > int64(x.table.config.Fallback.Request) {
		return false
	}
	return length > 0 && !x.request.Expect || (x.safety != unsafe && x.side == newSide)
}

// hold reads the body up to the limit of a replay; what is longer is streamed.
func (x *exchange) hold() bool {
	limit := int64(x.table.config.Fallback.Request)
	x.request.Expect = false // the client is asked by the reading
	held, err := io.ReadAll(io.LimitReader(&x.body, limit+1))
	switch {
	case err != nil:
		x.refuseBody(err)
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
