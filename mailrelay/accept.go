package mailrelay

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"yadokari/mailrelay/upstream"
	"yadokari/mailrelay/wire"
)

// spareForNotices is the room beyond the queue's bounds that only bounces may take: they must not be
// lost because the mails they tell of have filled the queue.
const spareForNotices = 0.1

// outcome is what became of one attempt to deliver.
type outcome struct {
	answers []wire.Reply // one for each recipient that was tried, or
	err     error        // the connection failed
}

// accept takes responsibility for a mail, or not: the reply says. kept tells that text is still in use by a
// delivery.
func (r *Relay) accept(id uint64, e *wire.Envelope, text []byte) (reply wire.Reply, kept bool) {
	if _, down := r.pool.Down(); r.config.Wait > 0 && !down {
		return r.cutThrough(id, e, text)
	}
	_, reply = r.enqueue(id, e, text, ready, fromClient)
	return reply, false
}

// cutThrough delivers a mail while the client waits. When the wait is over the mail goes to the
// queue, and a delivery that is under way then goes on for the queue.
func (r *Relay) cutThrough(id uint64, e *wire.Envelope, text []byte) (reply wire.Reply, kept bool) {
	start := time.Now()
	wait, done := context.WithTimeout(r.deliverer, r.config.Wait)
	conn, err := r.pool.Get(wait)
	done()
	if err != nil {
		_, reply = r.enqueue(id, e, text, ready, fromClient)
		return reply, false
	}
	ctx, cancel := context.WithCancel(r.deliverer)
	result := make(chan outcome, 1)
	r.attempts.Go(func() {
		m := &upstream.Mail{Envelope: *e, Size: int64(len(text)), Text: bytesText(text)}
		answers, err := r.pool.Deliver(ctx, conn, m)
		result <- outcome{answers, err}
	})
	timer := time.NewTimer(r.config.Wait - time.Since(start))
	defer timer.Stop()
	select {
	case o := <-result:
		cancel()
		return r.direct(id, e, text, o), false
	case <-timer.C:
	}
	it, reply := r.enqueue(id, e, text, busy, fromClient)
	if it == nil {
		cancel() // the client keeps it: two should not
		return r.afterAll(id, e, text, <-result, reply), false
	}
	r.attempts.Go(func() {
		defer cancel()
		r.settle(it, e, nil, <-result)
	})
	return reply, true
}

// afterAll answers a client whose mail found no room, in case the cancelled delivery was through.
func (r *Relay) afterAll(id uint64, e *wire.Envelope, text []byte, o outcome, refusal wire.Reply) wire.Reply {
	if o.err == nil {
		return r.direct(id, e, text, o)
	}
	if errors.Is(o.err, upstream.ErrUncertain) {
		r.queue.count(func(c *Counts) { c.Uncertain++ })
	}
	return refusal
}

// direct turns the upstream's answers into one for the client.
func (r *Relay) direct(id uint64, e *wire.Envelope, text []byte, o outcome) (reply wire.Reply) {
	s := sortAnswers(o.answers, nil)
	switch {
	case o.err != nil:
		if errors.Is(o.err, upstream.ErrUncertain) {
			r.queue.count(func(c *Counts) { c.Uncertain++ })
		}
		_, reply = r.enqueue(id, e, text, ready, fromClient)
		return reply
	case len(s.delivered) == len(e.To):
		r.queue.count(func(c *Counts) { r.comeAndGo(c, delivered, len(e.To)) })
		return accepted(id, "delivered")
	case len(s.refused) == len(e.To):
		return handOn(o.answers[0])
	case len(s.delivered) == 0 && len(s.refused) == 0:
		_, reply = r.enqueue(id, e, text, waiting, fromClient)
		return reply
	}
	return r.mixed(id, e, text, o.answers, s)
}

// mixed accepts a mail that some recipients have got, and others have not. If the rest finds no room
// the client keeps it all, and some will get it twice.
func (r *Relay) mixed(id uint64, e *wire.Envelope, text []byte, answers []wire.Reply, s sorted) wire.Reply {
	if len(s.deferred) > 0 {
		rest := *e
		rest.To = pick(e.To, s.deferred)
		settled := func(c *Counts, it *item) {
			c.Recipients.come(fromClient, int64(len(s.delivered)+len(s.refused)))
			c.Recipients.add(delivered, int64(len(s.delivered)))
			c.Recipients.add(bounced, int64(len(s.refused)))
			it.bounced = len(s.refused) > 0
		}
		it, reply := r.enqueueWith(id, &rest, text, waiting, fromClient, settled)
		if it == nil {
			r.queue.count(func(c *Counts) { c.Uncertain++ })
			return reply
		}
	} else {
		r.queue.count(func(c *Counts) {
			c.Mails.come(fromClient, 1)
			c.Mails.add(bounced, 1)
			c.Recipients.come(fromClient, int64(len(e.To)))
			c.Recipients.add(delivered, int64(len(s.delivered)))
			c.Recipients.add(bounced, int64(len(s.refused)))
		})
	}
	r.notify(id, e, headerOf(text), failuresOf(e, s.refused, answers))
	return accepted(id, "delivered to some")
}

