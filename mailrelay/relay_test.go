package mailrelay

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"yadokari/mailrelay/sink"
	"yadokari/mailrelay/upstream"
)

// settings are valid settings with small bounds.
func settings() Config {
	return Config{
		Listen: "127.0.0.1:0",
		Upstream: upstream.Config{
			Address: "127.0.0.1:1", TLS: upstream.TLSOff, Connections: 4,
			Reuse: upstream.Reuse{Mails: 100, Time: time.Minute, Idle: 10 * time.Second}, Resolve: time.Minute,
			Timeouts: upstream.Timeouts{Connect: 5 * time.Second, Command: 10 * time.Second, Data: 10 * time.Second, Answer: 10 * time.Second},
		},
		Queue: Queue{Messages: 1000, Bytes: 8 << 20, Full: FullReject},
		Retry: Retry{First: 30 * time.Second, Max: time.Hour, MaxAge: 24 * time.Hour, Unreachable: time.Second},
		Limits: Limits{
			Message: 1 << 20, Recipients: 50, Commands: 20, Errors: 5, Connections: 50, Idle: time.Minute, Time: time.Minute,
			Memory: 4 << 20, Hops: 10,
		},
	}
}

// upstreamFor starts a sink and points the settings at it.
func upstreamFor(t *testing.T, c *Config, script sink.Script) *sink.Server {
	t.Helper()
	s, err := sink.Listen("127.0.0.1:0", script)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	c.Upstream.Address = s.Addr()
	return s
}

