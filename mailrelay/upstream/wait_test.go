package upstream

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"yadokari/mailrelay/sink"
)

// A connection that is given back must not be offered to someone who has given up waiting: the others would
// wait beside an idle connection.
func TestWhoGaveUpIsNotWoken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &pipes{servers: map[string]*sink.Server{"10.0.0.1:25": sink.New(sink.Script{})}}
		c := settings("10.0.0.1:25")
		c.Connections = 1
		p, err := New(c, Options{Hostname: "relay.test", Unreachable: time.Second, Dial: n.dial})
		if err != nil {
			t.Fatal(err)
		}
		held, err := p.Get(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for range 5 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if _, err := p.Get(ctx); err == nil {
				t.Fatal("two connections")
			}
			cancel()
		}
		got := make(chan *Conn, 1)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() {
			c, _ := p.Await(ctx)
			got <- c
		}()
		synctest.Wait()
		p.Put(held)
		synctest.Wait()
		select {
		case c := <-got:
			p.Put(c)
		default:
			t.Error("a connection idles, and someone waits for it")
			cancel()
			<-got
		}
		if len(p.waiters) > 0 {
			t.Errorf("%d are remembered as waiting", len(p.waiters))
		}
		p.Close()
		n.running.Wait()
	})
}
