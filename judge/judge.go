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
	// Latency holds the time to the server's last byte of the requests that did not fail.
	Latency Histogram
}

// Reset forgets all requests and keeps the memory.
func (t *Tally) Reset() {
	t.Requests, t.Failures = 0, 0
	t.Latency.Reset()
}

// Count adds one request with its answer.
func (t *Tally) Count(a *Answer) {
	t.Requests = plus(t.Requests, 1)
	switch {
	case a.Failed:
		t.Failures = plus(t.Failures, 1)
	case a.Last >= 0:
		t.Latency.Add(int(a.Last), 1)
	}
}

// Merge adds what from has counted: the windows of a stage, or the stages that are the reference of the
// last one. A reader that comes between the two counts of one request sees more failures than requests:
// they are read as so many requests.
func (t *Tally) Merge(from *Tally) {
	t.Requests = plus(t.Requests, max(from.Requests, from.Failures))
	t.Failures = plus(t.Failures, from.Failures)
	t.Latency.Merge(&from.Latency)
}