// start runs a relay until the end of the test, and checks its sums then.
func start(t *testing.T, c Config, o Options) *Relay {
	t.Helper()
	o.Hostname = "relay.test"
	r, err := New(c, o)
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	running.Go(func() {
		if err := r.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		cancel()
		running.Wait()
		if err := r.Counts().Check(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func within(d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	context.AfterFunc(ctx, cancel)
	return ctx
}

// client speaks SMTP line by line.
type client struct {
	t    *testing.T
	conn net.Conn
	r    *bufio.Reader
}

func connect(t *testing.T, r *Relay) *client {
	t.Helper()
	conn, err := net.Dial("tcp", r.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	c := newClient(t, conn)
	c.expect("220 ")
	return c
}

func newClient(t *testing.T, conn net.Conn) *client { return &client{t, conn, bufio.NewReader(conn)} }

// begin comes as far as the text of a mail.
func (c *client) begin() {
	c.t.Helper()
	for _, line := range []string{"HELO x", "MAIL FROM:<a@b.test>", "RCPT TO:<x@y.test>"} {
		c.say(line, "250")
	}
	c.say("DATA", "354")
}

// read reads one reply.
func (c *client) read() string {
	c.t.Helper()
	var all string
	c.conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			return all + "EOF"
		}
		all += strings.TrimRight(line, "\r\n")
		if len(line) < 4 || line[3] != '-' {
			return all
		}
		all += "\n"
	}
}

func (c *client) expect(prefix string) string {
	c.t.Helper()
	got := c.read()
	if !strings.HasPrefix(got, prefix) {
		c.t.Fatalf("the answer is %q, want %q", got, prefix)
	}
	return got
}

func (c *client) write(s string) {
	c.t.Helper()
	if _, err := c.conn.Write([]byte(s)); err != nil {
		c.t.Fatal(err)
	}
}

// say sends a line and expects an answer.
func (c *client) say(line, prefix string) string {
	c.t.Helper()
	c.write(line + "\r\n")
	return c.expect(prefix)
}

// send hands over a mail and returns the answer to its text.
func (c *client) send(from string, to []string, text string) string {
	c.t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "EHLO client.test\r\nMAIL FROM:<%s>\r\n", from)
	for _, a := range to {
		fmt.Fprintf(&b, "RCPT TO:<%s>\r\n", a)
	}
	c.write(b.String() + "DATA\r\n")
	c.expect("250-")
	for range len(to) + 1 {
		c.expect("250 ")
	}
	c.expect("354 ")
	c.write(text + "\r\n.\r\n")
	return c.read()
}

const letter = "Subject: hello\r\nMessage-ID: <1@client.test>\r\n\r\nhi\r\n.. a dot"

func to(list ...string) []string { return list }

func TestCutThrough(t *testing.T) {
	c := settings()
	c.Wait = 5 * time.Second
	s := upstreamFor(t, &c, sink.Script{})
	r := start(t, c, Options{})
	x := connect(t, r)
	for n := range 3 {
		if got := x.send("a@b.test", to("x@y.test", "z@y.test"), letter); !strings.HasPrefix(got, "250 2.0.0 ") || !strings.HasSuffix(got, "delivered") {
			t.Fatal(got)
		}
		mails := s.Mails() // delivered means delivered now
		if len(mails) != n+1 {
			t.Fatalf("%d mails arrived", len(mails))
		}
		m := mails[n]
		head, rest, _ := strings.Cut(m.Text, "Subject:")
		if !strings.HasPrefix(head, "Received: from client.test ([127.0.0.1])\r\n\tby relay.test with ESMTP id ") ||
			"Subject:"+rest != strings.ReplaceAll(letter, "..", ".")+"\r\n" || m.From != "a@b.test" || len(m.To) != 2 {
			t.Fatalf("%+v", m)
		}
	}
	n := r.Counts()
	if n.Mails.Accepted != 3 || n.Mails.Delivered != 3 || n.Recipients.Delivered != 6 || n.Messages != 0 {
		t.Errorf("%+v", n)
	}
	if s.Connections() != 1 {
		t.Errorf("%d connections for mails one after the other", s.Connections())
	}
}

func TestCutThroughHandsRefusalOn(t *testing.T) {
	c := settings()
	c.Wait = 5 * time.Second
	upstreamFor(t, &c, sink.Script{OnRcpt: func(to string) string { return "550 5.1.1 nobody here" }})
	r := start(t, c, Options{})
	if got := connect(t, r).send("a@b.test", to("x@y.test"), letter); got != "550 5.1.1 nobody here" {
		t.Error(got)
	}
	if n := r.Counts(); n.RefusedForGood != 1 || n.Mails.Accepted != 0 || n.Mails.Notices != 0 {
		t.Errorf("%+v", n)
	}
}

// A mail some get and some do not is accepted; the sender is told of the rest.
func TestMixedAnswers(t *testing.T) {
	for _, wait := range []time.Duration{0, 5 * time.Second} {
		c := settings()
		c.Wait = wait
		s := upstreamFor(t, &c, sink.Script{OnRcpt: func(to string) string {
			switch to {
			case "bad@y.test":
				return "550 5.1.1 nobody here"
			case "later@y.test":
				return "450 4.2.0 later"
			}
			return ""
		}})
		r := start(t, c, Options{})
		if got := connect(t, r).send("a@b.test", to("good@y.test", "bad@y.test", "later@y.test"), letter); !strings.HasPrefix(got, "250 ") {
			t.Fatal(got)
		}
		until(t, func() bool { return len(s.Mails()) == 2 && r.Counts().Recipients.Delivered == 2 })
		n := r.Counts()
		if n.Recipients.Bounced != 1 || n.Recipients.Queued != 1 || n.Mails.Queued != 1 || n.Mails.Notices != 1 || n.Mails.Delivered != 1 {
			t.Errorf("wait %v: %+v", wait, n)
		}
		for _, m := range s.Mails() {
			if m.From != "" {
				continue
			}
			for _, want := range []string{
				"Final-Recipient: rfc822; bad@y.test\r\nAction: failed\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; 550 5.1.1 nobody here\r\n",
				"Content-Type: multipart/report; report-type=delivery-status", "Subject: hello\r\n", "To: <a@b.test>\r\n",
			} {
				if !strings.Contains(m.Text, want) {
					t.Errorf("the bounce lacks %q:\n%s", want, m.Text)
				}
			}
			if strings.Contains(m.Text, "a dot") || strings.Contains(m.Text, "later@") {
				t.Errorf("the bounce says too much:\n%s", m.Text)
			}
		}
	}
}

func until(t *testing.T, done func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it did not happen")
		}
	}
}

func TestSpoolOverRestart(t *testing.T) {
	c := settings()
	c.Spool = t.TempDir()
	r := start(t, c, Options{})
	x := connect(t, r)
	for n := range 20 {
		if got := x.send(fmt.Sprintf("a%d@b.test", n), to("x@y.test"), letter); !strings.HasSuffix(got, "queued") {
			t.Fatal(got)
		}
	}
	res := r.Drain(within(50 * time.Millisecond))
	if res.Err != nil || res.Counts.Mails.LeftOver != 20 || res.Where != c.Spool {
		t.Fatalf("%+v", res)
	}
	s := upstreamFor(t, &c, sink.Script{})
	r = start(t, c, Options{})
	res = r.Drain(within(20 * time.Second))
	if res.Err != nil || res.Counts.Mails.Recovered != 20 || res.Counts.Mails.Delivered != 20 || len(s.Mails()) != 20 {
		t.Fatalf("%+v, %d arrived", res, len(s.Mails()))
	}
}

