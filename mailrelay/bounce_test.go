package mailrelay

import (
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"testing"

	"yadokari/mailrelay/sink"
	"yadokari/mailrelay/wire"
)

// bounceOf sends a mail and returns the bounce of it.
func bounceOf(t *testing.T, script sink.Script, from, params string, to []string, text string) sink.Mail {
	t.Helper()
	c := settings()
	s := upstreamFor(t, &c, script)
	r := start(t, c, Options{})
	x := connect(t, r)
	x.say("EHLO client.test", "250")
	x.say("MAIL FROM:<"+from+">"+params, "250")
	for _, one := range to {
		x.say("RCPT TO:<"+one+">", "250")
	}
	x.say("DATA", "354")
	x.write(text + ".\r\n")
	x.expect("250")
	until(t, func() bool { return len(s.Mails()) == 1 || r.Counts().Messages == 0 })
	if n := r.Counts(); len(s.Mails()) != 1 || n.Mails.Notices != 1 {
		t.Fatalf("nobody is told: %+v", n)
	}
	return s.Mails()[0]
}

// readBounce takes a bounce apart as RFC 6522 has it: type and decoded text of each part.
func readBounce(t *testing.T, text string) (kinds, texts []string) {
	t.Helper()
	m, err := mail.ReadMessage(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/report" || params["report-type"] != "delivery-status" {
		t.Fatal(kind, params, err)
	}
	parts := multipart.NewReader(m.Body, params["boundary"])
	for {
		p, err := parts.NextRawPart()
		if err == io.EOF {
			return kinds, texts
		}
		if err != nil {
			t.Fatal(err)
		}
		var body io.Reader = p
		switch code := p.Header.Get("Content-Transfer-Encoding"); code {
		case "quoted-printable":
			body = quotedprintable.NewReader(p)
		case "", "8bit":
			raw, err := io.ReadAll(p)
			if err != nil || code == "" && !wire.ASCII(raw) {
				t.Errorf("%v: not what %q promises: %q", err, code, raw)
			}
			body = strings.NewReader(string(raw))
		default:
			t.Fatal(code)
		}
		decoded, err := io.ReadAll(body)
		if err != nil {
			t.Fatal(err)
		}
		kinds, texts = append(kinds, p.Header.Get("Content-Type")), append(texts, string(decoded))
	}
}

// A server that refuses a mail for what it does not offer must be able to take what tells of it.
func TestBounceNeedsNoMoreThanItsSender(t *testing.T) {
	const header = "Subject: gr\xc3\xbc\xc3\x9fe\r\n"
	for _, c := range []struct {
		name, params string
		to           []string
		text         string
		status       string
		kind, kept   string
	}{
		{
			"SMTPUTF8", " SMTPUTF8 BODY=8BITMIME", to("jos\u00e9+x@y.test"), header + "\r\nhi\r\n",
			`Final-Recipient: utf-8; jos\x{E9}\x{2B}x@y.test`, "message/global-headers", header,
		},
		{
			"8BITMIME", " BODY=8BITMIME", to("x@y.test"), header + "\r\nhi\r\n",
			"Final-Recipient: rfc822; x@y.test", "text/rfc822-headers", header,
		},
		{
			"Latin-1", " BODY=8BITMIME", to("x@y.test"), "Subject: gr\xfc\xdfe\r\n\r\nhi\r\n",
			"Final-Recipient: rfc822; x@y.test", "text/rfc822-headers", "Subject: gr\xfc\xdfe\r\n",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := bounceOf(t, sink.Script{Extensions: []string{"PIPELINING"}}, "a@b.test", c.params, c.to, c.text)
			if m.From != "" || len(m.To) != 1 || m.To[0] != "a@b.test" || strings.Contains(m.Args, "UTF8") || !wire.ASCII(m.Text) {
				t.Errorf("%q %q %q\n%s", m.From, m.To, m.Args, m.Text)
			}
			kinds, texts := readBounce(t, m.Text)
			if len(kinds) != 3 || kinds[1] != "message/delivery-status" || kinds[2] != c.kind {
				t.Fatal(kinds)
			}
			if !strings.Contains(texts[0], "<"+c.to[0]+">") || !strings.Contains(texts[1], c.status) || !strings.Contains(texts[2], c.kept) {
				t.Errorf("%q", texts)
			}
		})
	}
}

// A sender whose address needs SMTPUTF8 gets all of it as it is.
func TestBounceToInternationalSender(t *testing.T) {
	const rcpt = "jos\u00e9@y.test"
	script := sink.Script{OnRcpt: func(to string) string {
		if to == rcpt {
			return "550 5.1.1 nobody here, d\u00e9sol\u00e9"
		}
		return ""
	}}
	m := bounceOf(t, script, "ren\u00e9@b.test", " SMTPUTF8", to(rcpt), "Subject: gr\u00fc\u00dfe\r\n\r\nhi\r\n")
	if !strings.Contains(m.Args, "SMTPUTF8") || !strings.Contains(m.Args, "BODY=8BITMIME") {
		t.Errorf("%q", m.Args)
	}
	kinds, texts := readBounce(t, m.Text)
	if len(kinds) != 3 || kinds[1] != "message/global-delivery-status" || kinds[2] != "message/global-headers" {
		t.Fatal(kinds)
	}
	if !strings.Contains(texts[1], "Final-Recipient: utf-8; "+rcpt+"\r\n") || !strings.Contains(texts[1], "d\u00e9sol\u00e9") || !strings.Contains(texts[2], "gr\u00fc\u00dfe") {
		t.Errorf("%q", texts)
	}
	if !strings.Contains(m.Text, "\r\nContent-Transfer-Encoding: 8bit\r\n") {
		t.Error(m.Text)
	}
}
