package mailrelay

import (
	"container/heap"
	"context"
	"time"
)

// waitHeap is the mails in state waiting, the one that is due first at the top.
type waitHeap []*item

func (h waitHeap) Len() int           { return len(h) }
func (h waitHeap) Less(i, j int) bool { return h[i].next.Before(h[j].next) }
func (h waitHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}

// Push implements heap.Interface.
func (h *waitHeap) Push(x any) {
	it := x.(*item)
	it.place = len(*h)
	*h = append(*h, it)
}

// Pop implements heap.Interface.
func (h *waitHeap) Pop() any {
	old := *h
	it := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return it
}

// watch makes mails ready when their time has come, until ctx ends.
func (q *queue) watch(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		timer.Reset(q.due(time.Now()))
		select {
		case <-timer.C:
		case <-q.alarm:
		case <-ctx.Done():
			return
		}
	}
}

// due makes ready what is due and tells how long until there is more.
func (q *queue) due(now time.Time) time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.waiting) > 0 {
		if wait := q.waiting[0].next.Sub(now); wait > 0 {
			return wait
		}
		q.makeReady(heap.Pop(&q.waiting).(*item))
	}
	return time.Hour
}

// flush makes a mail ready now, or every mail that waits; it tells how many.
func (q *queue) flush(id uint64, all bool) (n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if all {
		for len(q.waiting) > 0 {
			q.makeReady(heap.Pop(&q.waiting).(*item))
			n++
		}
		return n
	}
	if it := q.items[id]; it != nil && it.state == waiting {
		heap.Remove(&q.waiting, it.place)
		q.makeReady(it)
		n++
	}
	return n
}

// takeOlder makes busy and returns the mails accepted before a time that are not busy yet.
func (q *queue) takeOlder(than time.Time) (old []*item) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for el := q.oldest.Front(); el != nil; el = el.Next() {
		if it := el.Value.(*item); it.state != busy && it.accepted.Before(than) {
			q.takeLocked(it)
			old = append(old, it)
		}
	}
	return old
}

// takeAll makes every mail busy and returns them, the oldest first. No delivery may be under way.
func (q *queue) takeAll() (all []*item) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for el := q.oldest.Front(); el != nil; el = el.Next() {
		it := el.Value.(*item)
		if it.state != busy {
			q.takeLocked(it)
		}
		all = append(all, it)
	}
	return all
}
