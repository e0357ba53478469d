// Package judge decides whether the new side of a route serves its users as well as the old side.
//
// It is statistics only: no clock, no network, no disk. What both sides did goes in as Windows; a
// Verdict with its evidence comes out, and may be asked for after every request.
package judge

// Tally is what one side did in one span of time. Only first attempts count: a request that the
// fallback saved is still a failure of the side that was tried first.
type Tally struct {
	// Requests is the number of first attempts that ended in the span.
	Requests uint64
	// Failures is how many of them failed: no connection, a timeout, a broken response, or a 5xx status.
	Failures uint64
	// Latency holds the time to the last byte of the requests that did not fail.
	Latency Histogram
}

// Comparison is what comparing mirrored responses found in one span of time.
type Comparison struct {
	// Compared is the number of requests whose two responses were compared.
	Compared uint64
	// Different is how many of them differed after noise was taken out.
	Different uint64
	// Noisy is how many differed only where two answers of the old side differ from each other as well.
	Noisy uint64
}

// Pairs is what both sides did with the requests of which the new side got a copy, each counted once on
// both sides. While only copies go there it is these that are compared: the old side's other requests (a
// page that the browser has already, a form that is sent) are of another kind.
type Pairs struct{ Old, New Tally }

// Window is what both sides of one route did in the same span of time.
type Window struct {
	// Old and New are all first attempts of each side, copies included.
	Old, New Tally
	// Pairs are of the mirror stage.
	Pairs Pairs
	// Streak is the longest run of first attempts on the new side that failed one after the other
	// and that was still unbroken, or was broken, within the span. A run goes on over windows.
	Streak uint64
	Mirror Comparison
	// Fallbacks is the number of requests that the old side answered after the new side had failed them.
	Fallbacks uint64
}

// Reset empties the window for the next span and keeps its memory.
func (w *Window) Reset() {
	w.Old.Reset()
	w.New.Reset()
	w.Pairs.Old.Reset()
	w.Pairs.New.Reset()
	w.Streak, w.Fallbacks = 0, 0
	w.Mirror = Comparison{}
}

// Reset forgets all requests and keeps the memory.
func (t *Tally) Reset() {
	t.Requests, t.Failures = 0, 0
	t.Latency.Reset()
}

// Merge adds what from has counted: the windows of a stage, or the stages that are the reference of the
// last one.
func (t *Tally) Merge(from *Tally) { t.add(from) }

// add merges and returns what it has added, with at least as many requests as failures: a reader that
// comes between the two counts of one request sees more failures.
func (t *Tally) add(from *Tally) sums {
	requests := max(from.Requests, from.Failures)
	t.Requests = plus(t.Requests, requests)
	t.Failures = plus(t.Failures, from.Failures)
	t.Latency.Merge(&from.Latency)
	return sums{float64(requests), float64(from.Failures)}
}
