package judge

import "time"

// Class says of what kind an answer was that did not fail, as far as users complain about it. It is a set.
type Class uint16

// The kinds of answers that are judged. None of them is bad in itself: what the old side does is the
// measure. See Classes for their names.
const (
	Unauthorized Class = 1 << iota // 401
	Forbidden                      // 403
	NotFound                       // 404 or 410
	ClientError                    // any other 4xx
	Redirect                       // 3xx with a Location; not 304
	Login                          // a redirect to a path that looks like a login
	OtherHost                      // a redirect to another host than the request's
	Empty                          // 200 to GET with an empty body
	Form                           // 2xx to a method that changes something: the form again, where a redirect was due
	Left                           // the user went away before the answer was whole
)

// Answer is what one side did with one request.
type Answer struct {
	// Failed says that there was no connection, a timeout, a broken answer or a 5xx status. Then Class
	// holds nothing and First, Last and Size are -1.
	Failed bool
	Class  Class
	// First and Last are buckets of a Histogram: of the time until the response head had arrived, and of
	// the time until the last byte had, less the time in which the user was waited for. -1: not known, or
	// not comparable (an event stream has no last byte).
	First, Last int16
	// Size is the length in bytes of a whole 200 answer to GET that is a page (text/html) or JSON; -1 for
	// any other.
	Size int64
}

// Other is what the old side did with a request that the new side had failed.
type Other uint8

// The old side is asked where a second try is safe.
const (
	NotAsked  Other = iota
	Answered        // the old side answered, with less than 500
	FailedToo       // the old side failed it as well: whatever it was, both sides have it
	Overtaken       // the old side answered it at once while the new one was still silent (fallback.timeout)
)

// Event is the end of one first attempt of a user who was placed by a key. In the mirror stage there are
// none: nobody is placed.
type Event struct {
	// User is the key's place on the line from 0 to 2^64: the user is on the new side while it is below
	// the share.
	User uint64
	// Began is when the request began, in nanoseconds since some moment of the data plane's; 0: not known. Failures
	// of the new side are told later than those of the old one, so the order in which events come says something
	// of their side; the order in which requests began does not.
	Began int64
	// New says that the user was placed on the new side.
	New bool
	// Ahead says that it was a list that placed the user there, not the share. Such a user is no part of
	// the experiment and counts for the breaker only.
	Ahead bool
	// Changes says that the request has a method that changes something: POST and its like.
	Changes bool
	Answer
	// Other is set for failures of the new side. The event is told when it is known.
	Other Other
}

// Pair is what both sides did with the same request, which was chosen for it before either answered. In
// the mirror stage the old side answered the user and the new one got the copy; in later stages it is
// the other way round. A new side that failed is only Failed here if the old side answered
// when it was asked afterwards.
type Pair struct {
	User uint64
	// Copied says that the new side got the copy, as in the mirror stage: no Event tells of it.
	Copied   bool
	Old, New Answer
}

// Comparison is what comparing the two answers of a Pair found.
type Comparison struct {
	// Unit is a hash of the user and the path: however often a user reloads one page, it is one page.
	Unit uint64
	// Asset is a hash of the target of what is the same for every user: a stylesheet, a script, a picture; 0: it is a page.
	Asset uint64
	// Different says that the answers differed after noise was taken out, Noisy that they differed only
	// where two answers of the old side differ from each other as well.
	Different, Noisy bool
	// Checked says that the old side was asked a second time, whatever the first answers were, as long after its first answer
	// as that came after the new side's; Unsteady that those two answers differ where the new side's
	// does not. What changes on a page with time is as likely to show in either.
	Checked, Unsteady bool
	// Places are where only one of the two, the new side's answer and the old side's second one, differs from the old side's
	// first one, by their keys: which comes first must not depend on the side. Empty unless Checked.
	Places []Place
}

// Wait is a request whose response head has not arrived.
type Wait struct {
	User uint64
	New  bool
	Age  time.Duration
}

// Window is what both sides of one route did in the same span of time.
type Window struct {
	// Span is how long the window was; 0: not known.
	Span time.Duration
	// Old and New are all first attempts of each side, copies included: for charts and figures.
	Old, New Tally
	// Events are the ends of first attempts, in order. A data plane may bound their number; Missed are
	// those that found no room.
	Events []Event
	Missed uint64
	// Pairs and Compared are of requests that both sides were asked, in order.
	Pairs    []Pair
	Compared []Comparison
	// Counted are the Counts whose figures were asked for in the window.
	Counted []Counted
	// Waiting are requests under way for longer than a quarter of a second, oldest first. A data plane may
	// bound their number, of both sides together: a bound for each would tell less of the side with more users.
	Waiting []Wait
	// Fallbacks is the number of requests that the old side answered after the new side had failed them.
	Fallbacks uint64
}

// Reset empties the window for the next span and keeps its memory.
func (w *Window) Reset() {
	w.Span = 0
	w.Old.Reset()
	w.New.Reset()
	w.Events, w.Pairs, w.Compared, w.Waiting = w.Events[:0], w.Pairs[:0], w.Compared[:0], w.Waiting[:0]
	w.Counted = w.Counted[:0]
	w.Missed, w.Fallbacks = 0, 0
}

// Empty reports whether nothing was seen in the window.
func (w *Window) Empty() bool {
	return w.Old.Requests == 0 && w.New.Requests == 0 && w.Fallbacks == 0 &&
		len(w.Events) == 0 && len(w.Pairs) == 0 && len(w.Compared) == 0 && len(w.Waiting) == 0 && len(w.Counted) == 0
}