// What is found in the spool takes its place in the queue whatever the bounds are: wider than any disk, or
// narrower than what is there.
func TestSpooledMailsTakeTheirPlace(t *testing.T) {
	c := settings()
	c.Spool = t.TempDir()
	r := start(t, c, Options{})
	x := connect(t, r)
	for range 3 {
		x.send("a@b.test", to("x@y.test"), letter)
	}
	r.Drain(within(50 * time.Millisecond))
	for _, q := range []Queue{{Messages: 1 << 40, Bytes: 16 << 30, Full: FullReject}, {Messages: 1, Bytes: 1 << 20, Full: FullReject}} {
		c.Queue = q
		r = start(t, c, Options{})
		if n := r.Counts(); n.Messages != 3 || n.Bytes <= 0 {
			t.Errorf("%+v: %+v", q, n)
		}
		r.Drain(within(50 * time.Millisecond))
	}
	upstreamFor(t, &c, sink.Script{})
	r = start(t, c, Options{})
	if n := r.Drain(within(20 * time.Second)).Counts; n.Mails.Delivered != 3 || n.Messages != 0 || n.Bytes != 0 {
		t.Errorf("%+v", n)
	}
}

// inject takes all that there is room for.
func inject(r *Relay, from string) (mails int, err error) {
	taken, err := r.Inject(context.Background(), Order{From: from}, time.Hour)
	return taken.Mails, err
}

func TestLeftoverAndInject(t *testing.T) {
	for _, spooled := range []bool{false, true} {
		c := settings()
		c.Leftover.Dir = t.TempDir()
		if spooled {
			c.Spool, c.Leftover.Spool = t.TempDir(), true
		}
		r := start(t, c, Options{})
		x := connect(t, r)
		for n := range 20 {
			x.send(fmt.Sprintf("a%d@b.test", n), to("x@y.test", "z@y.test"), letter)
		}
		res := r.Drain(within(50 * time.Millisecond))
		if res.Err != nil || res.Counts.Mails.LeftOver != 20 || res.Counts.Recipients.LeftOver != 40 || !strings.HasPrefix(res.Where, c.Leftover.Dir) {
			t.Fatalf("%+v", res)
		}
		if err := res.Counts.Check(); err != nil {
			t.Fatal(err)
		}
		s := upstreamFor(t, &c, sink.Script{})
		c.Spool = t.TempDir()
		r = start(t, c, Options{})
		if n, err := inject(r, c.Leftover.Dir); n != 20 || err != nil {
			t.Fatal(n, err)
		}
		if n, err := inject(r, c.Leftover.Dir); n != 0 || err != nil {
			t.Fatal("a second time", n, err)
		}
		until(t, func() bool { return len(s.Mails()) == 20 && r.Counts().Mails.Delivered == 20 })
	}
}

// What is left over is safe on a disk: a relay whose queue is memory must not take it from there.
func TestInjectNeedsSpool(t *testing.T) {
	c := settings()
	c.Leftover.Dir = t.TempDir()
	r := start(t, c, Options{})
	connect(t, r).send("a@b.test", to("x@y.test"), letter)
	left := r.Drain(within(50 * time.Millisecond))
	r = start(t, c, Options{})
	if n, err := inject(r, left.Where); n != 0 || err == nil || !strings.Contains(err.Error(), "spool") {
		t.Errorf("%d taken, %v", n, err)
	}
	if n := r.Counts().Mails; n.Injected != 0 || n.Queued != 0 {
		t.Errorf("%+v", n)
	}
	if files, err := filepath.Glob(filepath.Join(left.Where, "*.mail")); len(files) == 0 || err != nil {
		t.Errorf("%v, %v: the mail is gone from the disk", files, err)
	}
}

func TestRefuse(t *testing.T) {
	c := settings()
	s := upstreamFor(t, &c, sink.Script{})
	r := start(t, c, Options{})
	idle, open, arriving := connect(t, r), connect(t, r), connect(t, r)
	open.say("EHLO x", "250")
	open.say("MAIL FROM:<a@b.test>", "250")
	arriving.write("EHLO x\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<x@y.test>\r\nDATA\r\n")
	for _, code := range []string{"250", "250", "250", "354"} {
		arriving.expect(code)
	}
	r.Refuse()
	idle.expect("421 4.3.2")
	open.expect("421 4.3.2")
	if got := idle.read(); got != "EOF" {
		t.Errorf("a refused connection goes on: %q", got)
	}
	late, err := net.Dial("tcp", r.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer late.Close()
	(&client{t, late, bufio.NewReader(late)}).expect("421 4.3.2")
	arriving.write(letter + "\r\n.\r\n")
	arriving.expect("250 ")
	arriving.expect("421 4.3.2")
	if res := r.Drain(within(20 * time.Second)); res.Counts.Mails.Delivered != 1 || len(s.Mails()) != 1 {
		t.Errorf("%+v", res)
	}
}
