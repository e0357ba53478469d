package mailrelay

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"yadokari/mailrelay/sink"
	"yadokari/mailrelay/wire"
)

// inBubble runs a relay without its port in a bubble of fake time; its upstream is a pipe away.
func inBubble(t *testing.T, c Config, script sink.Script, f func(r *Relay, s *sink.Server)) {
	inBubbleDialing(t, c, script, nil, f)
}

func inBubbleDialing(t *testing.T, c Config, script sink.Script, broken func() error, f func(r *Relay, s *sink.Server)) {
	synctest.Test(t, func(t *testing.T) {
		s := sink.New(script)
		var sinks sync.WaitGroup
		r, err := New(c, Options{Hostname: "relay.test", Dial: func(context.Context, string, string) (net.Conn, error) {
			if broken != nil {
				if err := broken(); err != nil {
					return nil, err
				}
			}
			ours, theirs := net.Pipe()
			sinks.Go(func() { s.Serve(theirs) })
			return ours, nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		r.startWorkers()
		f(r, s)
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		r.Drain(ended)
		s.Close()
		sinks.Wait()
		if err := r.Counts().Check(); err != nil {
			t.Error(err)
		}
	})
}

func (r *Relay) put(from string, to ...string) wire.Reply {
	e := &wire.Envelope{From: from, To: to, Accepted: time.Now()}
	reply, _ := r.accept(r.nextID(), e, []byte("Message-ID: <m@x>\r\n\r\nhi\r\n"))
	return reply
}

func TestRetryDelaysGrow(t *testing.T) {
	c := settings()
	c.Retry.MaxAge = 10 * time.Hour
	var tries []time.Time
	script := sink.Script{OnMail: func(from string) string {
		if from == "" {
			return ""
		}
		tries = append(tries, time.Now())
		return "450 4.3.2 later"
	}}
	inBubble(t, c, script, func(r *Relay, s *sink.Server) {
		start := time.Now()
		r.put("a@b.test", "x@y.test")
		time.Sleep(11*time.Hour + time.Minute)
		synctest.Wait()
		if len(tries) < 10 || !tries[0].Equal(start) {
			t.Fatalf("%d tries, the first after %v", len(tries), tries[0].Sub(start))
		}
		want := c.Retry.First
		for i := 1; i < len(tries); i++ {
			if d := tries[i].Sub(tries[i-1]); d < want/2 || d > want {
				t.Errorf("try %d came after %v, want %v to %v", i, d, want/2, want)
			}
			want = min(2*want, c.Retry.Max)
		}
		if n := r.Counts(); n.Mails.Bounced != 1 || n.Mails.Notices != 1 || len(s.Mails()) != 1 {
			t.Fatalf("%+v, %d mails", n, len(s.Mails()))
		}
		text := s.Mails()[0].Text
		if !strings.Contains(text, "Status: 4.4.7\r\n") || !strings.Contains(text, "450 4.3.2 later") {
			t.Errorf("the bounce says\n%s", text)
		}
	})
}

// No bounce of a bounce, and none to the null sender.
func TestNullSenderIsNotTold(t *testing.T) {
	script := sink.Script{OnMail: func(string) string { return "550 5.7.1 never" }}
	inBubble(t, settings(), script, func(r *Relay, s *sink.Server) {
		r.put("", "x@y.test")
		r.put("a@b.test", "x@y.test")
		synctest.Wait()
		if n := r.Counts(); n.Mails.Bounced != 3 || n.Mails.Notices != 1 || n.Mails.Queued != 0 {
			t.Errorf("%+v", n)
		}
	})
}

// While no server can be reached mails wait without using up tries, and go at once when one can.
func TestUnreachable(t *testing.T) {
	c := settings()
	c.Retry.Unreachable = 30 * time.Second
	var up atomic.Bool
	var dials atomic.Int64
	broken := func() error {
		dials.Add(1)
		if !up.Load() {
			return errors.New("refused")
		}
		return nil
	}
	inBubbleDialing(t, c, sink.Script{}, broken, func(r *Relay, s *sink.Server) {
		for range 100 {
			r.put("a@b.test", "x@y.test")
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := dials.Load(); n < 100 || n > 260 {
			t.Errorf("%d dials in an hour with delays up to 30s", n)
		}
		for _, m := range r.Queue(100).Mails {
			if m.Tries != 0 {
				t.Fatalf("%+v", m)
			}
		}
		up.Store(true)
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if len(s.Mails()) != 100 {
			t.Errorf("%d mails went", len(s.Mails()))
		}
	})
}

// A mail to a dead server's queue grows too old all the same.
func TestTooOldWhileUnreachable(t *testing.T) {
	c := settings()
	c.Retry.MaxAge = time.Hour
	inBubbleDialing(t, c, sink.Script{}, func() error { return errors.New("refused") }, func(r *Relay, s *sink.Server) {
		r.put("a@b.test", "x@y.test")
		time.Sleep(c.Retry.MaxAge + 2*time.Minute)
		synctest.Wait()
		if n := r.Counts(); n.Mails.Bounced != 1 || n.Mails.Queued != 1 || n.Mails.Notices != 1 {
			t.Errorf("%+v", n)
		}
	})
}

// When the wait is over the client gets its 250, and the delivery under way goes on: no second one.
func TestWaitIsOver(t *testing.T) {
	c := settings()
	c.Wait = 5 * time.Second
	script := sink.Script{OnText: func(sink.Mail) string { time.Sleep(8 * time.Second); return "" }}
	inBubble(t, c, script, func(r *Relay, s *sink.Server) {
		start := time.Now()
		if reply := r.put("a@b.test", "x@y.test"); reply.Code != 250 || !strings.HasSuffix(reply.Text, "queued") || time.Since(start) != c.Wait {
			t.Fatal(reply, time.Since(start))
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := r.Counts(); len(s.Mails()) != 1 || n.Mails.Delivered != 1 || n.Mails.Accepted != 1 {
			t.Errorf("%d mails, %+v", len(s.Mails()), n)
		}
	})
}

// The wait does not start more deliveries than there are connections.
func TestSlowUpstreamDoesNotPileUp(t *testing.T) {
	c := settings()
	c.Wait = time.Second
	c.Upstream.Timeouts.Answer = time.Hour
	script := sink.Script{OnText: func(sink.Mail) string { time.Sleep(10 * time.Minute); return "" }}
	inBubble(t, c, script, func(r *Relay, s *sink.Server) {
		for range 50 {
			r.put("a@b.test", "x@y.test")
		}
		if busy := r.pool.Status()[0].Busy; busy != c.Upstream.Connections {
			t.Errorf("%d deliveries are under way", busy)
		}
		if n := r.Counts(); n.Mails.Queued != 50 {
			t.Errorf("%+v", n)
		}
	})
}

func TestFairness(t *testing.T) {
	q := newQueue(Queue{Messages: 1e6, Bytes: 1 << 40})
	id := uint64(0)
	add := func(from, domain string, n int) {
		for range n {
			id++
			q.reserve(1, 0)
			q.add(&item{id: id, from: from, domain: domain, size: 1, open: 1}, ready, func(*Counts) {})
		}
	}
	add("bulk@a", "big.test", 10000)
	add("bulk@a", "small.test", 1)
	add("person@a", "big.test", 1)
	place := map[string]int{}
	for n := 1; ; n++ {
		it := q.pop()
		if it == nil {
			if n != 10003 {
				t.Errorf("%d items came out", n-1)
			}
			break
		}
		place[it.from+" "+it.domain] = n
		q.finish(it, delivered)
	}
	if place["bulk@a small.test"] > 8 || place["person@a big.test"] > 8 {
		t.Errorf("the small ones came at %v", place)
	}
}

func TestRotasDoNotGrow(t *testing.T) {
	q := newQueue(Queue{Messages: 10, Bytes: 1 << 20, Full: FullDropOldest})
	for n := range uint64(100_000) {
		if !q.reserve(1, 0) {
			victims, _ := q.makeRoom(1)
			for _, v := range victims {
				q.finish(v, dropped)
			}
		}
		q.add(&item{id: n, from: fmt.Sprint(n), domain: "d", size: 1, open: 1}, ready, func(*Counts) {})
	}
	if q.bySender.size > 5000 || len(q.bySender.keys) > 5000 || len(q.items) != 10 {
		t.Errorf("%d items, %d in the rota", len(q.items), q.bySender.size)
	}
}
