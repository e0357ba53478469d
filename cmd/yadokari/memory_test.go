package main

import (
	"runtime"
	"runtime/debug"
	"testing"
)

func TestLimit(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct{ live, other, want int64 }{
		{0, 0, 0}, {6 * mib, 2 * mib, 12 * mib}, {60 * mib, 10 * mib, 100 * mib}, {60*mib + 1, 10 * mib, 104 * mib}, {600 * mib, 0, 900 * mib},
	} {
		if got := limit(c.live, c.other); got != c.want {
			t.Errorf("%d MiB kept and %d beside: %d MiB, want %d", c.live/mib, c.other/mib, got/mib, c.want/mib)
		}
	}
}

// What is kept may be more than the usual memory: the collector does not run without an end then.
func TestPaceWithALargeHeap(t *testing.T) {
	percent, most := debug.SetGCPercent(-1), debug.SetMemoryLimit(-1)
	var kept [96][]byte
	for i := range kept {
		kept[i] = make([]byte, 1<<20)
	}
	pace(usualMemory)
	defer func() { // the limit goes on to follow, as long as the test's process lives
		debug.SetGCPercent(percent)
		debug.SetMemoryLimit(most)
	}()
	runtime.GC()
	var from, to runtime.MemStats
	runtime.ReadMemStats(&from)
	var garbage []byte
	for range 480 { // five times what is kept
		garbage = make([]byte, 1<<20)
		garbage[0] = 1
	}
	runtime.ReadMemStats(&to)
	if n := to.NumGC - from.NumGC; n > 30 {
		t.Errorf("%d collections while five times as much was made as is kept", n)
	}
	runtime.KeepAlive(kept)
}
