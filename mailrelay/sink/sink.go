// Package sink is a mail server for tests: it follows a script and remembers what it took. It shares
// no code with the relay, so that a mistake in one does not hide a mistake in the other.
package sink

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"net"
	"strings"
	"sync"
	"time"
)

// Mail is a mail the server took.
type Mail struct {
	From string   // with its parameters: "a@b> SIZE=5" is "a@b" and in Params
	To   []string // the recipients that were accepted
	Text string   // with its CRLFs, dots taken off
	Args string   // the parameters of MAIL
}

// Script says how the server behaves. The zero value takes everything and offers PIPELINING, 8BITMIME,
// SMTPUTF8 and SIZE. Functions are called without locks; an empty answer is the usual one; "close"
// ends the connection.
type Script struct {
	Greeting   string   // instead of "220 sink"
	Extensions []string // instead of the usual ones
	TLS        *tls.Config
	Implicit   bool // TLS from the first byte
	User, Pass string
	OnMail     func(from string) string
	OnRcpt     func(to string) string
	OnData     func() string
	OnText     func(m Mail) string // "close": take the mail and say nothing
}

// Server is a running mail server.
type Server struct {
	script Script
	ln     net.Listener

	mu    sync.Mutex
	mails []Mail
	conns map[net.Conn]bool
	total int
	wg    sync.WaitGroup
}

// New returns a server that serves connections given to Serve.
func New(script Script) *Server { return &Server{script: script, conns: map[net.Conn]bool{}} }

// Listen returns a server on a free port of the address, such as 127.0.0.1.
func Listen(address string, script Script) (*Server, error) {
	ln, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	s := New(script)
	s.ln = ln
	s.wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			s.wg.Go(func() { s.Serve(c) })
		}
	})
	return s, nil
}

// Addr is host:port.
func (s *Server) Addr() string { return s.ln.Addr().String() }

// Close ends the server and its connections.
func (s *Server) Close() {
	if s.ln != nil {
		_ = s.ln.Close() // for a test that ends
	}
	s.mu.Lock()
	for c := range s.conns {
		_ = c.Close()
	}
	s.mu.Unlock()
	s.wg.Wait()
}

// Mails are the mails taken so far.
func (s *Server) Mails() []Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Mail(nil), s.mails...)
}

// Connections tells how many connections there have been.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.total
}

// Serve serves one connection until it ends.
func (s *Server) Serve(conn net.Conn) {
	s.mu.Lock()
	s.conns[conn] = true
	s.total++
	s.mu.Unlock()
	defer func() {
		_ = conn.Close()
		s.mu.Lock()
		delete(s.conns, conn)
		s.mu.Unlock()
	}()
	x := &session{s: s, conn: conn}
	if s.script.Implicit {
		x.conn = tls.Server(conn, s.script.TLS)
		x.secure = true
	}
	x.r = bufio.NewReader(x.conn)
	if x.say(or(s.script.Greeting, "220 sink")) {
		for x.command() {
		}
	}
}

