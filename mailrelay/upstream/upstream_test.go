package upstream

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"yadokari/mailrelay/sink"
	"yadokari/mailrelay/wire"
)

func settings(address string) Config {
	return Config{
		Address: address, TLS: TLSOff, Connections: 4, Reuse: Reuse{Mails: 10, Time: time.Minute, Idle: 10 * time.Second}, Resolve: 30 * time.Second,
		Timeouts: Timeouts{Connect: 5 * time.Second, Command: 5 * time.Second, Data: 5 * time.Second, Answer: 5 * time.Second},
	}
}

func serve(t *testing.T, script sink.Script) *sink.Server {
	t.Helper()
	s, err := sink.Listen("127.0.0.1:0", script)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func pool(t *testing.T, c Config, o Options) *Pool {
	t.Helper()
	o.Hostname, o.Unreachable = "relay.test", 30*time.Second
	p, err := New(c, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func mail(to ...string) *Mail {
	text := "Subject: x\r\n\r\n.dots\r\n"
	return &Mail{Envelope: wire.Envelope{From: "a@b.test", To: to}, Size: int64(len(text)), Text: stringText(text)}
}

type stringText string

func (s stringText) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write([]byte(s))
	return int64(n), err
}

func send(p *Pool, m *Mail) ([]wire.Reply, error) {
	c, err := p.Get(context.Background())
	if err != nil {
		return nil, err
	}
	return p.Deliver(context.Background(), c, m)
}

func codes(answers []wire.Reply) string {
	var list []string
	for _, a := range answers {
		list = append(list, fmt.Sprint(a.Code))
	}
	return strings.Join(list, " ")
}

func TestAnswers(t *testing.T) {
	rcpt := func(to string) string {
		switch to {
		case "bad@y.test":
			return "550 5.1.1 no"
		case "later@y.test":
			return "451 4.2.0 later"
		}
		return ""
	}
	all := []string{"good@y.test", "bad@y.test", "later@y.test"}
	for name, c := range map[string]struct {
		script sink.Script
		to     []string
		want   string
	}{
		"each for itself":    {sink.Script{OnRcpt: rcpt}, all, "250 550 451"},
		"nobody":             {sink.Script{OnRcpt: rcpt}, all[1:], "550 451"},
		"sender refused":     {sink.Script{OnMail: func(string) string { return "553 5.1.8 no" }}, all, "553 553 553"},
		"text refused":       {sink.Script{OnRcpt: rcpt, OnText: func(sink.Mail) string { return "554 5.7.1 spam" }}, all, "554 550 451"},
		"DATA refused":       {sink.Script{OnData: func() string { return "451 4.3.0 later" }}, all, "451 451 451"},
		"too large":          {sink.Script{Extensions: []string{"SIZE 10"}}, all, "552 552 552"},
		"more than a window": {sink.Script{}, strings.Fields(strings.Repeat("x@y.test ", 250)), strings.TrimSpace(strings.Repeat("250 ", 250))},
	} {
		for _, piped := range []bool{true, false} {
			script := c.script
			if script.Extensions == nil && !piped {
				script.Extensions = []string{"8BITMIME"}
			}
			s := serve(t, script)
			p := pool(t, settings(s.Addr()), Options{})
			for range 2 { // the second mail finds the connection as the first has left it
				answers, err := send(p, mail(c.to...))
				if err != nil || codes(answers) != c.want {
					t.Errorf("%s, pipelining %v: %v %v", name, piped, codes(answers), err)
				}
			}
			for _, m := range s.Mails() {
				if m.Text != "Subject: x\r\n\r\n.dots\r\n" || m.From != "a@b.test" {
					t.Errorf("%s: %+v", name, m)
				}
			}
			if s.Connections() != 1 {
				t.Errorf("%s: %d connections", name, s.Connections())
			}
		}
	}
}

func TestExtensions(t *testing.T) {
	plain := serve(t, sink.Script{Extensions: []string{"PIPELINING"}})
	rich := serve(t, sink.Script{})
	for _, c := range []struct {
		eight, utf8 bool
		plain, rich string
		args        string
	}{
		{true, false, "554", "250", "SIZE=21 BODY=8BITMIME"},
		{false, true, "550", "250", "SIZE=21 SMTPUTF8"},
		{false, false, "250", "250", "SIZE=21"},
	} {
		m := mail("x@y.test")
		m.EightBit, m.UTF8 = c.eight, c.utf8
		a, err := send(pool(t, settings(plain.Addr()), Options{}), m)
		b, err2 := send(pool(t, settings(rich.Addr()), Options{}), m)
		if errors.Join(err, err2) != nil || codes(a) != c.plain || codes(b) != c.rich {
			t.Errorf("%+v: %v %v %v %v", c, codes(a), codes(b), err, err2)
		}
		if got := rich.Mails(); got[len(got)-1].Args != c.args {
			t.Errorf("%+v: %q", c, got[len(got)-1].Args)
		}
	}
}

func TestUncertain(t *testing.T) {
	s := serve(t, sink.Script{OnText: func(sink.Mail) string { return "close" }})
	_, err := send(pool(t, settings(s.Addr()), Options{}), mail("x@y.test"))
	if !errors.Is(err, ErrUncertain) {
		t.Errorf("the answer is missing: %v", err)
	}
}

type brokenText struct{}

var errBroken = errors.New("broken")

func (brokenText) WriteTo(w io.Writer) (int64, error) {
	n, _ := io.WriteString(w, strings.Repeat("x", 100000))
	return int64(n), errBroken
}

// A text that turns out to be damaged is never ended: the server must not take it.
func TestBrokenTextIsNotEnded(t *testing.T) {
	s := serve(t, sink.Script{})
	m := mail("x@y.test")
	m.Text = brokenText{}
	if _, err := send(pool(t, settings(s.Addr()), Options{}), m); !errors.Is(err, errBroken) || len(s.Mails()) > 0 {
		t.Errorf("%v, %d mails", err, len(s.Mails()))
	}
}

func TestReuse(t *testing.T) {
	s := serve(t, sink.Script{})
	p := pool(t, settings(s.Addr()), Options{})
	for range 35 {
		if _, err := send(p, mail("x@y.test")); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.Connections(); got != 4 {
		t.Errorf("35 mails, 10 a connection, took %d connections", got)
	}
}

// pipes is a network of sinks in fake time, by address.
type pipes struct {
	servers map[string]*sink.Server
	running sync.WaitGroup
}

func (n *pipes) dial(_ context.Context, _, address string) (net.Conn, error) {
	s := n.servers[address]
	if s == nil {
		return nil, errors.New("refused")
	}
	ours, theirs := net.Pipe()
	n.running.Go(func() { s.Serve(theirs) })
	return ours, nil
}

func addresses(last ...byte) []netip.Addr {
	var list []netip.Addr
	for _, b := range last {
		list = append(list, netip.AddrFrom4([4]byte{10, 0, 0, b}))
	}
	return list
}

func TestReuseEndsByTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &pipes{servers: map[string]*sink.Server{"10.0.0.1:25": sink.New(sink.Script{})}}
		c := settings("10.0.0.1:25")
		c.Reuse.Mails = 1000
		p := pool(t, c, Options{Dial: n.dial})
		for range 130 {
			if _, err := send(p, mail("x@y.test")); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		p.Close()
		n.running.Wait()
		if got := n.servers["10.0.0.1:25"].Connections(); got != 3 {
			t.Errorf("130 s, 60 s a connection, took %d connections", got)
		}
	})
}

// Every address gets mail; a slow one gets less, a dead one none, and one that comes back some.
func TestSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		takes := func(d time.Duration) sink.Script {
			return sink.Script{OnText: func(sink.Mail) string { time.Sleep(d); return "" }}
		}
		fast, slow := sink.New(takes(10*time.Millisecond)), sink.New(takes(500*time.Millisecond))
		other, back := sink.New(takes(10*time.Millisecond)), sink.New(takes(10*time.Millisecond))
		n := &pipes{servers: map[string]*sink.Server{"10.0.0.1:25": fast, "10.0.0.2:25": slow, "10.0.0.3:25": other}}
		var mu sync.Mutex
		dial := func(ctx context.Context, network, address string) (net.Conn, error) {
			mu.Lock()
			defer mu.Unlock()
			return n.dial(ctx, network, address)
		}
		p := pool(t, settings("mail.test:25"), Options{Dial: dial, Resolve: func(context.Context, string) ([]netip.Addr, error) {
			return addresses(1, 2, 3, 4), nil
		}})
		load := func(d time.Duration) {
			var clients sync.WaitGroup
			for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
				clients.Go(func() {
					if _, err := send(p, mail("x@y.test")); err != nil {
						t.Error(err)
					}
				})
			}
			clients.Wait()
		}
		load(20 * time.Second)
		f, s, o := len(fast.Mails()), len(slow.Mails()), len(other.Mails())
		if f < 1000 || o < 1000 || s == 0 || s > f/10 {
			t.Errorf("fast %d, other fast %d, slow %d", f, o, s)
		}
		mu.Lock()
		n.servers["10.0.0.4:25"] = back
		mu.Unlock()
		load(60 * time.Second)
		if got := len(back.Mails()); got < 1000 {
			t.Errorf("the one that came back got %d", got)
		}
		p.Close()
		n.running.Wait()
	})
}

func TestNameChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, two := sink.New(sink.Script{}), sink.New(sink.Script{})
		n := &pipes{servers: map[string]*sink.Server{"10.0.0.1:25": one, "10.0.0.2:25": two}}
		now := addresses(1)
		p := pool(t, settings("mail.test:25"), Options{Dial: n.dial, Resolve: func(context.Context, string) ([]netip.Addr, error) {
			if now == nil {
				return nil, errors.New("no such name")
			}
			return now, nil
		}})
		try := func() {
			if _, err := send(p, mail("x@y.test")); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		try()
		now = addresses(2)
		time.Sleep(31 * time.Second)
		try() // starts the look-up
		try()
		now = nil
		time.Sleep(31 * time.Second)
		try()
		try()
		if len(one.Mails()) != 2 || len(two.Mails()) != 3 {
			t.Errorf("%d and %d mails", len(one.Mails()), len(two.Mails()))
		}
		p.Close()
		n.running.Wait()
	})
}

func TestServerClosesIdleConnection(t *testing.T) {
	script := sink.Script{}
	s := serve(t, script)
	p := pool(t, settings(s.Addr()), Options{})
	if _, err := send(p, mail("x@y.test")); err != nil {
		t.Fatal(err)
	}
	addr := s.Addr()
	s.Close()
	again, err := sink.Listen(addr, script)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if a, err := send(p, mail("x@y.test")); err != nil || codes(a) != "250" {
		t.Errorf("%v %v", a, err)
	}
}

