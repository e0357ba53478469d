package gateway

import (
	"net/http"
	"time"

	"yadokari/gateway/upstream"
)

// turnAway answers a request over limits.inFlight. It says nothing of either side.
func (x *exchange) turnAway() {
	x.gateway.refused.Add(1)
	x.w.Header().Set("Retry-After", "1")
	if x.r.ContentLength != 0 { // net/http would wait for the body without a bound
		x.w.Header().Set("Connection", "close")
		_ = http.NewResponseController(x.w).SetReadDeadline(time.Now().Add(x.gateway.config.Limits.HeaderTime)) // as in clientBody
	}
	x.fail(http.StatusServiceUnavailable)
}

// refuse answers for a backend that did not.
func (x *exchange) refuse(f *upstream.Failure) {
	switch {
	case f.Outcome == upstream.Canceled && x.body.failure != nil: // net/http takes it for a user who has left
		x.refuseBody(x.body.failure)
	case f.Outcome == upstream.Canceled && x.r.Context().Err() != nil:
		x.leave()
	case f.Outcome == upstream.Canceled && x.uploading():
		x.void = true // limits.requestTime was too short for this client
		x.fail(http.StatusRequestTimeout)
	case f.Outcome == upstream.Canceled: // by limits.requestTime
		x.served.outcome = upstream.Timeout
		x.fail(http.StatusGatewayTimeout)
	case f.Outcome == upstream.Timeout:
		x.fail(http.StatusGatewayTimeout)
	default:
		x.fail(http.StatusBadGateway)
	}
}

// uploading reports whether the client has not sent its whole body yet.
func (x *exchange) uploading() bool { return x.body.control != nil && !x.body.ended }

// statusClientGone is what the log says of a request whose client went away, as NGINX does.
const statusClientGone = 499

// leave ends a request whose client is gone. Returning instead would have net/http answer 200, should
// anybody be there after all.
func (x *exchange) leave() {
	x.status = statusClientGone
	panic(http.ErrAbortHandler)
}

// fail answers with a status of the gateway's own.
func (x *exchange) fail(status int) {
	x.status = status
	if x.uploading() || x.body.unblock {
		x.w.Header().Set("Connection", "close") // the rest of the body is on its way
	}
	x.gateway.refuse(x.w, x.r, status)
}
