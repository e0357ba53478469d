package upstream

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"yadokari/mailrelay/wire"
)

// Conn is a connection to the mail server, greeted and logged in. One mail at a time goes over it.
type Conn struct {
	raw        net.Conn // closed to end what goes on
	conn       net.Conn // raw, or TLS over it
	r          *bufio.Reader
	w          *bufio.Writer
	from       *endpoint
	timeouts   *Timeouts
	extensions extensions
	born       time.Time
	idleSince  time.Time
	mails      int
	dirty      bool // the last mail ended early: RSET comes first
	broken     bool // not to be used again
}

// extensions are what the server offers.
type extensions struct {
	pipelining, eightBit, utf8, startTLS bool
	plain, login                         bool  // ways to log in
	size                                 int64 // the largest mail; 0: not said
}

func parseExtensions(text string) (e extensions) {
	for line := range strings.SplitSeq(text, "\n") {
		keyword, rest, _ := strings.Cut(line, " ")
		switch strings.ToUpper(keyword) {
		case "PIPELINING":
			e.pipelining = true
		case "8BITMIME":
			e.eightBit = true
		case "SMTPUTF8":
			e.utf8 = true
		case "STARTTLS":
			e.startTLS = true
		case "SIZE":
			e.size, _ = strconv.ParseInt(strings.TrimSpace(rest), 10, 64) // an odd size says nothing
		case "AUTH":
			for way := range strings.FieldsSeq(strings.ToUpper(rest)) {
				e.plain = e.plain || way == "PLAIN"
				e.login = e.login || way == "LOGIN"
			}
		}
	}
	return e
}

// connect dials one address and does all that comes before the first mail.
func (p *Pool) connect(ctx context.Context, e *endpoint) (*Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, p.config.Timeouts.Connect)
	defer cancel()
	raw, err := p.dial(ctx, "tcp", e.addr.String())
	if err != nil {
		return nil, err
	}
	c := &Conn{raw: raw, conn: raw, from: e, timeouts: &p.config.Timeouts, born: time.Now()}
	stop := context.AfterFunc(ctx, func() { _ = raw.Close() }) // shows as an error of what goes on
	err = p.greet(ctx, c)
	if !stop() {
		err = errors.Join(err, ctx.Err())
	}
	if err != nil {
		_ = raw.Close() // it may be closed already
		return nil, fmt.Errorf("%s: %w", e.addr, err)
	}
	return c, nil
}

func (p *Pool) greet(ctx context.Context, c *Conn) error {
	if p.config.TLS == TLSImplicit {
		if err := p.secure(ctx, c); err != nil {
			return err
		}
	}
	c.use(c.conn)
	if reply, err := wire.ReadReply(c.r); err != nil {
		return fmt.Errorf("greeting: %w", err)
	} else if reply.Code != 220 {
		return fmt.Errorf("greeting: %s", reply)
	}
	if err := p.hello(c); err != nil {
		return err
	}
	if p.config.TLS == TLSStart {
		if err := p.startTLS(ctx, c); err != nil {
			return err
		}
	}
	if p.config.Auth != nil {
		return p.logIn(c)
	}
	return nil
}

func (c *Conn) use(conn net.Conn) {
	c.conn, c.r, c.w = conn, bufio.NewReaderSize(conn, 4<<10), bufio.NewWriterSize(deadlineWriter{conn, c.timeouts.Data}, 16<<10)
}

func (p *Pool) hello(c *Conn) error {
	reply, err := c.ask("EHLO " + p.hostname)
	if err == nil && reply.Permanent() {
		reply, err = c.ask("HELO " + p.hostname)
		reply.Text = ""
	}
	if err != nil {
		return fmt.Errorf("EHLO: %w", err)
	}
	if !reply.OK() {
		return fmt.Errorf("EHLO: %s", reply)
	}
	c.extensions = parseExtensions(reply.Text)
	return nil
}

func (p *Pool) startTLS(ctx context.Context, c *Conn) error {
	if !c.extensions.startTLS {
		return errors.New("the server does not offer STARTTLS, which is demanded")
	}
	reply, err := c.ask("STARTTLS")
	if err != nil || reply.Code != 220 {
		return errors.Join(fmt.Errorf("STARTTLS: %s", reply), err)
	}
	if c.r.Buffered() > 0 { // what was sent in the clear must not count as sent over TLS
		return errors.New("STARTTLS: the server went on in the clear")
	}
	if err := p.secure(ctx, c); err != nil {
		return err
	}
	c.use(c.conn)
	return p.hello(c)
}

func (p *Pool) secure(ctx context.Context, c *Conn) error {
	config := &tls.Config{ServerName: p.config.ServerName, MinVersion: tls.VersionTLS12}
	if config.ServerName == "" {
		config.ServerName = p.host
	}
	if p.config.CA != "" {
		pem, err := os.ReadFile(p.config.CA)
		if err != nil {
			return fmt.Errorf("CA: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return fmt.Errorf("CA: %s holds no certificate", p.config.CA)
		}
	}
	secured := tls.Client(c.conn, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("TLS: %w", err)
	}
	c.conn = secured
	return nil
}

// ask sends one command and reads the answer.
func (c *Conn) ask(command string) (wire.Reply, error) {
	if _, err := c.w.WriteString(command + "\r\n"); err != nil {
		return wire.Reply{}, err
	}
	if err := c.w.Flush(); err != nil {
		return wire.Reply{}, err
	}
	return wire.ReadReply(c.r)
}

// Peer is the server's address.
func (c *Conn) Peer() string { return c.from.addr.String() }

// quit takes leave without waiting for an answer.
func (c *Conn) quit() {
	_ = c.conn.SetDeadline(time.Now().Add(time.Second)) // courtesy only: errors change nothing
	if !c.broken {
		_, _ = c.conn.Write([]byte("QUIT\r\n"))
		_, _ = c.conn.Read(make([]byte, 512)) // the server closes first: no port of ours waits in TIME_WAIT
	}
	_ = c.raw.Close()
}
