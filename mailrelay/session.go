package mailrelay

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"yadokari/mailrelay/wire"
)

const stopping = "421 4.3.2 the relay is stopping, try again later\r\n"

// session is one client's connection.
type session struct {
	relay *Relay
	conn  net.Conn
	r     *bufio.Reader
	w     *bufio.Writer
	ctx   context.Context // ends with the session
	end   context.CancelFunc

	helo     string
	extended bool // EHLO
	envelope *wire.Envelope
	declared int64 // SIZE of the open mail
	unwanted int   // what the last recipient of the open mail that was refused was answered; 0: none was
	text     []byte
	idle     int // commands since the last mail
	wrong    int // commands answered 5xx

	mu       sync.Mutex
	arriving bool // a text is being read or handed on: not to be interrupted
}

func newSession(r *Relay, conn net.Conn) *session {
	x := &session{relay: r, conn: conn, r: bufio.NewReaderSize(conn, 8<<10), w: bufio.NewWriterSize(conn, 1<<10)}
	x.ctx, x.end = context.WithCancel(r.deliverer)
	return x
}

// interrupt wakes a session that waits for a command.
func (x *session) interrupt() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.arriving {
		_ = x.conn.SetReadDeadline(time.Unix(1, 0)) // a failed one means that the connection has ended
	}
}

// patience sets how long the client may take.
func (x *session) patience(arriving bool, d time.Duration) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.arriving = arriving
	_ = x.conn.SetReadDeadline(time.Now().Add(d)) // a failed one shows at the next read
}

func (x *session) run() {
	defer x.end()
	defer x.conn.Close()
	defer x.reset()
	x.sayLine("220 " + x.relay.hostname + " ESMTP Yadokari")
	for {
		line, ok := x.readCommand()
		if !ok || !x.command(line) {
			break
		}
	}
	_ = x.flush() // the connection ends either way
}

// readCommand reads a command line without its CRLF. It answers for itself if there is none.
func (x *session) readCommand() (string, bool) {
	if x.mustWait() && x.flush() != nil {
		return "", false
	}
	x.patience(false, x.relay.config.Limits.Idle)
	if x.relay.refusing.Load() {
		x.cut(stopping)
		return "", false
	}
	raw, err := x.r.ReadSlice('\n')
	switch {
	case err == nil && len(raw) >= 2 && raw[len(raw)-2] == '\r':
		return string(raw[:len(raw)-2]), true
	case err == nil:
		x.sayLine("500 5.5.2 a command ends in CRLF, not in LF alone")
	case errors.Is(err, bufio.ErrBufferFull):
		x.sayLine("500 5.5.2 the command is too long")
	case x.relay.refusing.Load():
		x.cut(stopping)
	default:
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			x.cut("421 4.4.2 " + x.relay.hostname + " has waited too long\r\n")
		}
	}
	return "", false
}

// mustWait tells whether the next line has not arrived whole.
func (x *session) mustWait() bool {
	ready, _ := x.r.Peek(x.r.Buffered()) // no error: it is there
	return bytes.IndexByte(ready, '\n') < 0
}

func (x *session) flush() error {
	_ = x.conn.SetWriteDeadline(time.Now().Add(x.relay.config.Limits.Idle)) // a failed one shows at the write
	return x.w.Flush()
}

// say puts an answer into the buffer; errors show when it is flushed.
func (x *session) say(line string) { _, _ = x.w.WriteString(line) }

func (x *session) sayLine(line string) {
	x.say(line)
	x.say("\r\n")
}

// reply answers a command. It is false when the connection is to end.
func (x *session) reply(code int, text string) bool {
	x.sayLine(fmt.Sprintf("%d %s", code, text))
	if code >= 500 {
		x.wrong++
	}
	if x.wrong >= x.relay.config.Limits.Errors {
		x.cut("421 4.7.0 there were too many errors\r\n")
		return false
	}
	return code != 421
}

// cut says the 421 that ends the connection. A mail that is open then stays with the client.
func (x *session) cut(line string) {
	x.say(line)
	if x.envelope != nil {
		x.countRefused(421)
		x.envelope = nil
	}
}

// command obeys one command. It is false when the connection is to end.
func (x *session) command(line string) bool {
	if x.idle++; x.idle > x.relay.config.Limits.Commands {
		x.cut("421 4.7.0 there were too many commands without a mail\r\n")
		return false
	}
	verb, rest, err := wire.ParseCommand(line)
	if err != nil {
		return x.reply(500, "5.5.2 "+err.Error())
	}
	switch verb {
	case "EHLO", "HELO":
		return x.hello(verb, rest)
	case "MAIL":
		return x.mail(rest)
	case "RCPT":
		return x.rcpt(rest)
	case "DATA":
		return x.data(rest)
	case "RSET":
		x.reset()
		return x.reply(250, "2.0.0 ok")
	case "NOOP":
		return x.reply(250, "2.0.0 ok")
	case "QUIT":
		x.sayLine("221 2.0.0 bye")
		return false
	case "VRFY":
		return x.reply(252, "2.1.5 send it and see")
	case "HELP":
		return x.reply(214, "2.0.0 RFC 5321")
	case "EXPN", "STARTTLS", "AUTH", "BDAT", "ETRN", "TURN":
		return x.reply(502, "5.5.1 "+verb+" is not offered")
	}
	return x.reply(500, "5.5.2 there is no such command")
}

func (x *session) hello(verb, who string) bool {
	if who == "" || strings.ContainsAny(who, " \t()<>@,;:\\\"") && !strings.HasPrefix(who, "[") {
		return x.reply(501, "5.5.4 "+verb+" needs a name")
	}
	x.reset()
	x.helo, x.extended = shorten(who, 255), verb == "EHLO"
	if !x.extended {
		return x.reply(250, x.relay.hostname)
	}
	x.sayLine("250-" + x.relay.hostname)
	x.say("250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-ENHANCEDSTATUSCODES\r\n")
	x.sayLine(fmt.Sprintf("250 SIZE %d", x.relay.config.Limits.Message))
	return true
}

// reset ends the open mail. If all its recipients were refused the client had to keep it.
func (x *session) reset() {
	if x.envelope != nil && len(x.envelope.To) == 0 && x.unwanted != 0 {
		x.countRefused(x.unwanted)
	}
	x.envelope, x.declared, x.unwanted = nil, 0, 0
}

// refuse counts a mail that the client has to keep, and says so.
func (x *session) refuse(code int, text string) bool {
	x.countRefused(code)
	return x.reply(code, text)
}

// countRefused counts a mail that the client has to keep, by what it was answered.
func (x *session) countRefused(code int) {
	x.relay.queue.count(func(c *Counts) {
		if code < 500 {
			c.RefusedForNow++
		} else {
			c.RefusedForGood++
		}
	})
}
