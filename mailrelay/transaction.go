package mailrelay

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"yadokari/mailrelay/wire"
)

func (x *session) mail(rest string) bool {
	if x.helo == "" {
		return x.reply(503, "5.5.1 say EHLO first")
	}
	if x.envelope != nil {
		return x.reply(503, "5.5.1 a mail is open already")
	}
	from, params, err := wire.ParseMail(rest)
	if err != nil {
		return x.refuse(501, "5.1.7 "+err.Error())
	}
	e := &wire.Envelope{From: strings.Clone(from)} // not the whole line, for as long as the mail waits
	for _, p := range params {
		if code, text := x.parameter(e, p); code != 0 {
			return x.refuseMail(code, text)
		}
	}
	if x.declared > int64(x.relay.config.Limits.Message) {
		return x.refuseMail(552, "5.3.4 the mail is too large")
	}
	if !e.UTF8 && !wire.ASCII(from) {
		return x.refuseMail(553, "5.6.7 such an address needs SMTPUTF8")
	}
	if x.relay.hopeless() {
		return x.refuseMail(452, "4.3.1 The queue is full, try again later")
	}
	x.envelope = e
	return x.reply(250, "2.1.0 ok")
}

// refuseMail refuses a mail at its MAIL command: the SIZE it had does not hold for the next.
func (x *session) refuseMail(code int, text string) bool {
	x.declared = 0
	return x.refuse(code, text)
}

// parameter takes one parameter of MAIL. A code other than 0 refuses the command.
func (x *session) parameter(e *wire.Envelope, p wire.Param) (code int, text string) {
	switch p.Key {
	case "SIZE":
		n, err := strconv.ParseInt(p.Value, 10, 64)
		if err != nil || n < 0 {
			return 501, "5.5.4 SIZE needs a number"
		}
		x.declared = n
	case "BODY":
		switch {
		case strings.EqualFold(p.Value, "8BITMIME"):
			e.EightBit = true
		case !strings.EqualFold(p.Value, "7BIT"):
			return 501, "5.5.4 BODY is 7BIT or 8BITMIME"
		}
	case "SMTPUTF8":
		e.UTF8 = true
	case "AUTH": // who the client says has sent it (RFC 4954): nobody here asks
	default:
		return 555, "5.5.4 " + shorten(p.Key, 40) + " is not offered"
	}
	return 0, ""
}

func (x *session) rcpt(rest string) bool {
	if x.envelope == nil {
		return x.reply(503, "5.5.1 say MAIL first")
	}
	to, params, err := wire.ParseRcpt(rest)
	if err != nil {
		return x.refuseRecipient(501, "5.1.3 "+err.Error())
	}
	if len(params) > 0 {
		return x.refuseRecipient(555, "5.5.4 "+shorten(params[0].Key, 40)+" is not offered")
	}
	if !x.envelope.UTF8 && !wire.ASCII(to) {
		return x.refuseRecipient(553, "5.6.7 such an address needs SMTPUTF8")
	}
	if len(x.envelope.To) >= x.relay.config.Limits.Recipients {
		return x.refuseRecipient(452, "4.5.3 there are too many recipients, send another mail to the rest")
	}
	if wire.Domain(to) == "postmaster" { // the bare word: ours
		to += "@" + x.relay.hostname
	}
	x.envelope.To = append(x.envelope.To, strings.Clone(to))
	x.idle-- // not a command too many
	return x.reply(250, "2.1.5 ok")
}

// refuseRecipient refuses one recipient: the mail is refused only if no other is taken, see reset.
func (x *session) refuseRecipient(code int, text string) bool {
	x.unwanted = code
	return x.reply(code, text)
}

// errNoRoom ends the reading of a large mail for which there was no memory in time.
var errNoRoom = errors.New("there was no memory for the mail")

// freeText is the length up to which a mail's text needs no leave to use memory.
const freeText = 64 << 10

// leeway is how large a mail may be whose size was declared. That is an estimate (RFC 1870 section 5): some
// clients do not count the CRs, or the dots added for the wire.
func leeway(declared int64) int64 { return declared + declared/4 + freeText }

// arriving takes a text into memory.
type arriving struct {
	x    *session
	ctx  context.Context
	most int64 // what leave was asked for; 0: none yet
}

// Take implements wire.Sink.
func (a *arriving) Take(piece []byte) error {
	x := a.x
	if a.most == 0 && len(x.text)+len(piece) > freeText {
		a.most = int64(x.relay.config.Limits.Message)
		if x.declared > 0 {
			a.most = min(a.most, leeway(x.declared)+freeText)
		}
		if x.relay.memory.Acquire(a.ctx, a.most) != nil {
			a.most = 0
			return errNoRoom
		}
		if x.declared > 0 {
			x.text = append(make([]byte, 0, a.most+freeText), x.text...)
		}
	}
	x.text = append(x.text, piece...)
	if x.mustWait() {
		x.patience(true, x.relay.config.Limits.Idle)
		return a.ctx.Err()
	}
	return nil
}