func (r *Relay) comeAndGo(c *Counts, e end, recipients int) {
	c.Mails.come(fromClient, 1)
	c.Mails.add(e, 1)
	c.Recipients.come(fromClient, int64(recipients))
	c.Recipients.add(e, int64(recipients))
}

// enqueue keeps a mail in the queue, in a state. It returns the item, or nil and why the client must
// keep the mail (or, with drop-newest, that it was accepted and dropped).
func (r *Relay) enqueue(id uint64, e *wire.Envelope, text []byte, s state, o origin) (*item, wire.Reply) {
	return r.enqueueWith(id, e, text, s, o, nil)
}

// enqueueWith is enqueue that changes the counts further in the same step.
func (r *Relay) enqueueWith(id uint64, e *wire.Envelope, text []byte, s state, o origin, also func(*Counts, *item)) (*item, wire.Reply) {
	it := r.newItem(id, e)
	it.size = int64(len(text)) + envelopeSize(e)
	if !r.place(it, o) {
		if o == fromClient && r.config.Queue.Full == FullDropNewest && also == nil {
			r.queue.count(func(c *Counts) { r.comeAndGo(c, dropped, len(e.To)) })
			r.logDropped("the queue is full", id, e, headerOf(text))
			return nil, accepted(id, "dropped, the queue is full")
		}
		return nil, fullQueue()
	}
	if r.spool != nil {
		entry, err := r.spool.Append(id, e, text)
		if err != nil {
			r.queue.release(it.size)
			return nil, r.cannotKeep(err)
		}
		it.entry = entry
	} else {
		it.envelope, it.text = e, bytes.Clone(text) // without the room that text may have beyond its end
	}
	if s == waiting {
		it.tries = 1
		it.next = time.Now().Add(r.delay(1))
	}
	put := s
	if s == waiting {
		put = busy
	}
	r.queue.add(it, put, func(c *Counts) {
		c.Mails.come(o, 1)
		c.Recipients.come(o, int64(len(e.To)))
		if also != nil {
			also(c, it)
		}
	})
	if s == waiting {
		r.queue.postpone(it, it.next, "the mail server refused it for now")
	}
	return it, accepted(id, "queued")
}

func fullQueue() wire.Reply {
	return wire.Reply{Code: 452, Text: "4.3.1 The queue is full, try again later"}
}

// place finds room in the queue, as Queue.Full says.
func (r *Relay) place(it *item, o origin) bool {
	spare := 0.0
	if o == fromUs {
		spare = spareForNotices
	}
	if r.queue.reserve(it.size, spare) {
		return true
	}
	if r.config.Queue.Full != FullDropOldest || o == fromLeftover {
		return false
	}
	victims, ok := r.queue.makeRoom(it.size)
	for _, v := range victims {
		r.drop(v, "the queue is full")
	}
	return ok
}

func (r *Relay) cannotKeep(err error) wire.Reply {
	r.log.Error("mail cannot be spooled", "error", err.Error())
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return wire.Reply{Code: 452, Text: "4.3.1 There is no room on the disk, try again later"}
	}
	return wire.Reply{Code: 451, Text: "4.3.0 The mail cannot be kept safe, try again later"}
}

func (r *Relay) newItem(id uint64, e *wire.Envelope) *item {
	it := &item{id: id, from: e.From, accepted: e.Accepted, open: len(e.To)}
	if len(e.To) > 0 {
		it.domain = wire.Domain(e.To[0])
	}
	return it
}

// envelopeSize is the memory an envelope takes, rather than its length: a short address takes 16 bytes, and
// 16 more in the list.
func envelopeSize(e *wire.Envelope) int64 {
	n := int64(64 + len(e.From))
	for _, to := range e.To {
		n += int64(len(to)) + 32
	}
	return n
}

func accepted(id uint64, how string) wire.Reply {
	return wire.Reply{Code: 250, Text: fmt.Sprintf("2.0.0 %016x %s", id, how)}
}

// handOn makes the upstream's refusal ours.
func handOn(refusal wire.Reply) wire.Reply {
	return wire.Reply{Code: refusal.Code, Text: refusal.Enhanced() + " " + shorten(refusal.Plain(), 300)}
}

func shorten(s string, most int) string {
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}
