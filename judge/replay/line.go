package replay

import (
	"bytes"
	"errors"
	"strconv"
	"time"
)

// Line is what one line of an access log says. Its texts are part of the line that was parsed.
type Line struct {
	Time         time.Time
	Client, User []byte
	Agent        []byte
	Method, Path []byte
	Status       int
	Bytes        int64         // -1: not known
	Took         time.Duration // -1: not known
}

var errShape = errors.New("neither the common or combined format nor JSON")

// Parse reads one line: of the common or combined format of Apache and NGINX, with the name of the virtual host
// before it or not, and with the time that the answer took after it or not; or a JSON object a line, as
// Yadokari writes it.
func Parse(text []byte) (Line, error) {
	text = bytes.TrimSpace(text)
	if len(text) > 0 && text[0] == '{' {
		return parseJSON(text)
	}
	return parseCombined(text)
}

// parseCombined reads: [HOST ]CLIENT IDENT USER [TIME] "METHOD PATH PROTOCOL" STATUS BYTES ["REFERRER" "AGENT" [MORE…] [TOOK]].
func parseCombined(text []byte) (Line, error) {
	l := Line{Bytes: -1, Took: -1}
	who, rest, ok := bytes.Cut(text, []byte(" ["))
	if !ok {
		return l, errShape
	}
	when, rest, ok := bytes.Cut(rest, []byte("] \""))
	if !ok || !l.who(who) {
		return l, errShape
	}
	var err error
	if l.Time, err = time.Parse("02/Jan/2006:15:04:05 -0700", string(when)); err != nil {
		return l, errors.New("the time is not written as 27/Nov/2026:22:45:48 +0000")
	}
	request, rest, ok := quoted(rest)
	if !ok {
		return l, errors.New("the request has no end")
	}
	l.Method, l.Path, _ = bytes.Cut(request, []byte(" "))
	l.Path, _, _ = bytes.Cut(l.Path, []byte(" "))
	status, rest := field(rest)
	if l.Status, err = strconv.Atoi(string(status)); err != nil || l.Status < 0 || l.Status > 999 {
		return l, errors.New("the status is not a number of three digits")
	}
	size, rest := field(rest)
	if n, err := strconv.ParseInt(string(size), 10, 64); err == nil && n >= 0 {
		l.Bytes = n
	} else if string(size) == "-" {
		l.Bytes = 0
	} else {
		return l, errors.New("the length is not a number")
	}
	l.more(rest)
	return l, nil
}

// who reads what stands before the time.
func (l *Line) who(text []byte) bool {
	first, rest := field(text)
	second, after := field(rest)
	if host, port, ok := bytes.Cut(first, []byte(":")); ok && len(host) > 0 && number(port) && !bytes.Equal(second, []byte("-")) && len(after) > 0 {
		first, rest = second, after // a virtual host and its port
	}
	_, user := field(rest)
	user = bytes.TrimSpace(user)
	if len(first) == 0 || len(user) == 0 {
		return false
	}
	l.Client = first
	if !bytes.Equal(user, []byte("-")) {
		l.User = user
	}
	return true
}

// more reads what stands after the length: quoted texts, of which the second is the agent, and at the end the
// time that the answer took.
func (l *Line) more(rest []byte) {
	texts := 0
	var last []byte
	for rest = bytes.TrimLeft(rest, " "); len(rest) > 0; rest = bytes.TrimLeft(rest, " ") {
		var text []byte
		if rest[0] != '"' {
			text, rest = field(rest)
			last = text
			continue
		}
		var ok bool
		if text, rest, ok = quoted(rest[1:]); !ok {
			return
		}
		if last = text; texts == 1 {
			l.Agent, last = text, nil
		}
		texts++
	}
	if texts != 1 { // a lone text is a referrer, or what else: no time follows from it
		l.Took = took(last)
	}
}

// took is a time as servers write it: NGINX in seconds with decimals, Apache (%D) in microseconds.
func took(text []byte) time.Duration {
	if x, err := strconv.ParseFloat(string(text), 64); err == nil && x >= 0 && x < 1e12 {
		if bytes.IndexByte(text, '.') >= 0 {
			return time.Duration(min(x, 1e6) * float64(time.Second))
		}
		return time.Duration(x) * time.Microsecond
	}
	return -1
}

// quoted reads up to the quote that ends a text; behind a backslash none does.
func quoted(text []byte) (in, rest []byte, ok bool) {
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return text[:i], text[i+1:], true
		}
	}
	return nil, nil, false
}

// field cuts the next word off.
func field(text []byte) (word, rest []byte) {
	text = bytes.TrimLeft(text, " ")
	word, rest, _ = bytes.Cut(text, []byte(" "))
	return word, rest
}

func number(text []byte) bool {
	for _, c := range text {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(text) > 0
}