func (x *session) data(rest string) bool {
	switch {
	case rest != "":
		return x.reply(501, "5.5.4 DATA has no parameters")
	case x.envelope == nil:
		return x.reply(503, "5.5.1 say MAIL first")
	case len(x.envelope.To) == 0:
		return x.reply(554, "5.5.1 there are no recipients")
	}
	x.patience(true, x.relay.config.Limits.Idle)
	x.sayLine("354 end with <CRLF>.<CRLF>")
	if x.flush() != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(x.ctx, x.relay.config.Limits.Time)
	defer cancel()
	id, e := x.relay.nextID(), x.envelope
	x.envelope = nil
	x.text = x.received(x.text[:0], id, e)
	start := len(x.text)
	a := &arriving{x: x, ctx: ctx}
	most := int64(x.relay.config.Limits.Message)
	if x.declared > 0 {
		most = min(most, leeway(x.declared))
	}
	err := wire.ReadText(x.r, most, a)
	ok := x.taken(id, e, start, err)
	if a.most > 0 {
		x.relay.memory.Release(a.most)
	}
	if cap(x.text) > 2*freeText {
		x.text = nil
	}
	x.reset()
	return ok
}

// taken answers for a text that was read, or not.
func (x *session) taken(id uint64, e *wire.Envelope, start int, err error) bool {
	x.idle = 0
	switch {
	case errors.Is(err, wire.ErrBare):
		return x.refuse(550, "5.6.0 the mail holds a CR or LF that is not part of CRLF")
	case errors.Is(err, wire.ErrTooLarge):
		return x.refuse(552, "5.3.4 the mail is too large")
	case errors.Is(err, errNoRoom):
		return x.refuse(421, "4.3.2 there was no memory for the mail, try again later")
	case err != nil:
		x.timedOut(err)
		return false
	}
	text := x.text[start:]
	if hops(headerOf(text)) >= x.relay.config.Limits.Hops {
		return x.refuse(554, "5.4.6 the mail goes in circles: it has too many Received lines")
	}
	eight := !wire.ASCII(text)
	e.EightBit = e.EightBit && eight // asked of the upstream only if the text needs it
	e.UTF8 = e.UTF8 && (eight || !asciiAddresses(e))
	e.Accepted = time.Now()
	reply, kept := x.relay.accept(id, e, x.text)
	if kept {
		x.text = nil
	}
	if reply.OK() {
		return x.reply(reply.Code, reply.Text)
	}
	return x.refuse(reply.Code, reply.Text)
}

func (x *session) timedOut(err error) {
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() || errors.Is(err, context.DeadlineExceeded) {
		x.refuse(421, "4.4.2 the mail took too long")
	}
}

func asciiAddresses(e *wire.Envelope) bool {
	for _, to := range e.To {
		if !wire.ASCII(to) {
			return false
		}
	}
	return wire.ASCII(e.From)
}

// received appends the line that says how the mail came here (RFC 5321 section 4.4).
func (x *session) received(b []byte, id uint64, e *wire.Envelope) []byte {
	protocol := "SMTP"
	switch {
	case e.UTF8:
		protocol = "UTF8SMTP"
	case x.extended:
		protocol = "ESMTP"
	}
	peer := "unix socket"
	if tcp, ok := x.conn.RemoteAddr().(*net.TCPAddr); ok {
		peer = "[" + tcp.IP.String() + "]"
	}
	b = fmt.Appendf(b, "Received: from %s (%s)\r\n\tby %s with %s id %016x;\r\n\t", cleanName(x.helo), peer, x.relay.hostname, protocol, id)
	b = time.Now().AppendFormat(b, time.RFC1123Z)
	return append(b, "\r\n"...)
}

// cleanName leaves of what a client calls itself only what can be in a name or an address literal.
func cleanName(helo string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', strings.ContainsRune("-._:[]", r):
			return r
		}
		return '?'
	}, helo)
}

// hops counts the Received lines of a header.
func hops(header []byte) (n int) {
	const key = "received:"
	for line := range bytes.Lines(header) {
		if len(line) > len(key) && bytes.EqualFold(line[:len(key)], []byte(key)) {
			n++
		}
	}
	return n
}

// hopeless tells whether a mail would be refused whatever it is, so that its text need not be sent.
func (r *Relay) hopeless() bool {
	if r.config.Queue.Full != FullReject {
		return false
	}
	if _, down := r.pool.Down(); r.config.Wait > 0 && !down {
		return false // it may go through without the queue
	}
	return r.queue.isFull()
}