func TestUnreachable(t *testing.T) {
	p := pool(t, settings("127.0.0.1:1"), Options{})
	var u *Unreachable
	if _, err := p.Get(context.Background()); !errors.As(err, &u) || !u.Until.After(time.Now()) {
		t.Errorf("%v", err)
	}
	if _, down := p.Down(); !down || p.Status()[0].Cause == "" {
		t.Errorf("%+v", p.Status())
	}
}

// certificate returns a server's TLS settings and the file of the authority.
func certificate(t *testing.T) (*tls.Config, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mail.test"}, DNSNames: []string{"mail.test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, file
}

func TestTLSAndAuth(t *testing.T) {
	server, ca := certificate(t)
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte("s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		script     sink.Script
		tls        string
		serverName string
		user       string
		problem    string
	}{
		"starttls, plain":  {sink.Script{TLS: server, User: "u", Pass: "s3cret", Extensions: []string{"AUTH LOGIN PLAIN"}}, TLSStart, "mail.test", "u", ""},
		"implicit, login":  {sink.Script{TLS: server, Implicit: true, User: "u", Pass: "s3cret", Extensions: []string{"AUTH LOGIN"}}, TLSImplicit, "mail.test", "u", ""},
		"wrong password":   {sink.Script{TLS: server, User: "u", Pass: "other", Extensions: []string{"AUTH PLAIN"}}, TLSStart, "mail.test", "u", "535"},
		"no way to log in": {sink.Script{TLS: server}, TLSStart, "mail.test", "u", "neither"},
		"stripped":         {sink.Script{}, TLSStart, "mail.test", "", "STARTTLS"},
		"wrong name":       {sink.Script{TLS: server}, TLSStart, "other.test", "", "certificate"},
	} {
		s := serve(t, c.script)
		cfg := settings(s.Addr())
		cfg.TLS, cfg.CA, cfg.ServerName = c.tls, ca, c.serverName
		if c.user != "" {
			cfg.Auth = &Auth{User: c.user, PasswordFile: password}
		}
		_, err := send(pool(t, cfg, Options{}), mail("x@y.test"))
		if c.problem == "" && (err != nil || len(s.Mails()) != 1) || c.problem != "" && (err == nil || !strings.Contains(err.Error(), c.problem)) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: the password is told: %v", name, err)
		}
	}
}

// What a server slips in before TLS must not count.
func TestNothingBeforeTLSCounts(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		b := make([]byte, 512)
		for _, answer := range []string{"220 x\r\n", "250-x\r\n250 STARTTLS\r\n", "220 go\r\n250 injected\r\n"} {
			io.WriteString(conn, answer)
			conn.Read(b)
		}
	}()
	cfg := settings(ln.Addr().String())
	cfg.TLS = TLSStart
	if _, err := send(pool(t, cfg, Options{}), mail("x@y.test")); err == nil || !strings.Contains(err.Error(), "in the clear") {
		t.Errorf("%v", err)
	}
}

func TestValidate(t *testing.T) {
	good := settings("mail.internal:25")
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	bad := Config{Address: "mail", TLS: "maybe", Auth: &Auth{}, Connections: 0}
	err := bad.Validate()
	for _, want := range []string{"address:", "tls:", "auth.user:", "auth.passwordFile:", "connections:", "reuse.mails:", "timeouts.answer:"} {
		if err == nil || !bytes.Contains([]byte(err.Error()), []byte(want)) {
			t.Errorf("no %s in %v", want, err)
		}
	}
}
