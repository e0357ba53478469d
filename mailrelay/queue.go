package mailrelay

import (
	"container/heap"
	"container/list"
	"context"
	"sync"
	"time"

	"yadokari/mailrelay/spool"
	"yadokari/mailrelay/wire"
)

// item is one mail in the queue. Guarded by queue.mu; whoever took it from the queue (state busy) may
// read everything and change what is below "busy".
type item struct {
	id       uint64
	from     string
	domain   string // of the first recipient: what fairness goes by
	size     int64
	accepted time.Time
	state    state
	next     time.Time // when it is tried again, in state waiting
	place    int       // in the heap of those waiting
	age      *list.Element
	bounced  bool // a recipient has bounced

	// busy
	tries     int
	open      int    // recipients to be settled
	lastError string // guarded by queue.mu all the same: the list shows it

	entry    *spool.Entry   // in the spool, or
	envelope *wire.Envelope // in memory
	text     []byte
	settled  []bool
}

type state int

const (
	ready state = iota
	waiting
	busy
	gone
)

func (s state) String() string { return [...]string{"ready", "waiting", "busy", "gone"}[s] }

// queue is what waits for delivery, within bounds, and the counts.
type queue struct {
	limits Queue
	signal chan struct{} // has room for one: something may be ready
	alarm  chan struct{} // has room for one: the earliest time may have changed

	mu       sync.Mutex
	items    map[uint64]*item
	messages int // items, and places kept for mails on their way in
	bytes    int64
	bySender *rota
	byDomain *rota
	turn     bool
	readies  int
	waiting  waitHeap
	oldest   list.List // of *item, in the order of acceptance
	counts   Counts
	empty    chan struct{} // closed when the queue is empty; nil: nobody waits for that
}

func newQueue(limits Queue) *queue {
	sender := func(it *item) string { return it.from }
	domain := func(it *item) string { return it.domain }
	return &queue{
		limits: limits, signal: make(chan struct{}, 1), alarm: make(chan struct{}, 1), items: map[uint64]*item{},
		bySender: newRota(sender, domain), byDomain: newRota(domain, sender),
	}
}

func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// reserve keeps a place for a mail of the size. spare is room beyond the bounds, as a part of them.
func (q *queue) reserve(size int64, spare float64) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.reserveLocked(size, spare)
}

func (q *queue) reserveLocked(size int64, spare float64) bool {
	if !q.fits(size, spare) {
		return false
	}
	q.messages++
	q.bytes += size
	return true
}

// keep keeps a place for a mail of the size whatever the bounds.
func (q *queue) keep(size int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.messages++
	q.bytes += size
}

func (q *queue) fits(size int64, spare float64) bool {
	return q.messages+1 <= int(float64(q.limits.Messages)*(1+spare)) &&
		q.bytes+size <= int64(float64(q.limits.Bytes)*(1+spare))
}

// isFull tells whether not even a small mail has room.
func (q *queue) isFull() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return !q.fits(1<<10, 0)
}

// release gives back a place from reserve.
func (q *queue) release(size int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.messages--
	q.bytes -= size
}

