package gateway

import (
	"net/http"

	"yadokari/gateway/upstream"
)

// safety is what a method promises, and with it when a failed request may be sent again. RFC 9110,
// section 9.2, and RFC 4918 for PROPFIND, RFC 3253 for REPORT, RFC 5323 for SEARCH. Methods that the
// registry calls idempotent but that answer a repetition with an error (MOVE, MKCOL, LOCK …) are not.
type safety uint8

const (
	unsafe     safety = iota // only when nothing was sent
	idempotent               // also when no whole answer came, or one that says the server was not reached
	safe                     // also in place of any 5xx
)

func safetyOf(method string) safety {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return safe
	case http.MethodPut, http.MethodDelete, http.MethodTrace, "PROPFIND", "REPORT", "SEARCH":
		return idempotent
	}
	return unsafe
}

// mayFollow reports whether the old side may be asked after the new one failed without an answer.
// bodyAtHand says that the whole body can be sent again.
func (s safety) mayFollow(f *upstream.Failure, bodyAtHand bool) bool {
	if f.Outcome == upstream.Canceled {
		return false
	}
	return !f.Sent || (s != unsafe && bodyAtHand)
}

// mayReplace reports whether an answer of the new side may be replaced by one of the old side.
func (s safety) mayReplace(status int, bodyAtHand bool) bool {
	if !bodyAtHand || status < 500 {
		return false
	}
	switch s {
	case safe:
		return true
	case idempotent:
		return status == http.StatusBadGateway || status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout
	}
	return false
}
