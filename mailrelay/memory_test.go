package mailrelay

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
)

// liveHeap is the live heap, in bytes.
func liveHeap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// A mail that was dropped takes no memory, although the rotas know it for a while yet.
func TestDroppedMailsTakeNoMemory(t *testing.T) {
	c := settings()
	c.Queue.Messages, c.Queue.Full, c.Leftover.Dir = 2, FullDropOldest, t.TempDir()
	r := start(t, c, Options{})
	x := connect(t, r)
	before := liveHeap()
	for range 60 {
		x.send("a@b.test", to("x@y.test"), strings.Repeat(strings.Repeat("x", 70)+"\r\n", 10_000))
	}
	if grown := liveHeap() - before; grown > 6<<20 || r.Counts().Mails.Dropped != 58 {
		t.Errorf("two mails of 720 kB take %d bytes, %+v", grown, r.Counts().Mails)
	}
}

// What a client puts around an address is not kept with it.
func TestLongCommandsTakeNoMemory(t *testing.T) {
	c := settings()
	c.Spool = t.TempDir()
	r := start(t, c, Options{})
	x := connect(t, r)
	x.say("EHLO x", "250")
	before := liveHeap()
	pad := strings.Repeat(" ", 7000)
	for n := range 400 {
		x.say(fmt.Sprintf("MAIL FROM:%s<a%d@b.test>%s BODY=7BIT", pad[:500], n, pad), "250")
		x.say("RCPT TO:"+pad+"<x@y.test>", "250")
		x.say("DATA", "354")
		x.say("\r\nhi\r\n.", "250")
	}
	if grown := liveHeap() - before; grown > 1<<20 {
		t.Errorf("400 small mails in the spool take %d bytes", grown)
	}
}

// What is moved out of a spool is not in memory all at once.
func TestMovingOutTakesLittleMemory(t *testing.T) {
	c := settings()
	c.Spool, c.Leftover = t.TempDir(), Leftover{Dir: t.TempDir(), Spool: true}
	c.Queue.Bytes, c.Limits.Message = 64<<20, 2<<20
	r := start(t, c, Options{})
	x := connect(t, r)
	const mails = 40
	for range mails {
		x.send("a@b.test", to("x@y.test"), strings.Repeat(strings.Repeat("x", 70)+"\r\n", 14_000))
	}
	old := debug.SetGCPercent(5) // so that what is not collected yet is little
	defer debug.SetGCPercent(old)
	before, most := liveHeap(), int64(0)
	ended := make(chan Result)
	go func() { ended <- r.Drain(within(0)) }()
	for {
		select {
		case res := <-ended:
			if res.Err != nil || res.Counts.Mails.LeftOver != mails {
				t.Errorf("%+v", res)
			}
			if most > 20<<20 {
				t.Errorf("40 mails of 1 MB take %d bytes on their way", most)
			}
			return
		default:
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most = max(most, int64(m.HeapAlloc)-before)
		}
	}
}
