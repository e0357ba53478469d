package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"yadokari/mailrelay/wire"
)

// Mail is what is to be delivered.
type Mail struct {
	wire.Envelope             // To: those who are still to get it; EightBit and UTF8: only if needed
	Size          int64       // of the text, in bytes
	Text          io.WriterTo // written once; an error of its own ends the connection before the mail's end
}

// window is how many recipients are named before their answers are read, so that neither side's
// buffers fill while nobody reads.
const window = 100

// errStale tells that the server had closed a connection before it was used again.
var errStale = errors.New("the connection had ended")

// ErrUncertain is part of an error when the server has the whole mail but did not answer. It may
// deliver the mail; trying again may repeat it.
var ErrUncertain = errors.New("the server did not say whether it took the mail")

// send delivers one mail. It returns an answer for each recipient, or an error if the connection
// failed, which says nothing about any of them.
func (c *Conn) send(ctx context.Context, m *Mail) ([]wire.Reply, error) {
	answers := make([]wire.Reply, len(m.To))
	if refusal, refused := c.unfit(m); refused {
		fill(answers, refusal)
		return answers, nil
	}
	stop := context.AfterFunc(ctx, func() { _ = c.raw.Close() }) // shows as an error of what goes on
	err := c.transaction(m, answers)
	if !stop() {
		c.broken = true
	}
	c.mails++
	if err != nil {
		c.broken = true
		if ctx.Err() != nil {
			err = errors.Join(err, ctx.Err())
		}
		return nil, err
	}
	for _, a := range answers {
		c.broken = c.broken || a.Code == 421
	}
	return answers, nil
}

// unfit tells whether the server cannot take a mail like this, and why.
func (c *Conn) unfit(m *Mail) (wire.Reply, bool) {
	e := &c.extensions
	switch {
	case e.size > 0 && m.Size > e.size:
		return wire.Reply{Code: 552, Text: fmt.Sprintf("5.3.4 The mail server takes no more than %d bytes", e.size)}, true
	case m.UTF8 && !e.utf8:
		return wire.Reply{Code: 550, Text: "5.6.7 The mail server does not take internationalized mail (SMTPUTF8)"}, true
	case m.EightBit && !e.eightBit:
		return wire.Reply{Code: 554, Text: "5.6.3 The mail server does not take 8-bit mail (8BITMIME)"}, true
	}
	return wire.Reply{}, false
}

func fill(answers []wire.Reply, with wire.Reply) {
	for i := range answers {
		answers[i] = with
	}
}

func (c *Conn) transaction(m *Mail, answers []wire.Reply) error {
	reused := c.mails > 0
	if c.dirty {
		c.put("RSET\r\n")
	}
	c.putMail(m)
	piped := c.extensions.pipelining
	first := 0
	if piped {
		first = min(len(m.To), window)
		c.putRecipients(m.To[:first])
	}
	pipedData := piped && first == len(m.To)
	if pipedData {
		c.put("DATA\r\n")
	}
	if err := c.flush(); err != nil {
		return stale(reused, err)
	}
	if c.dirty {
		if _, err := c.answer(); err != nil {
			return stale(reused, err)
		}
	}
	mail, err := c.answer()
	if err != nil {
		return stale(reused, err)
	}
	if reused && mail.Code == 421 { // its time was up
		return fmt.Errorf("%w: %s", errStale, mail)
	}
	c.dirty = true
	if err := c.recipients(m.To, answers, first, piped, mail); err != nil {
		return err
	}
	return c.data(m, answers, pipedData)
}

func stale(reused bool, err error) error {
	if reused {
		return errors.Join(errStale, err)
	}
	return err
}

func (c *Conn) putMail(m *Mail) {
	c.put("MAIL FROM:<", m.From, ">")
	if c.extensions.size > 0 {
		c.put(" SIZE=", strconv.FormatInt(m.Size, 10))
	}
	if m.EightBit {
		c.put(" BODY=8BITMIME")
	}
	if m.UTF8 {
		c.put(" SMTPUTF8")
	}
	c.put("\r\n")
}

func (c *Conn) putRecipients(to []string) {
	for _, address := range to {
		c.put("RCPT TO:<", address, ">\r\n")
	}
}

// recipients reads the answers for those named already and names the others. A sender who was refused
// is refused for everyone.
func (c *Conn) recipients(to []string, answers []wire.Reply, named int, piped bool, mail wire.Reply) error {
	if !mail.OK() && !piped {
		fill(answers, mail)
		return nil
	}
	size := 1
	if piped {
		size = window
	}
	for done := 0; done < len(to); {
		if named == done {
			if !mail.OK() {
				fill(answers[done:], mail)
				return nil
			}
			named = min(len(to), done+size)
			c.putRecipients(to[done:named])
			if err := c.flush(); err != nil {
				return err
			}
		}
		for ; done < named; done++ {
			reply, err := c.answer()
			if err != nil {
				return err
			}
			if answers[done] = reply; !mail.OK() {
				answers[done] = mail
			}
		}
	}
	return nil
}

// data sends the text if anyone is to have it. The answer to the text is the answer to all who were
// accepted before.
func (c *Conn) data(m *Mail, answers []wire.Reply, pipedData bool) error {
	accepted := 0
	for _, a := range answers {
		if a.OK() {
			accepted++
		}
	}
	if !pipedData {
		if accepted == 0 {
			return nil
		}
		c.put("DATA\r\n")
		if err := c.flush(); err != nil {
			return err
		}
	}
	reply, err := c.answer()
	if err != nil {
		return err
	}
	if reply.Code == 354 {
		if reply, err = c.text(m, accepted > 0); err != nil {
			return err
		}
	} else if reply.OK() {
		return fmt.Errorf("DATA: %s", reply)
	}
	for i, a := range answers {
		if a.OK() {
			answers[i] = reply
		}
	}
	return nil
}

// text sends the text, or none if a server with no recipients waits for one (RFC 2920 section 3.1).
func (c *Conn) text(m *Mail, wanted bool) (wire.Reply, error) {
	s := wire.NewStuffer(c.w)
	if wanted {
		if _, err := m.Text.WriteTo(s); err != nil {
			return wire.Reply{}, err
		}
	}
	if err := s.Close(); err != nil {
		return wire.Reply{}, err
	}
	if err := c.flush(); err != nil {
		return wire.Reply{}, err
	}
	if err := c.conn.SetReadDeadline(time.Now().Add(c.timeouts.Answer)); err != nil {
		return wire.Reply{}, err
	}
	reply, err := wire.ReadReply(c.r)
	if err != nil && wanted {
		return wire.Reply{}, errors.Join(ErrUncertain, err)
	}
	if err == nil && (reply.Code/100 == 3) {
		return wire.Reply{}, fmt.Errorf("end of the text: %s", reply)
	}
	c.dirty = err == nil && !reply.OK()
	return reply, err
}

// put adds to what flush sends; its errors show there.
func (c *Conn) put(parts ...string) {
	for _, s := range parts {
		_, _ = c.w.WriteString(s)
	}
}

func (c *Conn) flush() error { return c.w.Flush() }

func (c *Conn) answer() (wire.Reply, error) {
	if err := c.conn.SetReadDeadline(time.Now().Add(c.timeouts.Command)); err != nil {
		return wire.Reply{}, err
	}
	return wire.ReadReply(c.r)
}
