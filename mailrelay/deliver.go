package mailrelay

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"time"

	"yadokari/mailrelay/spool"
	"yadokari/mailrelay/upstream"
	"yadokari/mailrelay/wire"
)

// bytesText is a text in memory.
type bytesText []byte

// WriteTo implements io.WriterTo. Unlike bytes.Reader it can be used again.
func (b bytesText) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(b)
	return int64(n), err
}

// work delivers mails from the queue until ctx ends. The connection comes first: so the mail that goes
// over it is chosen at the last moment, and a server that cannot be reached costs no mail a try.
func (r *Relay) work(ctx context.Context) {
	for r.queue.waitReady(ctx) == nil {
		conn, err := r.pool.Await(ctx)
		if err != nil {
			return // ctx has ended, or the pool was closed
		}
		it := r.queue.pop()
		if it == nil {
			r.pool.Put(conn)
			continue
		}
		r.deliver(ctx, conn, it)
	}
}

// deliver makes one attempt with one mail.
func (r *Relay) deliver(ctx context.Context, conn *upstream.Conn, it *item) {
	m, err := r.load(it)
	if err != nil {
		r.pool.Put(conn)
		r.unreadable(it, err)
		return
	}
	all := m.Envelope
	open := openRecipients(it, len(all.To))
	m.To = pick(all.To, open)
	answers, err := r.pool.Deliver(ctx, conn, &m.Mail)
	m.close()
	if errors.Is(err, spool.ErrDamaged) {
		r.unreadable(it, err)
		return
	}
	r.settle(it, &all, open, outcome{answers, err})
}

// loaded is a mail of the queue, ready to be sent.
type loaded struct {
	upstream.Mail
	reader *spool.Reader // nil: in memory
}

func (m *loaded) close() {
	if m.reader != nil {
		_ = m.reader.Close() // it was only read
	}
}

func (r *Relay) load(it *item) (*loaded, error) {
	if it.entry == nil {
		return &loaded{Mail: upstream.Mail{Envelope: *it.envelope, Size: int64(len(it.text)), Text: bytesText(it.text)}}, nil
	}
	envelope, reader, err := r.spool.Read(it.entry)
	if err != nil {
		return nil, err
	}
	return &loaded{upstream.Mail{Envelope: envelope, Size: it.entry.Text(), Text: reader}, reader}, nil
}

// openRecipients are the places of those who are still to get the mail.
func openRecipients(it *item, n int) (open []int) {
	open = make([]int, 0, n)
	for i := range n {
		if it.entry != nil && !it.entry.Settled(i) || it.entry == nil && (it.settled == nil || !it.settled[i]) {
			open = append(open, i)
		}
	}
	return open
}

func pick(list []string, places []int) []string {
	if len(places) == len(list) {
		return list
	}
	picked := make([]string, len(places))
	for i, at := range places {
		picked[i] = list[at]
	}
	return picked
}

// sorted is the places of recipients by what was answered for them.
type sorted struct{ delivered, refused, deferred []int }

// sortAnswers sorts by answer. places maps an answer's place to the recipient's; nil: they are the same.
func sortAnswers(answers []wire.Reply, places []int) (s sorted) {
	for i, a := range answers {
		at := i
		if places != nil {
			at = places[i]
		}
		switch {
		case a.OK():
			s.delivered = append(s.delivered, at)
		case a.Permanent():
			s.refused = append(s.refused, at)
		default:
			s.deferred = append(s.deferred, at)
		}
	}
	return s
}

