package upstream

import (
	"errors"
	"fmt"
)

// Outcome is how one attempt at one server ended, as the verdict and the access log name it.
type Outcome uint8

// The outcomes of an attempt. Status tells nothing of its kind: an attempt that was answered is OK here.
const (
	OK           Outcome = iota // a response head arrived, and the body if it was read
	NoConnection                // no connection could be made, and nothing was sent
	Timeout                     // the server was silent for too long
	Broken                      // the connection broke, or what came was not HTTP
	Canceled                    // the client went away, or the gateway is stopping
	Open                        // not known yet: the server is still waited for
)

var outcomeNames = [...]string{"ok", "no connection", "timeout", "broken", "canceled", "pending"}

// String is the outcome in words.
func (o Outcome) String() string { return outcomeNames[o] }

// Failure is an attempt that ended without a whole response.
type Failure struct {
	Outcome Outcome
	// Sent says that at least one byte of the request may have reached the server.
	Sent bool
	Err  error
	// Pending is the exchange when only its first wait is over: the outcome, a Timeout, may still change. It
	// must be ended. Nil: the exchange is over.
	Pending *Pending

	silent bool // not one byte of a response came
}

// Error names the outcome and its cause.
func (f *Failure) Error() string { return fmt.Sprintf("%s: %v", f.Outcome, f.Err) }

// Unwrap gives the cause.
func (f *Failure) Unwrap() error { return f.Err }

// Causes of a failure that no system call reports.
var (
	// ErrSilent is the cause of a Timeout.
	ErrSilent = errors.New("the server was silent for too long")
	// ErrBody is among the causes of a Canceled failure, or of an error of Response.Read, when the
	// request body could not be read to its end. It says nothing about the server.
	ErrBody = errors.New("the request body could not be read")
	// ErrBusy is the cause of a NoConnection when as many connections to the server as may be were in use
	// for the time that connecting may take. It says nothing of whether the server can be reached.
	ErrBusy      = errors.New("every connection to the server is in use")
	errClosed    = errors.New("the server was removed")
	errHeadSize  = errors.New("the response head is too large")
	errMalformed = errors.New("the response is not HTTP/1.1")
)
