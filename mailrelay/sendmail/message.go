package sendmail

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"mime"
	"net/mail"
	"strings"
	"time"
	"unicode/utf8"

	"yadokari/mailrelay/wire"
)

// message is a mail on its way in.
type message struct {
	from       string
	recipients []string
	text       []byte // with CRLFs
}

// build makes a message of what came on standard input.
func (o *order) build(raw []byte, c *Call, now time.Time) (*message, error) {
	header, body := split(lines(raw, o.dots))
	fields, err := parseHeader(header)
	if err != nil {
		return nil, err
	}
	m := &message{from: o.from}
	if !o.fromGiven {
		m.from = c.User
	}
	if m.from != "" {
		m.from = c.qualify(m.from)
		if err := wire.CheckAddress(m.from); err != nil {
			return nil, fmt.Errorf("sender: %w", err)
		}
	}
	if m.recipients, err = o.recipientsOf(fields, c); err != nil {
		return nil, err
	}
	m.text = append(o.header(fields, m.from, c, now), endLines(body)...)
	return m, nil
}

// recipientsOf are the arguments and, with -t, those of the header.
func (o *order) recipientsOf(fields []field, c *Call) ([]string, error) {
	var list []string
	for _, arg := range o.recipients {
		more, err := c.addresses(arg)
		if err != nil {
			return nil, fmt.Errorf("recipient %q: %w", arg, err)
		}
		list = append(list, more...)
	}
	for _, f := range fields {
		if !o.fromHeader || !f.is("to") && !f.is("cc") && !f.is("bcc") {
			continue
		}
		more, err := c.addresses(f.value())
		if err != nil {
			return nil, fmt.Errorf("header %s: %w", f.name, err)
		}
		list = append(list, more...)
	}
	return unique(list), nil
}

func unique(list []string) []string {
	seen := map[string]bool{}
	var out []string
	for _, s := range list {
		if !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out
}

// addresses are those of a list as it stands in a header. Words without a domain get our own.
func (c *Call) addresses(list string) ([]string, error) {
	list = strings.TrimSpace(list)
	if strings.ContainsFunc(list, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
		return nil, errors.New("it holds a control character")
	}
	if list == "" {
		return nil, nil
	}
	if !strings.ContainsAny(list, "@:;<\"(") { // root, or root, admin
		var out []string
		for word := range strings.FieldsFuncSeq(list, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' }) {
			out = append(out, c.qualify(word))
		}
		return out, checkAll(out)
	}
	parser := mail.AddressParser{WordDecoder: &mime.WordDecoder{}}
	parsed, err := parser.ParseList(strings.TrimRight(list, ", \t"))
	if err != nil {
		return c.mixed(list, err)
	}
	out := make([]string, len(parsed))
	for i, a := range parsed {
		out[i] = a.Address
	}
	return out, checkAll(out)
}

// mixed reads a list in which some words have no domain: "root, Ann <ann@example.com>".
func (c *Call) mixed(list string, cause error) ([]string, error) {
	if strings.ContainsAny(list, "\"(:;") {
		return nil, cause
	}
	var out []string
	for part := range strings.SplitSeq(list, ",") {
		part = strings.TrimSpace(part)
		if strings.Contains(part, "@") {
			a, err := mail.ParseAddress(part)
			if err != nil {
				return nil, err
			}
			out = append(out, a.Address)
			continue
		}
		if i := strings.IndexByte(part, '<'); i >= 0 {
			part = strings.TrimSuffix(part[i+1:], ">")
		}
		if part != "" {
			out = append(out, c.qualify(part))
		}
	}
	return out, checkAll(out)
}

func checkAll(list []string) error {
	for _, a := range list {
		if err := wire.CheckAddress(a); err != nil {
			return err
		}
	}
	return nil
}

func (c *Call) qualify(address string) string {
	if strings.Contains(address, "@") {
		return address
	}
	return address + "@" + c.Hostname
}

// header writes the header with what is missing, and without what only we were to read.
func (o *order) header(fields []field, from string, c *Call, now time.Time) []byte {
	var b bytes.Buffer
	has := map[string]bool{}
	for _, f := range fields {
		has[strings.ToLower(f.name)] = true
	}
	if !has["date"] {
		fmt.Fprintf(&b, "Date: %s\r\n", now.Format(time.RFC1123Z))
	}
	if !has["message-id"] {
		fmt.Fprintf(&b, "Message-ID: <%s@%s>\r\n", rand.Text(), c.Hostname)
	}
	if !has["from"] {
		author := from
		if author == "" {
			author = "MAILER-DAEMON@" + c.Hostname
		}
		fmt.Fprintf(&b, "From: %s\r\n", authorLine(o.fullName, author))
	}
	for _, f := range fields {
		if !f.is("bcc") && !f.is("return-path") {
			b.Write(f.raw)
		}
	}
	b.WriteString("\r\n")
	return b.Bytes()
}

// authorLine cannot be made to hold a line of its own: net/mail encodes what is not printable.
func authorLine(fullName, address string) string {
	if fullName == "" {
		return address
	}
	if !utf8.ValidString(fullName) || strings.ContainsAny(fullName, "\r\n\x00") {
		fullName = strings.Map(func(r rune) rune {
			if r < ' ' || r == utf8.RuneError {
				return ' '
			}
			return r
		}, fullName)
	}
	return (&mail.Address{Name: fullName, Address: address}).String()
}
