package mailrelay

import (
	"bytes"
	"fmt"
	"mime/quotedprintable"
	"strings"
	"time"
	"unicode/utf8"

	"yadokari/mailrelay/wire"
)

// bounce writes a delivery status notification (RFC 3464) with the header of the mail. It is international (RFC
// 6533) only if the sender's own address is. Any other sender gets 7 bits, whatever the mail was: a server that
// refuses a mail for want of SMTPUTF8 or 8BITMIME would refuse what tells of it as well, and nobody would know.
func (r *Relay) bounce(own uint64, e *wire.Envelope, header []byte, failures []failure, international bool) []byte {
	parts := []part{
		{"text/plain; charset=utf-8", words(failures)},
		r.deliveryStatus(e, failures, international),
		{"text/rfc822-headers", header},
	}
	if !wire.ASCII(header) && e.UTF8 && utf8.Valid(header) {
		parts[2].kind = "message/global-headers"
	}
	var b bytes.Buffer
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\r\n", args...) }
	boundary := name(own) + "/" + r.hostname
	line("Date: %s", time.Now().Format(time.RFC1123Z))
	line("From: Mail Delivery System <MAILER-DAEMON@%s>", r.hostname)
	line("To: <%s>", e.From)
	line("Subject: Undelivered Mail Returned to Sender")
	line("Message-ID: <%s@%s>", name(own), r.hostname)
	line("Auto-Submitted: auto-replied")
	line("MIME-Version: 1.0")
	line("Content-Type: multipart/report; report-type=delivery-status; boundary=%q", boundary)
	if international {
		line("Content-Transfer-Encoding: 8bit")
	}
	line("")
	for _, p := range parts {
		line("--%s\r\nContent-Type: %s", boundary, p.kind)
		p.write(&b, international)
		line("")
	}
	line("--%s--", boundary)
	return b.Bytes()
}

// part is one part of a bounce.
type part struct {
	kind string
	text []byte // its lines end in CRLF
}

// write writes what follows the part's type.
func (p part) write(b *bytes.Buffer, eightBit bool) {
	switch {
	case wire.ASCII(p.text):
		b.WriteString("\r\n")
		b.Write(p.text)
	case eightBit && utf8.Valid(p.text):
		b.WriteString("Content-Transfer-Encoding: 8bit\r\n\r\n")
		b.Write(p.text)
	default:
		b.WriteString("Content-Transfer-Encoding: quoted-printable\r\n\r\n")
		w := quotedprintable.NewWriter(b)
		_, _ = w.Write(p.text) // into memory
		_ = w.Close()
	}
}

// words is the part that people read.
func words(failures []failure) []byte {
	var b bytes.Buffer
	b.WriteString("Your mail could not be delivered to:\r\n\r\n")
	for _, f := range failures {
		fmt.Fprintf(&b, "  <%s>\r\n    %s\r\n", f.to, fold(f.reply.String()))
	}
	return b.Bytes()
}

// deliveryStatus is the part that programs read.
func (r *Relay) deliveryStatus(e *wire.Envelope, failures []failure, international bool) part {
	p := part{kind: "message/delivery-status"}
	if international {
		p.kind = "message/global-delivery-status"
	}
	var b bytes.Buffer
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\r\n", args...) }
	line("Reporting-MTA: dns; %s", r.hostname)
	line("Arrival-Date: %s", e.Accepted.Format(time.RFC1123Z))
	for _, f := range failures {
		why := fold(f.reply.String())
		if !international {
			why = strings.Map(sevenBit, why)
		}
		line("\r\nFinal-Recipient: %s\r\nAction: failed", f.recipient(international))
		line("Status: %s\r\nDiagnostic-Code: smtp; %s", f.status(), why)
	}
	p.text = b.Bytes()
	return p
}

// recipient is the address with its type, in 7 bits (utf-8-addr-xtext of RFC 6533 section 3) unless 8 may be.
func (f failure) recipient(eightBit bool) string {
	if wire.ASCII(f.to) {
		return "rfc822; " + f.to
	}
	if eightBit {
		return "utf-8; " + f.to
	}
	var b strings.Builder
	for _, c := range f.to {
		if c <= ' ' || c >= 0x7f || c == '\\' || c == '+' || c == '=' {
			fmt.Fprintf(&b, `\x{%02X}`, c)
		} else {
			b.WriteRune(c)
		}
	}
	return "utf-8; " + b.String()
}

func sevenBit(r rune) rune {
	if r >= 0x80 {
		return '?'
	}
	return r
}
