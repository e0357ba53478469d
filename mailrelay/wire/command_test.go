package wire

import (
	"bufio"
	"reflect"
	"strings"
	"testing"
)

func TestParseMail(t *testing.T) {
	for _, c := range []struct {
		in, from string
		params   []Param
	}{
		{"FROM:<>", "", nil},
		{"from: <a@b.c> SIZE=10 BODY=8BITMIME", "a@b.c", []Param{{"SIZE", "10"}, {"BODY", "8BITMIME"}}},
		{`FROM:<"a >b"@c>`, `"a >b"@c`, nil},
		{`FROM:<"a\"b"@c.d> smtputf8`, `"a\"b"@c.d`, []Param{{"SMTPUTF8", ""}}},
		{"FROM:<@x,@y:a@b>", "a@b", nil},
		{"FROM:<é@b>", "é@b", nil},
		{"FROM:<a@[127.0.0.1]>", "a@[127.0.0.1]", nil},
	} {
		from, params, err := ParseMail(c.in)
		if err != nil || from != c.from || !reflect.DeepEqual(params, c.params) {
			t.Errorf("%q: %q %v %v", c.in, from, params, err)
		}
	}
}

func TestRefusedPaths(t *testing.T) {
	for _, in := range []string{
		"", "TO:", "TO:a@b", "TO:<a@b", "TO:<>", "TO:<a>", "TO:<a@>", "TO:<@b>", "TO:<a b@c>", "TO:<a@b c>", "TO:<a@b>SIZE=1",
		"TO:<a@b> =1", `TO:<"a@b>`, "TO:<a@b\r\nDATA>", "TO:<a@b\x00>", "TO:<a<b@c>", "TO:<@x a@b>", "TO:<(x)a@b>", "TO:<\"a\rb\"@c>",
		"TO:<" + strings.Repeat("a", 250) + "@b.cd>", "FROM:<a@b>",
	} {
		if to, _, err := ParseRcpt(in); err == nil {
			t.Errorf("%q was taken for %q", in, to)
		}
	}
}

func FuzzParsePath(f *testing.F) {
	for _, s := range []string{"FROM:<a@b> X=1", `FROM:<"a\">b"@c>`, "FROM:<@a:b@c>", "FROM:<postmaster>", "FROM:<>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		address, _, err := ParseMail(in)
		if err != nil {
			return
		}
		if strings.ContainsAny(address, "\r\n\x00") {
			t.Fatalf("%q holds a control character", address)
		}
		if again, _, err := ParseMail("FROM:<" + address + ">"); err != nil || again != address {
			t.Fatalf("%q became %q: %v", address, again, err)
		}
	})
}

func FuzzParseCommand(f *testing.F) {
	f.Add("EHLO x")
	f.Add("mail  FROM:<>")
	f.Add("\t")
	f.Fuzz(func(t *testing.T, in string) {
		verb, rest, err := ParseCommand(in)
		if err == nil && strings.ContainsAny(verb+rest, "\r\n\x00") {
			t.Fatalf("%q gave %q %q", in, verb, rest)
		}
	})
}

func TestReadReply(t *testing.T) {
	for _, c := range []struct {
		in             string
		code           int
		enhanced, text string
		ok             bool
	}{
		{"250 2.1.0 Ok\r\n", 250, "2.1.0", "Ok", true},
		{"250\r\n", 250, "2.0.0", "", true},
		{"250-a\r\n250-b\n250 c\r\n", 250, "2.0.0", "a", true},
		{"550 4.1.1 odd\r\n", 550, "5.0.0", "odd", true},
		{"451 try\x1b[2J later\r\n", 451, "4.0.0", "try?[2J later", true},
		{"250-a\r\n550 b\r\n", 0, "", "", false},
		{"199 no\r\n", 0, "", "", false},
		{"HTTP/1.1 400\r\n", 0, "", "", false},
		{"250", 0, "", "", false},
		{"250 " + strings.Repeat("x", 5000) + "\r\n", 0, "", "", false},
		{strings.Repeat("250-x\r\n", 200) + "250 x\r\n", 0, "", "", false},
	} {
		reply, err := ReadReply(bufio.NewReader(strings.NewReader(c.in)))
		if (err == nil) != c.ok || reply.Code != c.code || c.ok && (reply.Enhanced() != c.enhanced || reply.Plain() != c.text) {
			t.Errorf("%.40q: %+v %q %q %v", c.in, reply, reply.Enhanced(), reply.Plain(), err)
		}
	}
}

func FuzzReadReply(f *testing.F) {
	f.Add("250-a\r\n250 2.0.0 b\r\n")
	f.Add("5.0 x\n")
	f.Fuzz(func(t *testing.T, in string) {
		reply, err := ReadReply(bufio.NewReader(strings.NewReader(in)))
		if err != nil {
			return
		}
		if reply.Code < 200 || reply.Code > 599 || strings.ContainsAny(reply.String(), "\r\n\x00") {
			t.Fatalf("%q gave %q", in, reply)
		}
		if e := reply.Enhanced(); e[0] != byte('0'+reply.Code/100) {
			t.Fatalf("%q has class %q", in, e)
		}
	})
}