type session struct {
	s      *Server
	conn   net.Conn
	r      *bufio.Reader
	secure bool
	logged bool
	mail   Mail
	open   bool
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func (x *session) say(line string) bool {
	if line == "close" {
		return false
	}
	_ = x.conn.SetWriteDeadline(time.Now().Add(10 * time.Second)) // the write says whether the connection lives
	_, err := x.conn.Write([]byte(line + "\r\n"))
	return err == nil
}

func (x *session) line() (string, bool) {
	line, err := x.r.ReadString('\n')
	return strings.TrimSuffix(line, "\r\n"), err == nil && strings.HasSuffix(line, "\r\n")
}

func call(f func(string) string, arg, usual string) string {
	if f == nil {
		return usual
	}
	return or(f(arg), usual)
}

func (x *session) command() bool {
	line, ok := x.line()
	if !ok {
		return false
	}
	s := &x.s.script
	verb, rest, _ := strings.Cut(line, " ")
	switch strings.ToUpper(verb) {
	case "EHLO":
		return x.ehlo()
	case "HELO", "NOOP":
		return x.say("250 sink")
	case "RSET":
		x.mail, x.open = Mail{}, false
		return x.say("250 ok")
	case "STARTTLS":
		return x.startTLS()
	case "AUTH":
		return x.auth(rest)
	case "MAIL":
		if s.User != "" && !x.logged {
			return x.say("530 5.7.0 log in first")
		}
		if x.open {
			return x.say("503 5.5.1 a mail is open")
		}
		from, args, _ := strings.Cut(strings.TrimPrefix(rest, "FROM:<"), ">")
		x.mail = Mail{From: from, Args: strings.TrimSpace(args)}
		answer := call(s.OnMail, from, "250 2.1.0 ok")
		x.open = answer[0] == '2'
		return x.say(answer)
	case "RCPT":
		if !x.open {
			return x.say("503 5.5.1 no mail is open")
		}
		to := strings.TrimSuffix(strings.TrimPrefix(rest, "TO:<"), ">")
		answer := call(s.OnRcpt, to, "250 2.1.5 ok")
		if answer[0] == '2' {
			x.mail.To = append(x.mail.To, to)
		}
		return x.say(answer)
	case "DATA":
		return x.data()
	case "QUIT":
		x.say("221 bye")
		return false
	}
	return x.say("500 5.5.2 what?")
}

func (x *session) ehlo() bool {
	s := &x.s.script
	list := s.Extensions
	if list == nil {
		list = []string{"PIPELINING", "8BITMIME", "SMTPUTF8", "SIZE 100000000"}
	}
	if s.TLS != nil && !x.secure {
		list = append(list[:len(list):len(list)], "STARTTLS")
	}
	answer := "250-sink\r\n"
	for _, e := range list {
		answer += "250-" + e + "\r\n"
	}
	return x.say(answer + "250 HELP")
}

func (x *session) startTLS() bool {
	if !x.say("220 go on") {
		return false
	}
	x.conn = tls.Server(x.conn, x.s.script.TLS)
	x.r = bufio.NewReader(x.conn)
	x.secure = true
	return true
}

func (x *session) auth(rest string) bool {
	s := &x.s.script
	way, initial, _ := strings.Cut(rest, " ")
	var got string
	if way == "PLAIN" {
		raw, _ := base64.StdEncoding.DecodeString(initial)
		got = string(raw)
	} else {
		got = "\x00" + x.prompt("Username:") + "\x00" + x.prompt("Password:")
	}
	x.logged = got == "\x00"+s.User+"\x00"+s.Pass
	if !x.logged {
		return x.say("535 5.7.8 wrong")
	}
	return x.say("235 2.7.0 welcome")
}

func (x *session) prompt(text string) string {
	x.say("334 " + base64.StdEncoding.EncodeToString([]byte(text)))
	line, _ := x.line()
	raw, _ := base64.StdEncoding.DecodeString(line)
	return string(raw)
}

func (x *session) data() bool {
	s := &x.s.script
	if len(x.mail.To) == 0 {
		return x.say("554 5.5.1 no recipients")
	}
	if s.OnData != nil {
		if answer := s.OnData(); answer != "" {
			return x.say(answer)
		}
	}
	if !x.say("354 go on") {
		return false
	}
	var text bytes.Buffer
	for {
		line, ok := x.line()
		if !ok {
			return false // the connection broke, or a line ended in a bare LF
		}
		if line == "." {
			break
		}
		text.WriteString(strings.TrimPrefix(line, "."))
		text.WriteString("\r\n")
	}
	m := x.mail
	m.Text = text.String()
	x.mail, x.open = Mail{}, false
	answer := "250 2.0.0 taken"
	if s.OnText != nil {
		answer = or(s.OnText(m), answer)
	}
	if answer[0] == '2' || answer == "close" {
		x.s.mu.Lock()
		x.s.mails = append(x.s.mails, m)
		x.s.mu.Unlock()
	}
	return x.say(answer)
}
