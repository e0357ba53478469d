package wire

import (
	"bufio"
	"errors"
	"fmt"
	"strings"
)

// Reply is a server's answer to one command.
type Reply struct {
	Code int    // 200 to 599
	Text string // the lines without their code, joined by "\n"; an enhanced status code is still in it
}

// Limits of a reply, so that a broken server cannot fill the memory.
const (
	maxReplyLine  = 2048
	maxReplyLines = 128
)

// ReadReply reads one reply, of one line or many (RFC 5321 section 4.2.1). A line may end in a bare LF.
func ReadReply(r *bufio.Reader) (Reply, error) {
	var reply Reply
	for n := 0; ; n++ {
		if n == maxReplyLines {
			return Reply{}, fmt.Errorf("the reply has more than %d lines", maxReplyLines)
		}
		line, err := readLine(r)
		if err != nil {
			return Reply{}, err
		}
		code, text, last, err := parseReplyLine(line)
		if err != nil {
			return Reply{}, err
		}
		if n == 0 {
			reply = Reply{code, text}
		} else if code != reply.Code {
			return Reply{}, fmt.Errorf("the reply changes its code from %d to %d", reply.Code, code)
		} else {
			reply.Text += "\n" + text
		}
		if last {
			return reply, nil
		}
	}
}

func readLine(r *bufio.Reader) (string, error) {
	line, err := r.ReadSlice('\n')
	if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
		return "", err
	}
	if err != nil || len(line) > maxReplyLine {
		return "", fmt.Errorf("a reply line is longer than %d bytes", min(maxReplyLine, r.Size()))
	}
	line = line[:len(line)-1]
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	return string(line), nil
}

func parseReplyLine(line string) (code int, text string, last bool, err error) {
	if len(line) < 3 || line[0] < '2' || line[0] > '5' || !digit(line[1]) || !digit(line[2]) {
		return 0, "", false, fmt.Errorf("%.80q is not a reply", line)
	}
	code = int(line[0]-'0')*100 + int(line[1]-'0')*10 + int(line[2]-'0')
	if len(line) == 3 {
		return code, "", true, nil
	}
	if line[3] != ' ' && line[3] != '-' {
		return 0, "", false, fmt.Errorf("%.80q is not a reply", line)
	}
	return code, clean(line[4:]), line[3] == ' ', nil
}

// clean replaces control characters: a reply's text goes to logs, bounces and other clients.
func clean(s string) string {
	if !strings.ContainsFunc(s, control) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if control(r) {
			return '?'
		}
		return r
	}, s)
}

func control(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }
func digit(c byte) bool   { return '0' <= c && c <= '9' }

// OK tells whether the command was done (2xx).
func (r Reply) OK() bool { return r.Code/100 == 2 }

// Temporary tells whether the command may succeed another time (4xx).
func (r Reply) Temporary() bool { return r.Code/100 == 4 }

// Permanent tells whether the command will never succeed (5xx).
func (r Reply) Permanent() bool { return r.Code/100 == 5 }

// Enhanced is the enhanced status code (RFC 3463) the text begins with, or the general one of the
// reply's class.
func (r Reply) Enhanced() string {
	if code, _, ok := splitEnhanced(r.Text); ok && code[0] == byte('0'+r.Code/100) {
		return code
	}
	return fmt.Sprintf("%d.0.0", r.Code/100)
}

// Plain is the text of the first line without the enhanced status code.
func (r Reply) Plain() string {
	text, _, _ := strings.Cut(r.Text, "\n")
	if _, rest, ok := splitEnhanced(text); ok {
		return rest
	}
	return text
}

// String is the reply on one line.
func (r Reply) String() string {
	return fmt.Sprintf("%d %s", r.Code, strings.ReplaceAll(r.Text, "\n", " "))
}

func splitEnhanced(text string) (code, rest string, ok bool) {
	code, rest, _ = strings.Cut(text, " ")
	if len(code) < 5 || code[1] != '.' || code[0] != '2' && code[0] != '4' && code[0] != '5' {
		return "", text, false
	}
	subject, detail, ok := strings.Cut(code[2:], ".")
	return code, rest, ok && number(subject) && number(detail)
}

func number(s string) bool {
	for i := range len(s) {
		if !digit(s[i]) {
			return false
		}
	}
	return len(s) >= 1 && len(s) <= 3
}
