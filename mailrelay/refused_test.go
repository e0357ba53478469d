package mailrelay

import (
	"strings"
	"testing"
	"time"
)

// refusedCounts waits for how many mails are counted as refused, for now and for good: a session counts when it
// ends, after its last answer.
func refusedCounts(t *testing.T, r *Relay, forNow, forGood int64) {
	t.Helper()
	until(t, func() bool {
		n := r.Counts()
		return n.RefusedForNow+n.RefusedForGood >= forNow+forGood
	})
	if n := r.Counts(); n.RefusedForNow != forNow || n.RefusedForGood != forGood {
		t.Errorf("%d are refused for now and %d for good; want %d and %d", n.RefusedForNow, n.RefusedForGood, forNow, forGood)
	}
}

// Every mail that the client must keep is counted, once, however it was refused.
func TestRefusedAreCounted(t *testing.T) {
	c := settings()
	c.Limits.Errors, c.Limits.Recipients = 100, 1
	r := start(t, c, Options{})
	x := connect(t, r)
	x.say("EHLO x", "250")
	x.say("MAIL FROM:<a@b.test> RET=HDRS", "555 ")
	x.say("MAIL FROM:<é@b.test> SIZE=10", "553 ")
	x.say("MAIL FROM:nonsense", "501 ")
	refusedCounts(t, r, 0, 3)

	x.say("MAIL FROM:<a@b.test>", "250")
	x.say("RCPT TO:<é@b.test>", "553 ")
	x.say("RCPT TO:nonsense", "501 ")
	x.say("DATA", "554 ")
	x.say("RSET", "250") // no recipient was taken: one more
	refusedCounts(t, r, 0, 4)

	x.say("MAIL FROM:<a@b.test>", "250")
	x.say("RCPT TO:<x@b.test>", "250")
	x.say("RCPT TO:<y@b.test>", "452 ")
	x.say("RSET", "250") // the client has changed its mind, as it has with a mail without recipients
	x.say("MAIL FROM:<a@b.test>", "250")
	x.say("RSET", "250")
	x.say("MAIL FROM:<a@b.test>", "250")
	x.say("RCPT TO:<x@b.test> NOTIFY=NEVER", "555 ")
	x.say("QUIT", "221")
	refusedCounts(t, r, 0, 5)
}

// A mail that a 421 cuts off is to be kept by the client; a connection that had none open is no mail.
func TestCutMailsAreCounted(t *testing.T) {
	c := settings()
	c.Limits.Errors = 3
	r := start(t, c, Options{})
	wrong := connect(t, r)
	wrong.say("EHLO x", "250")
	wrong.say("MAIL FROM:<a@b.test>", "250")
	for range 3 {
		wrong.say("WHAT", "500")
	}
	wrong.expect("421 4.7.0 ")
	refusedCounts(t, r, 1, 0)

	idle, open, ready := connect(t, r), connect(t, r), connect(t, r)
	for _, x := range []*client{open, ready} {
		x.say("EHLO x", "250")
		x.say("MAIL FROM:<a@b.test>", "250")
	}
	ready.say("RCPT TO:<x@y.test>", "250")
	r.Refuse()
	for _, x := range []*client{idle, open, ready} {
		x.expect("421 4.3.2")
	}
	r.Drain(within(time.Minute))
	refusedCounts(t, r, 3, 0)
}

// The SIZE of a mail that was refused does not hold for the next.
func TestRefusedSizeIsForgotten(t *testing.T) {
	x := connect(t, start(t, settings(), Options{}))
	x.say("EHLO x", "250")
	x.say("MAIL FROM:<é@b.test> SIZE=10", "553 ")
	x.say("MAIL FROM:<a@b.test>", "250")
	x.say("RCPT TO:<x@y.test>", "250")
	x.say("DATA", "354")
	x.write(strings.Repeat(strings.Repeat("x", 70)+"\r\n", 4000))
	x.say(".", "250 ")
}
