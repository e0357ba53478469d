package mailrelay

import (
	"fmt"
	"runtime"
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
