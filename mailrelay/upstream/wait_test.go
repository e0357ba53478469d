package upstream

import (
	"context"
	"sync/atomic"
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

// A delivery that hangs says nothing of a server that has failed and is back: another connection tries it.
func TestHungDeliveryDoesNotHoldUpATrial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mails atomic.Int64
		hang := make(chan struct{})
		n := &pipes{servers: map[string]*sink.Server{"10.0.0.1:25": sink.New(sink.Script{OnText: func(sink.Mail) string {
			switch mails.Add(1) {
			case 1:
				<-hang
			case 2:
				return "close"
			}
			return ""
		}})}}
		c := settings("10.0.0.1:25")
		c.Timeouts.Answer = 10 * time.Minute
		p, err := New(c, Options{Hostname: "relay.test", Unreachable: 30 * time.Second, Dial: n.dial})
		if err != nil {
			t.Fatal(err)
		}
		hung := make(chan error, 1)
		go func() {
			_, err := send(p, mail("x@y.test"))
			hung <- err
		}()
		synctest.Wait()
		if _, err := send(p, mail("x@y.test")); err == nil {
			t.Fatal("the connection was to break")
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		conn, err := p.Await(ctx)
		if err != nil {
			t.Error("the server is back and is not tried:", err)
		} else if answers, err := p.Deliver(ctx, conn, mail("x@y.test")); err != nil || codes(answers) != "250" {
			t.Error(codes(answers), err)
		}
		close(hang)
		if err := <-hung; err != nil {
			t.Error(err)
		}
		p.Close()
		n.running.Wait()
	})
}

// While an address has failed one connection at a time tries it.
func TestOneTrialAtATime(t *testing.T) {
	e := &endpoint{failures: 1}
	now := time.Now()
	if !e.usable(now) {
		t.Error("nobody tries")
	}
	e.trying++
	if e.usable(now) {
		t.Error("two try")
	}
}
