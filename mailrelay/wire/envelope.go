package wire

import "time"

// Envelope is what SMTP says of a mail beside its text.
type Envelope struct {
	From     string    // the sender's address; "" for the null sender of a bounce
	To       []string  // the recipients' addresses
	EightBit bool      // the client said BODY=8BITMIME
	UTF8     bool      // the client said SMTPUTF8
	Accepted time.Time // when the mail was accepted, to the millisecond
}
