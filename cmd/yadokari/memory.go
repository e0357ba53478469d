package main

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

const (
	// gcPercent is how much may come to what is kept before the collector runs, in percent of it. Go's
	// default is made for large heaps; a gateway keeps little, and every request leaves some garbage.
	gcPercent = 400
	// usualMemory is what the process may take, in bytes, while that leaves room to work in.
	usualMemory = 64 << 20
)

// pace has the collector run seldom while there is memory left of usual, and more often then. A fixed limit
// would have it run without an end once what is kept comes near: with thousands of routes, or of idle
// connections. So the limit follows what is kept, and at least a third as much again has room.
func pace(usual int64) {
	debug.SetGCPercent(gcPercent)
	debug.SetMemoryLimit(usual)
	last := usual
	follow(&collection{func() {
		live, other := measure()
		if next := max(usual, limit(live, other)); next != last {
			last = next
			debug.SetMemoryLimit(next)
		}
	}})
}

// limit is the least memory, in bytes, in which a process that keeps live on its heap, and holds other
// memory beside it, works without being held up. A sixth is what the heap's spans leave unused.
func limit(live, other int64) int64 {
	const step = 4 << 20 // so that it does not change at every collection
	least := live + live/6 + live/3 + other
	return (least + step - 1) / step * step
}

// measure reads what the last collection has left on the heap, and what the runtime has beside it: stacks, and
// what it needs itself. Both in bytes.
func measure() (live, other int64) {
	samples := []metrics.Sample{
		{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/heap/free:bytes"}, {Name: "/memory/classes/heap/released:bytes"}, {Name: "/memory/classes/heap/unused:bytes"},
	}
	metrics.Read(samples)
	other = int64(samples[1].Value.Uint64())
	for _, heap := range samples[2:] {
		other -= int64(heap.Value.Uint64())
	}
	return int64(samples[0].Value.Uint64()), other
}

// collection is garbage always: its end tells that a collection has been, and the next one is made.
type collection struct{ ended func() }

func follow(c *collection) {
	runtime.SetFinalizer(c, func(c *collection) {
		c.ended()
		follow(c)
	})
}