// makeRoom keeps a place, and hands out the oldest mails that must go for it: they are the caller's to
// finish as dropped. It is false, and none goes, if even that is not enough: what is being delivered stays.
func (q *queue) makeRoom(size int64) (victims []*item, ok bool) {
	if size > int64(q.limits.Bytes) {
		return nil, false
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	messages, bytes := q.messages+1, q.bytes+size
	full := func() bool { return messages > q.limits.Messages || bytes > int64(q.limits.Bytes) }
	for el := q.oldest.Front(); full() && el != nil; el = el.Next() {
		if it := el.Value.(*item); it.state != busy {
			messages--
			bytes -= it.size
			victims = append(victims, it)
		}
	}
	if full() {
		return nil, false
	}
	for _, it := range victims {
		q.takeLocked(it)
		it.size = 0 // its place is given away
	}
	q.messages, q.bytes = messages, bytes
	return victims, true
}

// add puts a mail for which a place was kept into the queue. It is counted as come in by whoever
// calls, in the same step: see come.
func (q *queue) add(it *item, s state, come func(*Counts)) {
	q.mu.Lock()
	defer q.mu.Unlock()
	come(&q.counts)
	q.counts.Mails.Queued++
	q.counts.Recipients.Queued += int64(it.open)
	q.items[it.id] = it
	it.age = q.oldest.PushBack(it)
	it.state = s
	if s == ready {
		q.makeReady(it)
	}
}

func (q *queue) makeReady(it *item) {
	it.state = ready
	q.bySender.push(it)
	q.byDomain.push(it)
	q.readies++
	if q.bySender.size+q.byDomain.size > 3*q.readies+2048 {
		q.rebuild()
	}
	notify(q.signal)
}

// rebuild leaves out of the rotas what was taken from elsewhere: mails dropped or removed.
func (q *queue) rebuild() {
	q.bySender = newRota(q.bySender.first, q.bySender.second)
	q.byDomain = newRota(q.byDomain.first, q.byDomain.second)
	for el := q.oldest.Front(); el != nil; el = el.Next() {
		if it := el.Value.(*item); it.state == ready {
			q.bySender.push(it)
			q.byDomain.push(it)
		}
	}
}

// waitReady returns when a mail may be ready.
func (q *queue) waitReady(ctx context.Context) error {
	for {
		q.mu.Lock()
		n := q.readies
		q.mu.Unlock()
		if n > 1 {
			notify(q.signal) // for the others
		}
		if n > 0 {
			return ctx.Err()
		}
		select {
		case <-q.signal:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// pop takes the next mail that is ready, or returns nil. Half of the turns go round the senders and half
// round the domains, so that neither a busy sender nor a busy domain can hold up the rest.
func (q *queue) pop() *item {
	q.mu.Lock()
	defer q.mu.Unlock()
	r := q.bySender
	if q.turn = !q.turn; q.turn {
		r = q.byDomain
	}
	it := r.pop(func(it *item) bool { return it.state == ready })
	if it != nil {
		q.takeLocked(it)
	}
	return it
}

// take makes a mail busy, if it is not yet.
func (q *queue) take(id uint64) (it *item, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	it = q.items[id]
	if it == nil || it.state == busy {
		return it, false
	}
	q.takeLocked(it)
	return it, true
}

func (q *queue) takeLocked(it *item) {
	switch it.state {
	case ready:
		q.readies--
	case waiting:
		heap.Remove(&q.waiting, it.place)
	}
	it.state = busy
}

// postpone puts a busy mail back, to be tried again at a time.
func (q *queue) postpone(it *item, next time.Time, lastError string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	it.lastError = lastError
	if !next.After(time.Now()) {
		q.makeReady(it)
		return
	}
	it.state, it.next = waiting, next
	heap.Push(&q.waiting, it)
	notify(q.alarm)
}

// settle counts recipients of a busy mail.
func (q *queue) settle(it *item, e end, n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.settleLocked(it, e, n)
}

func (q *queue) settleLocked(it *item, e end, n int) {
	it.open -= n
	it.bounced = it.bounced || e == bounced && n > 0
	q.counts.Recipients.add(e, int64(n))
	q.counts.Recipients.Queued -= int64(n)
}

// finish takes a busy mail out of the queue, and what recipients are open with it.
func (q *queue) finish(it *item, e end) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.settleLocked(it, e, it.open)
	if it.bounced && e == delivered {
		e = bounced
	}
	q.counts.Mails.add(e, 1)
	q.counts.Mails.Queued--
	delete(q.items, it.id)
	q.oldest.Remove(it.age)
	it.state = gone
	it.envelope, it.text, it.settled, it.entry = nil, nil, nil, nil // a rota may know the item for a while yet
	if it.size > 0 {
		q.messages--
		q.bytes -= it.size
	}
	if len(q.items) == 0 && q.empty != nil {
		close(q.empty)
		q.empty = nil
	}
}

// count changes the counts.
func (q *queue) count(f func(*Counts)) {
	q.mu.Lock()
	defer q.mu.Unlock()
	f(&q.counts)
}

// snapshot is the counts at one instant.
func (q *queue) snapshot() Counts {
	q.mu.Lock()
	defer q.mu.Unlock()
	c := q.counts
	c.Messages, c.Bytes = int64(q.messages), q.bytes
	return c
}

// drained returns a channel that is closed when the queue is empty.
func (q *queue) drained() <-chan struct{} {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.empty == nil {
		q.empty = make(chan struct{})
	}
	c := q.empty
	if len(q.items) == 0 {
		close(c)
		q.empty = nil
	}
	return c
}
