package sendmail

import (
	"bytes"
	"context"
	"io"
	"net"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"yadokari/mailrelay/sink"
)

type result struct {
	code   int
	stdout string
	stderr string
	mails  []sink.Mail
}

func call(t *testing.T, script sink.Script, stdin string, args ...string) result {
	t.Helper()
	s, err := sink.Listen("127.0.0.1:0", script)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var out, errs bytes.Buffer
	c := &Call{
		Args: args, Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &errs, Relay: s.Addr(), User: "www-data", Hostname: "web1.test",
		Queue: func(_ context.Context, w io.Writer) error { _, err := io.WriteString(w, "empty\n"); return err },
	}
	code := c.Run(context.Background())
	return result{code, out.String(), errs.String(), s.Mails()}
}

func TestSenderAndRecipients(t *testing.T) {
	for _, c := range []struct {
		args  string
		stdin string
		from  string
		to    string
	}{
		{"-t -i", "To: a@x.test, \"B, b\" <b@x.test>\nCc: c@x.test\nBcc: d@x.test\n\nhi\n", "www-data@web1.test", "a@x.test b@x.test c@x.test d@x.test"},
		{"-t -i -f me@y.test", "To: a@x.test\n\nhi\n", "me@y.test", "a@x.test"},
		{"-ti -fme@y.test", "To: a@x.test\n\nhi\n", "me@y.test", "a@x.test"},
		{"-oi -oem -f <> a@x.test b@x.test", "hi\n", "", "a@x.test b@x.test"},
		{"-FCronDaemon -i -odi -oem -oi -t -f root", "From: root (Cron Daemon)\nTo: root\nSubject: Cron\n\nout\n", "root@web1.test", "root@web1.test"},
		{"-i -- root", "hi", "www-data@web1.test", "root@web1.test"},
		{"-bm -t extra@x.test", "To: root, Ann <a@x.test>\n\nhi", "www-data@web1.test", "extra@x.test root@web1.test a@x.test"},
		{"-B8BITMIME -N never -i a@x.test", "hi", "www-data@web1.test", "a@x.test"},
		{"-t", "To: undisclosed-recipients:;\nBcc: d@x.test\n\nhi\n", "www-data@web1.test", "d@x.test"},
	} {
		r := call(t, sink.Script{}, c.stdin, strings.Fields(c.args)...)
		if r.code != 0 || len(r.mails) != 1 || r.mails[0].From != c.from || strings.Join(r.mails[0].To, " ") != c.to {
			t.Errorf("%s: %+v", c.args, r)
		} else if strings.Contains(r.mails[0].Text, "Bcc") {
			t.Errorf("%s: Bcc is told: %q", c.args, r.mails[0].Text)
		}
	}
}

func TestCompletesHeader(t *testing.T) {
	r := call(t, sink.Script{}, "Subject: x\n\nhi\n.\nnot this\n", "-F", "Jörg \"J\" X", "a@x.test")
	if len(r.mails) != 1 {
		t.Fatalf("%+v", r)
	}
	text := r.mails[0].Text
	for _, want := range []string{"\r\nMessage-ID: <", "@web1.test>\r\n", "From: =?utf-8?b?SsO2cmcgIkoiIFg=?= <www-data@web1.test>\r\n", "\r\n\r\nhi\r\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if !strings.HasPrefix(text, "Date: ") || strings.Contains(text, "not this") {
		t.Errorf("%s", text)
	}
	r = call(t, sink.Script{}, "Date: x\nMessage-ID: <y>\nFrom: z@z.test\n\n.\n.x\r\nend\rlast", "-oi", "a@x.test")
	if len(r.mails) != 1 || r.mails[0].Text != "Date: x\r\nMessage-ID: <y>\r\nFrom: z@z.test\r\n\r\n.\r\n.x\r\nend\r\nlast\r\n" {
		t.Errorf("%+v", r)
	}
}

func TestRefusedInput(t *testing.T) {
	for _, c := range []struct {
		args, stdin string
		code        int
	}{
		{"-t", "To: a@x.test\nSubject: hi\nBcc: b@x.test\nSubject: again\n\nx", ExDataErr},
		{"-t", "To: a@x.test\nTo: spam@x.test\n\nx", ExDataErr},
		{"-t", "To: a@x.test\x00\n\nx", ExDataErr},
		{"-t", "To: a@x.test\nSubject: hi\rBcc: victim@x.test\n\nx", ExDataErr},
		{"-t", "To: a@x.test\r\nSubject: hi\r\r\nBcc: victim@x.test\r\n\r\nx", ExDataErr},
		{"-t", "To: a@x.test\n folded\r\rBcc: victim@x.test\n\nx", ExDataErr},
		{"-i a@x.test", "Subject: hi\rReply-To: evil@x.test\n\nx", ExDataErr},
		{"-t", "To: <a@x.test> SIZE=1\n\nx", ExDataErr},
		{"-t", "Subject: nobody\n\nx", ExUsage},
		{"-i -f a@b\r\nRCPT a@x.test", "x", ExDataErr},
		{"-i", "x", ExUsage},
		{"-Z a@x.test", "x", ExUsage},
		{"-bd", "x", ExUsage},
		{"-f", "x", ExUsage},
	} {
		r := call(t, sink.Script{}, c.stdin, strings.Split(c.args, " ")...)
		if r.code != c.code || len(r.mails) != 0 || strings.Count(r.stderr, "\n") != 1 {
			t.Errorf("%q %q: %+v", c.args, c.stdin, r)
		}
	}
	r := call(t, sink.Script{}, "x", "-i", "a@x.test\r\nRCPT TO:<b@x.test>")
	if r.code != ExDataErr || len(r.mails) != 0 {
		t.Errorf("an injected recipient: %+v", r)
	}
}