// settle does what an outcome asks for: counts, bounces, another try. open are the recipients that were
// tried; nil: all.
func (r *Relay) settle(it *item, e *wire.Envelope, open []int, o outcome) {
	if o.err != nil {
		if errors.Is(o.err, upstream.ErrUncertain) {
			r.queue.count(func(c *Counts) { c.Uncertain++ })
		}
		r.again(it, e, o.err.Error(), r.deliverer.Err() == nil)
		return
	}
	s := sortAnswers(o.answers, open)
	if len(s.refused) > 0 {
		byPlace := o.answers
		if open != nil {
			byPlace = make([]wire.Reply, len(e.To))
			for i, at := range open {
				byPlace[at] = o.answers[i]
			}
		}
		r.notify(it.id, e, r.header(it), failuresOf(e, s.refused, byPlace))
		r.note(it, s.refused, bounced, len(s.delivered)+len(s.deferred) == 0)
	}
	if len(s.delivered) > 0 {
		r.note(it, s.delivered, delivered, len(s.deferred) == 0)
	}
	if len(s.deferred) == 0 {
		r.queue.finish(it, delivered) // nobody is open: only the mail is counted
		return
	}
	for _, a := range o.answers {
		if !a.OK() && !a.Permanent() {
			r.again(it, e, a.String(), true)
			return
		}
	}
}

// note writes down that recipients are settled.
func (r *Relay) note(it *item, places []int, e end, last bool) {
	if it.entry != nil {
		if _, err := r.spool.Settle(it.entry, places); err != nil {
			r.log.Error("mail spool", "mail", name(it.id), "error", err.Error())
		}
	} else if !last {
		if it.settled == nil {
			it.settled = make([]bool, len(it.envelope.To))
		}
		for _, i := range places {
			it.settled[i] = true
		}
	}
	r.queue.settle(it, e, len(places))
}

// again puts a mail back for another try, or lets it bounce if it is too old. A failure that was not its
// own, such as our stop, is no try.
func (r *Relay) again(it *item, e *wire.Envelope, why string, counts bool) {
	if counts {
		it.tries++
	}
	if time.Since(it.accepted) >= r.config.Retry.MaxAge {
		r.expire(it, e, why)
		return
	}
	next := time.Now()
	if counts {
		next = next.Add(r.delay(it.tries))
	}
	r.queue.postpone(it, next, why)
}

// delay is the time before the next try: it doubles from try to try, and its lower half is certain, the
// upper half random ("equal jitter").
func (r *Relay) delay(tries int) time.Duration {
	d := r.config.Retry.First
	for range tries - 1 {
		if d *= 2; d >= r.config.Retry.Max {
			d = r.config.Retry.Max
			break
		}
	}
	return d/2 + rand.N(d/2+1)
}

// expire lets a busy mail bounce that is too old.
func (r *Relay) expire(it *item, e *wire.Envelope, why string) {
	open := openRecipients(it, len(e.To))
	replies := make([]wire.Reply, len(e.To))
	for _, at := range open {
		replies[at] = wire.Reply{Code: 450, Text: "4.4.7 It could not be delivered in " + r.config.Retry.MaxAge.String() + "; last: " + why}
	}
	r.notify(it.id, e, r.header(it), failuresOf(e, open, replies))
	r.note(it, open, bounced, true)
	r.queue.finish(it, bounced)
}

// watchAge lets mails bounce that grow too old while no server can be reached.
func (r *Relay) watchAge(ctx context.Context) {
	every := min(time.Minute, r.config.Retry.MaxAge)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		for _, it := range r.queue.takeOlder(time.Now().Add(-r.config.Retry.MaxAge)) {
			m, err := r.load(it)
			if err != nil {
				r.unreadable(it, err)
				continue
			}
			m.close()
			r.expire(it, &m.Envelope, it.lastError)
		}
	}
}

// unreadable gives up a busy mail that the spool cannot give back whole.
func (r *Relay) unreadable(it *item, cause error) {
	if errors.Is(cause, spool.ErrClosed) {
		r.queue.postpone(it, time.Now().Add(time.Hour), cause.Error()) // the relay stops: it stays in the spool
		return
	}
	if !errors.Is(cause, spool.ErrDamaged) {
		it.tries++
		r.queue.postpone(it, time.Now().Add(r.delay(it.tries)), cause.Error()) // the disk may work another time
		return
	}
	file, err := r.spool.SetAside(it.entry)
	if file != "" {
		r.noteAside(file)
	}
	r.log.Error("a damaged mail was set aside", "mail", name(it.id), "file", file, "error", errors.Join(cause, err).Error())
	r.queue.finish(it, damaged)
}
