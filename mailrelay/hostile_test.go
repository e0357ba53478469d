package mailrelay

import (
	"context"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"yadokari/mailrelay/sink"
)

// over runs a session over a pipe in fake time; f is the client.
func over(t *testing.T, c Config, script sink.Script, f func(r *Relay, x *client)) {
	inBubble(t, c, script, func(r *Relay, _ *sink.Server) {
		ours, theirs := net.Pipe()
		r.server.greet(theirs)
		x := newClient(t, ours)
		x.expect("220 ")
		f(r, x)
		ours.Close()
		synctest.Wait()
	})
}

// A delivery that a client waits for does not hold up a stop beyond its deadline: the mail is left over.
func TestStopDoesNotWaitForCutThrough(t *testing.T) {
	c := settings()
	c.Listen, c.Socket = "", t.TempDir()+"/s"
	c.Wait, c.Leftover.Dir = 5*time.Minute, t.TempDir()
	c.Upstream.Timeouts.Answer = time.Hour
	var stuck chan struct{} // made in the bubble
	script := sink.Script{OnText: func(sink.Mail) string { <-stuck; return "" }}
	over(t, c, script, func(r *Relay, x *client) {
		stuck = make(chan struct{})
		go func() { // the answer may come or not: the connection ends
			x.write("EHLO x\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<x@y.test>\r\nDATA\r\n")
			x.write(letter + "\r\n.\r\n")
		}()
		go func() {
			for x.read() != "EOF" {
			}
		}()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		start := time.Now()
		res := r.Drain(ctx)
		if took := time.Since(start); took > 11*time.Second {
			t.Errorf("a stop with 10 s took %v", took)
		}
		if m := res.Counts.Mails; m.LeftOver != 1 || res.Counts.Uncertain != 1 || res.Err != nil {
			t.Errorf("%+v", res)
		}
		close(stuck)
	})
}

// A client that sends slowly but steadily is given limits.time, not limits.idle, wherever its packets end.
func TestSlowButSteady(t *testing.T) {
	c := settings()
	c.Listen, c.Socket, c.Leftover.Dir = "", t.TempDir()+"/s", t.TempDir()
	c.Limits.Idle, c.Limits.Time = time.Minute, 10*time.Minute
	over(t, c, sink.Script{}, func(_ *Relay, x *client) {
		x.begin()
		for range 8 {
			time.Sleep(50 * time.Second)
			x.write("the end of a line\r\nthe start of")
		}
		x.write("\r\n.\r\n")
		x.expect("250 ")
	})
}

// One that sends a byte now and then is cut off: in the middle of a line by limits.idle, at the latest by
// limits.time.
func TestSlowLoris(t *testing.T) {
	c := settings()
	c.Listen, c.Socket, c.Leftover.Dir = "", t.TempDir()+"/s", t.TempDir()
	c.Limits.Idle, c.Limits.Time = time.Minute, 10*time.Minute
	for _, drip := range []string{"x", "x\r\n"} {
		over(t, c, sink.Script{}, func(r *Relay, x *client) {
			x.begin()
			start := time.Now()
			ended := make(chan string, 1)
			x.conn.SetReadDeadline(time.Time{})
			go func() {
				line, _ := x.r.ReadString('\n')
				ended <- line
			}()
			for err := error(nil); err == nil && time.Since(start) < time.Hour; time.Sleep(40 * time.Second) {
				_, err = x.conn.Write([]byte(drip))
			}
			if got := <-ended; !strings.HasPrefix(got, "421 4.4.2 ") || time.Since(start) > 12*time.Minute {
				t.Errorf("%q ended after %v: %q", drip, time.Since(start), got)
			}
			if n := r.Counts(); n.Mails.Accepted != 0 {
				t.Errorf("%+v", n)
			}
		})
	}
}

// A declared size is an estimate (RFC 1870): one that does not count the CRs is good enough.
func TestSizeIsAnEstimate(t *testing.T) {
	c := settings()
	r := start(t, c, Options{})
	x := connect(t, r)
	x.say("EHLO x", "250")
	text := strings.Repeat(strings.Repeat("x", 15)+"\r\n", 50_000)
	x.say("MAIL FROM:<a@b.test> SIZE=800000", "250")
	x.say("RCPT TO:<x@y.test>", "250")
	x.say("DATA", "354")
	x.write(text + ".\r\n")
	x.expect("250 ")
	x.say("MAIL FROM:<a@b.test> SIZE=100", "250")
	x.say("RCPT TO:<x@y.test>", "250")
	x.say("DATA", "354")
	x.write(text + ".\r\n")
	x.expect("552 5.3.4 ")
}

// An answer does not wait for the rest of a command that has only begun to come.
func TestAnswerBeforeNextCommandIsWhole(t *testing.T) {
	c := settings()
	r := start(t, c, Options{})
	x := connect(t, r)
	x.write("NOOP\r\nNO")
	x.expect("250 ")
	x.write("OP\r\n")
	x.expect("250 ")
}

// Commands right behind the end of a text are obeyed one by one; those behind a text that is refused too.
func TestPipelinedAfterText(t *testing.T) {
	c := settings()
	r := start(t, c, Options{})
	x := connect(t, r)
	one := "MAIL FROM:<a@b.test>\r\nRCPT TO:<x@y.test>\r\nDATA\r\n"
	x.write("EHLO x\r\n" + one + "\r\nfirst\r\n.\r\n" + one + "\r\na bare\nLF\r\n.\r\n" + one + "\r\nthird\r\n.\r\nSTARTTLS\r\nQUIT\r\n")
	for i, code := range []string{"250-", "250", "250", "354", "250", "250", "250", "354", "550 5.6.0", "250", "250", "354", "250", "502", "221"} {
		if got := x.read(); !strings.HasPrefix(got, code) {
			t.Fatalf("answer %d is %q, want %s", i, got, code)
		}
	}
	if n := r.Counts(); n.Mails.Accepted != 2 || n.RefusedForGood != 1 {
		t.Errorf("%+v", n)
	}
}

// What a client calls itself cannot put more than a name into the Received line.
func TestHelloIsCleaned(t *testing.T) {
	c := settings()
	c.Wait = 5 * time.Second
	s := upstreamFor(t, &c, sink.Script{})
	x := connect(t, start(t, c, Options{}))
	x.say("HELO [\xff\xfe) by (evil.test) with\tX;", "250")
	x.say("MAIL FROM:<a@b.test>", "250")
	x.say("RCPT TO:<x@y.test>", "250")
	x.say("DATA", "354")
	x.say("\r\nhi\r\n.", "250")
	if got := s.Mails()[0].Text; !strings.HasPrefix(got, "Received: from [????by??evil.test??with?X? ([127.0.0.1])\r\n") {
		t.Error(got)
	}
}