// A CR that ends no line is no danger below the header: what programs print for a terminal holds some.
func TestCRInBody(t *testing.T) {
	for _, in := range []string{"10%\r20%\rBcc: b@x.test\n", "To: a@x.test\n\n10%\r20%\rBcc: b@x.test\n", "From x\rBcc: b@x.test\nTo: a@x.test\n\n10%\r20%\rBcc: b@x.test\n"} {
		r := call(t, sink.Script{}, in, "-t", "-i", "a@x.test")
		if len(r.mails) != 1 || len(r.mails[0].To) != 1 || !strings.HasSuffix(r.mails[0].Text, "\r\n\r\n10%\r\n20%\r\nBcc: b@x.test\r\n") {
			t.Errorf("%q: %+v", in, r)
		}
	}
}

func TestExitCodes(t *testing.T) {
	say := func(s string) func(string) string { return func(string) string { return s } }
	for _, c := range []struct {
		script sink.Script
		code   int
	}{
		{sink.Script{OnMail: say("452 4.3.1 full")}, ExTempFail},
		{sink.Script{OnRcpt: say("550 5.1.1 no")}, ExNoUser},
		{sink.Script{OnText: func(sink.Mail) string { return "552 5.3.4 large" }}, ExUnavailable},
		{sink.Script{OnText: func(sink.Mail) string { return "421 4.3.2 stop" }}, ExTempFail},
		{sink.Script{Greeting: "421 4.3.2 stop"}, ExTempFail},
		{sink.Script{OnData: func() string { return "close" }}, ExTempFail},
	} {
		if r := call(t, c.script, "x", "-i", "a@x.test"); r.code != c.code || r.stderr == "" {
			t.Errorf("want %d: %+v", c.code, r)
		}
	}
	c := &Call{Args: []string{"a@x.test"}, Stdin: strings.NewReader("x"), Stderr: io.Discard, Relay: "/nonexistent/socket", User: "u", Hostname: "h"}
	if code := c.Run(context.Background()); code != ExTempFail {
		t.Errorf("no relay: %d", code)
	}
}

func TestSpeakSMTP(t *testing.T) {
	r := call(t, sink.Script{}, "EHLO me\nMAIL FROM:<a@b.test>\nRCPT TO:<x@y.test>\nDATA\nhi\n.\nQUIT\n", "-bs")
	if r.code != 0 || len(r.mails) != 1 || r.mails[0].Text != "hi\r\n" || !strings.HasSuffix(r.stdout, "221 bye\r\n") {
		t.Errorf("%+v", r)
	}
	if r := call(t, sink.Script{}, "", "-bp"); r.code != 0 || r.stdout != "empty\n" {
		t.Errorf("%+v", r)
	}
}

func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	s := sink.New(sink.Script{})
	defer s.Close()
	go func() {
		if conn, err := ln.Accept(); err == nil {
			s.Serve(conn)
		}
	}()
	c := &Call{Args: []string{"a@x.test"}, Stdin: strings.NewReader("x"), Stderr: io.Discard, Relay: path, User: "u", Hostname: "h"}
	if code := c.Run(context.Background()); code != 0 || len(s.Mails()) != 1 {
		t.Errorf("code %d, %v", code, s.Mails())
	}
}

func FuzzArgs(f *testing.F) {
	f.Add("-t\x00-i\x00-fa@b\x00x@y")
	f.Add("-F\x00name\x00-bs")
	f.Fuzz(func(t *testing.T, in string) {
		args := strings.Split(in, "\x00")
		a, err := parseArgs(args)
		b, err2 := parseArgs(args)
		if (err == nil) != (err2 == nil) || !reflect.DeepEqual(a, b) || len(a.recipients) > len(args) {
			t.Fatalf("%q: %+v %+v", args, a, b)
		}
	})
}

// Whatever comes in, what goes out has no bare CR or LF, no Bcc and one of each field.
func FuzzBuild(f *testing.F) {
	f.Add([]byte("To: a@b.test\nBcc: c@d.test\n folded\n\nbody\n.\nrest"))
	f.Add([]byte("From x\nFrom: a\r\rTo: b@c.test"))
	f.Add([]byte(" folded first\nTo: root, \"x\" <y@z>"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		o := &order{fromHeader: true}
		m, err := o.build(raw, &Call{User: "u", Hostname: "h.test"}, time.Unix(0, 0))
		if err != nil {
			return
		}
		if rest := bytes.ReplaceAll(m.text, []byte("\r\n"), nil); bytes.ContainsAny(rest, "\r\n") {
			t.Fatalf("%q", m.text)
		}
		header, _, _ := bytes.Cut(m.text, []byte("\r\n\r\n"))
		for line := range bytes.SplitSeq(header, []byte("\r\n")) {
			if len(line) >= 4 && strings.EqualFold(string(line[:4]), "bcc:") {
				t.Fatalf("%q", m.text)
			}
		}
		for _, to := range m.recipients {
			if strings.ContainsAny(to, "\r\n\x00") {
				t.Fatalf("%q", to)
			}
		}
	})
}
