package mailrelay

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"yadokari/mailrelay/sendmail"
)

// sendmail -bs does not mend what the relay must refuse, whether a program ends its lines in CRLF or in LF.
func TestSmugglingThroughSendmail(t *testing.T) {
	r := start(t, settings(), Options{})
	for _, newline := range []string{"\r\n", "\n"} {
		for _, end := range smuggled {
			if strings.Contains(end, "\n.\n") && newline == "\n" {
				continue // the end of a mail, for such a program
			}
			before := r.Counts()
			stdin := strings.Join([]string{
				"EHLO x", "MAIL FROM:<a@b.test>", "RCPT TO:<x@y.test>", "DATA", "Subject: x", "",
				"hi" + end + "MAIL FROM:<evil@b.test>", "RCPT TO:<y@y.test>", "DATA", "evil", ".", "QUIT", "",
			}, newline)
			var out, errs bytes.Buffer
			c := &sendmail.Call{Args: []string{"-bs"}, Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &errs, Relay: r.Addr().String()}
			if code := c.Run(context.Background()); code != 0 {
				t.Errorf("lines end in %q, %q: exit %d, %s", newline, end, code, errs.String())
			}
			after := r.Counts()
			if after.Mails.Accepted != before.Mails.Accepted || after.RefusedForGood != before.RefusedForGood+1 || !strings.Contains(out.String(), "\r\n550 5.6.0 ") {
				t.Errorf("lines end in %q: %q got through: %s", newline, end, out.String())
			}
		}
	}
}
