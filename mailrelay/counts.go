package mailrelay

import "fmt"

// Tally counts what came in, what became of it, and what is still here. What came in is always what
// became of it plus what is here; Check tells.
//
// A Tally of recipients counts each recipient once, when nothing more is to be done for it. A Tally of
// mails counts each mail once, when that is so for its last recipient: as Bounced if any recipient
// bounced, else by what became of the last.
type Tally struct {
	Accepted  int64 `json:"accepted"`  // the client got a 250
	Injected  int64 `json:"injected"`  // taken from the leftovers of an earlier run
	Recovered int64 `json:"recovered"` // found in the spool at the start
	Notices   int64 `json:"notices"`   // bounces we wrote to senders

	Delivered int64 `json:"delivered"` // the upstream took it
	Bounced   int64 `json:"bounced"`   // refused for good, or too old
	Dropped   int64 `json:"dropped"`   // given up because the queue was full, or at the stop for want of a place
	Removed   int64 `json:"removed"`   // by an operator
	Damaged   int64 `json:"damaged"`   // found damaged in the spool, and set aside; see Counts.Unreadable

	Queued   int64 `json:"queued"`   // waiting, or being delivered
	LeftOver int64 `json:"leftOver"` // still here at the stop; kept in the spool or the leftover directory
}

// Check returns an error if the sums do not add up.
func (t Tally) Check() error {
	in := t.Accepted + t.Injected + t.Recovered + t.Notices
	out := t.Delivered + t.Bounced + t.Dropped + t.Removed + t.Damaged
	if in != out+t.Queued+t.LeftOver {
		return fmt.Errorf("%d came in, but %d are settled, %d queued and %d left over", in, out, t.Queued, t.LeftOver)
	}
	return nil
}

// Counts says what the relay did since it was started.
type Counts struct {
	Mails      Tally `json:"mails"`
	Recipients Tally `json:"recipients"`

	// Refused counts mails that the client was told to keep: a 4xx (RefusedForNow) or 5xx (RefusedForGood)
	// to MAIL, to all recipients or to the text, or a 421 between MAIL and the text. A connection that is turned
	// away before it has named a mail is not counted, nor a recipient refused beside others.
	RefusedForNow  int64 `json:"refusedForNow"`
	RefusedForGood int64 `json:"refusedForGood"`

	// Uncertain counts deliveries whose answer never came although the mail was sent whole, and mails refused
	// to the client after some recipients had got them. Each may be delivered twice.
	Uncertain int64 `json:"uncertain"`

	// Unreadable counts those of Mails.Damaged that may be more mails than one, or none that is not settled: damaged
	// parts of the spool that do not even say how long they are.
	Unreadable int64 `json:"unreadable"`

	Messages int64 `json:"queueMessages"` // in the queue now
	Bytes    int64 `json:"queueBytes"`    // in the queue now
}

// Check returns an error if the sums do not add up.
func (c Counts) Check() error {
	if err := c.Mails.Check(); err != nil {
		return fmt.Errorf("mails: %w", err)
	}
	if err := c.Recipients.Check(); err != nil {
		return fmt.Errorf("recipients: %w", err)
	}
	return nil
}

// end is what becomes of a recipient.
type end int

const (
	delivered end = iota
	bounced
	dropped
	removed
	damaged
	leftOver
)

func (t *Tally) add(e end, n int64) {
	switch e {
	case delivered:
		t.Delivered += n
	case bounced:
		t.Bounced += n
	case dropped:
		t.Dropped += n
	case removed:
		t.Removed += n
	case damaged:
		t.Damaged += n
	case leftOver:
		t.LeftOver += n
	}
}

// origin is where a mail came from.
type origin int

const (
	fromClient origin = iota
	fromLeftover
	fromSpool
	fromUs
)

func (t *Tally) come(o origin, n int64) {
	switch o {
	case fromClient:
		t.Accepted += n
	case fromLeftover:
		t.Injected += n
	case fromSpool:
		t.Recovered += n
	case fromUs:
		t.Notices += n
	}
}
