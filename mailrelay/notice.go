package mailrelay

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"yadokari/mailrelay/wire"
)

// failure is a recipient who will not get a mail, and why.
type failure struct {
	to    string
	reply wire.Reply
}

func failuresOf(e *wire.Envelope, places []int, replies []wire.Reply) []failure {
	list := make([]failure, len(places))
	for i, at := range places {
		list[i] = failure{e.To[at], replies[at]}
	}
	return list
}

// notify tells the sender of a mail who did not get it. The null sender is never told: that is how a
// bounce of a bounce ends (RFC 5321 section 6.1).
func (r *Relay) notify(id uint64, e *wire.Envelope, header []byte, failures []failure) {
	for _, f := range failures {
		r.log.Warn("mail bounced", "mail", name(id), "messageID", messageID(header), "domain", wire.Domain(f.to), "reply", f.reply.String())
	}
	if e.From == "" {
		return
	}
	own := r.nextID()
	notice := &wire.Envelope{To: []string{e.From}, UTF8: !wire.ASCII(e.From), Accepted: time.Now()}
	text := r.bounce(own, e, header, failures, notice.UTF8)
	notice.EightBit = !wire.ASCII(text)
	if it, reply := r.enqueue(own, notice, text, ready, fromUs); it == nil {
		r.log.Error("a bounce was lost", "mail", name(id), "reason", reply.String())
		r.queue.count(func(c *Counts) {
			c.Mails.come(fromUs, 1)
			c.Mails.add(dropped, 1)
			c.Recipients.come(fromUs, 1)
			c.Recipients.add(dropped, 1)
		})
	}
}

// status is the RFC 3463 code; a mail that is given up has failed for good, whatever the last answer.
func (f failure) status() string {
	code := f.reply.Enhanced()
	if f.reply.Permanent() || code == "4.4.7" {
		return code
	}
	return "5" + code[1:]
}

// fold keeps a line within what RFC 5322 allows.
func fold(s string) string { return shorten(strings.Map(printable, s), 800) }

func printable(r rune) rune {
	if r < ' ' || r == 0x7f {
		return ' '
	}
	return r
}

// headerOf is the part of a text before the first empty line, at most 64 KiB, ending in CRLF.
func headerOf(text []byte) []byte {
	if bytes.HasPrefix(text, []byte("\r\n")) {
		return nil
	}
	if i := bytes.Index(text, []byte("\r\n\r\n")); i >= 0 {
		text = text[:i+2]
	}
	if len(text) > 64<<10 {
		text = text[:bytes.LastIndexByte(text[:64<<10], '\n')+1]
	}
	return text
}

// field returns the value of the first field of a header with the name, in lower case; "" if there is
// none.
func field(header []byte, name string) string {
	for line := range bytes.SplitSeq(header, []byte("\r\n")) {
		if key, value, ok := bytes.Cut(line, []byte(":")); ok && strings.EqualFold(string(bytes.TrimSpace(key)), name) {
			return strings.TrimSpace(string(value))
		}
	}
	return ""
}

func messageID(header []byte) string { return shorten(fold(field(header, "message-id")), 200) }

// domains are the recipients by domain, sorted: "example.com:2".
func domains(to []string) []string {
	n := map[string]int{}
	for _, address := range to {
		n[wire.Domain(address)]++
	}
	list := make([]string, 0, len(n))
	for d, count := range n {
		list = append(list, fmt.Sprintf("%s:%d", d, count))
	}
	slices.Sort(list)
	return list
}

func name(id uint64) string { return fmt.Sprintf("%016x", id) }

func (r *Relay) logDropped(why string, id uint64, e *wire.Envelope, header []byte) {
	r.log.Warn("mail dropped", "reason", why, "mail", name(id), "messageID", messageID(header), "recipients", domains(e.To))
}

// drop gives up a busy mail.
func (r *Relay) drop(it *item, why string) {
	if m, err := r.load(it); err == nil {
		m.close()
		r.logDropped(why, it.id, &m.Envelope, r.header(it))
	} else {
		r.log.Warn("mail dropped", "reason", why, "mail", name(it.id), "error", err.Error())
	}
	r.discard(it, dropped)
}

// discard takes a busy mail out of spool and queue.
func (r *Relay) discard(it *item, e end) {
	if it.entry != nil {
		if err := r.spool.Remove(it.entry); err != nil {
			r.log.Error("mail spool", "mail", name(it.id), "error", err.Error())
		}
	}
	r.queue.finish(it, e)
}

// header is the header of a busy mail; nil if it cannot be read.
func (r *Relay) header(it *item) []byte {
	m, err := r.load(it)
	if err != nil {
		return nil
	}
	defer m.close()
	w := &headWriter{}
	_, _ = m.Text.WriteTo(w) // ends early on purpose
	return headerOf(w.b)
}

var errEnough = errors.New("enough was read")

// headWriter takes the first 64 KiB.
type headWriter struct{ b []byte }

func (w *headWriter) Write(p []byte) (int, error) {
	w.b = append(w.b, p...)
	if len(w.b) > 64<<10 {
		return 0, errEnough
	}
	return len(p), nil
}
