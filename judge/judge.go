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

// Window is what both sides of one route did in the same span of time.
type Window struct {
	Old, New Tally
	// Streak is the longest run of first attempts on the new side that failed one after the other
	// and that was still unbroken, or was broken, within the span. A run goes on over windows.
	Streak uint64
	Mirror Comparison
	// Fallbacks is the number of requests that the old side answered after the new side had failed them.
	Fallbacks uint64
}
