package gateway

import (
	"sync"
	"sync/atomic"
	"time"

	"yadokari/judge"
)

const (
	maxEvents  = 1 << 14                // kept from one collection to the next; 640 KiB
	maxPairs   = 1 << 12                // as well, and of comparisons
	maxWaiting = 128                    // told of both sides together
	longWait   = 250 * time.Millisecond // from which on a request without an answer is told
	firstPairs = 1000                   // requests of moved users of which the old side gets a copy without a draw
)

// evidence is what the requests of one placement tell the verdict, until it is collected. It ends with
// its placement: what has not been collected then says nothing of the stage that follows. A nil
// evidence, of a placement that leads nobody to the new side and mirrors nothing, keeps nothing.
type evidence struct {
	sampled atomic.Int64 // moved users' requests that were up for a copy to the old side

	mu       sync.Mutex
	events   []judge.Event
	pairs    []judge.Pair
	compared []judge.Comparison
	missed   uint64   // events that found no room
	waiting  [2]queue // by side
}

// tell keeps one event.
func (e *evidence) tell(event judge.Event) {
	if e == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.events) >= maxEvents {
		e.missed++
		return
	}
	e.events = append(e.events, event)
}

// pair keeps what both sides did with one request. Beyond the bound pairs are left out: copies are few.
func (e *evidence) pair(p judge.Pair) {
	if e == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.pairs) < maxPairs {
		e.pairs = append(e.pairs, p)
	}
}

// compare keeps what a comparison found.
func (e *evidence) compare(c judge.Comparison) {
	if e == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.compared) < maxPairs {
		e.compared = append(e.compared, c)
	}
}

// wait notes that a request waits for its response head.
func (e *evidence) wait(w *wait) {
	if e == nil {
		return
	}
	e.mu.Lock()
	e.waiting[w.side].push(w)
	e.mu.Unlock()
}

// served notes that it waits no longer.
func (e *evidence) served(w *wait) {
	if e == nil || !w.queued {
		return
	}
	e.mu.Lock()
	e.waiting[w.side].remove(w)
	e.mu.Unlock()
}

// handOver gives the place of one request among those that wait to another wait for the same.
func (e *evidence) handOver(from, to *wait) {
	if e == nil || !from.queued {
		return
	}
	e.mu.Lock()
	e.waiting[from.side].replace(from, to)
	e.mu.Unlock()
}

// collect adds what has been told since the last call, and who waits now.
func (e *evidence) collect(into *judge.Window) {
	if e == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	into.Events, e.events = hand(into.Events, e.events)
	into.Pairs, e.pairs = hand(into.Pairs, e.pairs)
	into.Compared, e.compared = hand(into.Compared, e.compared)
	into.Missed += e.missed
	e.missed = 0
	if e.waiting[oldSide].first == nil && e.waiting[newSide].first == nil {
		return
	}
	into.Waiting = longest(into.Waiting, e.waiting[oldSide].first, e.waiting[newSide].first, time.Now())
}

// hand gives what is gathered to the collector, and its empty memory in exchange: nothing is copied, and
// nobody allocates in the long run.
func hand[T any](into, gathered []T) (handed, left []T) {
	if len(into) == 0 {
		return gathered, into
	}
	return append(into, gathered...), gathered[:0]
}

// wait is one request that waits for its response head.
type wait struct {
	point      uint64
	side       side
	since      time.Time
	queued     bool // written and read by its request alone
	next, prev *wait
}

// queue is the requests that wait, in the order in which they began to.
type queue struct{ first, last *wait }

func (q *queue) push(w *wait) {
	w.queued, w.prev = true, q.last
	if q.last == nil {
		q.first = w
	} else {
		q.last.next = w
	}
	q.last = w
}

func (q *queue) remove(w *wait) {
	if w.prev == nil {
		q.first = w.next
	} else {
		w.prev.next = w.next
	}
	if w.next == nil {
		q.last = w.prev
	} else {
		w.next.prev = w.prev
	}
	w.queued, w.next, w.prev = false, nil, nil
}

// replace puts another in the place of w.
func (q *queue) replace(w, by *wait) {
	*by = *w
	if w.prev == nil {
		q.first = by
	} else {
		w.prev.next = by
	}
	if w.next == nil {
		q.last = by
	} else {
		w.next.prev = by
	}
	w.queued, w.next, w.prev = false, nil, nil
}

// longest adds those of both queues that have waited for long, the longest first. The bound is one for both:
// the side with more users must not have fewer of them told.
func longest(list []judge.Wait, a, b *wait, now time.Time) []judge.Wait {
	for range maxWaiting {
		w := a
		if w == nil || b != nil && b.since.Before(w.since) {
			w = b
		}
		if w == nil {
			break
		}
		age := now.Sub(w.since)
		if age < longWait {
			break
		}
		list = append(list, judge.Wait{User: w.point, New: w.side == newSide, Age: age})
		if w == a {
			a = a.next
		} else {
			b = b.next
		}
	}
	return list
}
