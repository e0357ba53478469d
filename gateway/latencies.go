package gateway

import (
	"sync/atomic"

	"yadokari/judge"
)

// latencies counts in the buckets of a judge.Histogram. One side of one route uses few of them, all near
// each other, and there may be ten thousand routes: so they are had in pieces, at the first use of each.
// Its methods are safe for concurrent use.
type latencies [pieces]atomic.Pointer[piece]

type piece [pieceSize]atomic.Uint32

const (
	pieces    = 12
	pieceSize = judge.Buckets / pieces
)

var _ [0]struct{} = [judge.Buckets % pieces]struct{}{} // it divides: no bucket is without a place

// add counts one latency.
func (l *latencies) add(bucket int) {
	at := &l[bucket/pieceSize]
	p := at.Load()
	if p == nil {
		at.CompareAndSwap(nil, new(piece))
		p = at.Load()
	}
	p[bucket%pieceSize].Add(1)
}

// each calls f with every bucket in use; f may change what is counted there.
func (l *latencies) each(f func(bucket int, count *atomic.Uint32)) {
	for i := range l {
		p := l[i].Load()
		if p == nil {
			continue
		}
		for j := range p {
			if p[j].Load() != 0 {
				f(i*pieceSize+j, &p[j])
			}
		}
	}
}
