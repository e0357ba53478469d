package wire

import (
	"errors"
	"fmt"
	"strings"
)

// Param is one parameter of MAIL or RCPT: SIZE=1000 or SMTPUTF8.
type Param struct{ Key, Value string }

// ParseCommand splits a command line, given without its CRLF, into the verb, in capitals, and the rest.
// A line with a control character other than a tab is refused.
func ParseCommand(line string) (verb, rest string, err error) {
	for i := range len(line) {
		if c := line[i]; c < ' ' && c != '\t' || c == 0x7f {
			return "", "", fmt.Errorf("the command holds the control character %#02x", c)
		}
	}
	verb, rest, _ = strings.Cut(strings.TrimRight(line, " \t"), " ")
	return strings.ToUpper(verb), strings.TrimLeft(rest, " "), nil
}

// ParseMail parses what follows MAIL: "FROM:<address> KEY=VALUE". The null sender is "".
func ParseMail(rest string) (from string, params []Param, err error) {
	return parsePath(rest, "FROM:", true)
}

// ParseRcpt parses what follows RCPT: "TO:<address> KEY=VALUE".
func ParseRcpt(rest string) (to string, params []Param, err error) {
	return parsePath(rest, "TO:", false)
}

func parsePath(rest, keyword string, null bool) (address string, params []Param, err error) {
	if len(rest) < len(keyword) || !strings.EqualFold(rest[:len(keyword)], keyword) {
		return "", nil, fmt.Errorf("%s<address> is missing", keyword)
	}
	rest = strings.TrimLeft(rest[len(keyword):], " ")
	end := pathEnd(rest)
	if end < 0 {
		return "", nil, errors.New("the address is not in angle brackets")
	}
	address = rest[1:end]
	if route := strings.HasPrefix(address, "@"); route { // an obsolete source route: ignore it (RFC 5321, appendix C)
		_, after, ok := strings.Cut(address, ":")
		if !ok {
			return "", nil, errors.New("the source route has no end")
		}
		address = after
	}
	if address != "" || !null {
		if err := CheckAddress(address); err != nil {
			return "", nil, err
		}
	}
	params, err = parseParams(rest[end+1:])
	return address, params, err
}

// pathEnd is the place of the ">" that ends the path at the start of s, minding quoted strings; -1 if
// there is none.
func pathEnd(s string) int {
	if s == "" || s[0] != '<' {
		return -1
	}
	quoted := false
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '"':
			quoted = !quoted
		case quoted && s[i] == '\\':
			i++
		case !quoted && s[i] == '>':
			return i
		}
	}
	return -1
}

func parseParams(s string) ([]Param, error) {
	if s == "" {
		return nil, nil
	}
	if s[0] != ' ' {
		return nil, errors.New("there is no space after the address")
	}
	var params []Param
	for field := range strings.FieldsSeq(s) {
		key, value, _ := strings.Cut(field, "=")
		if key == "" {
			return nil, fmt.Errorf("%q is not a parameter", field)
		}
		params = append(params, Param{strings.ToUpper(key), value})
	}
	return params, nil
}

// MaxAddress is the longest address, in bytes (RFC 5321 section 4.5.3.1.3, less the brackets).
const MaxAddress = 254

// CheckAddress tells whether address is local@domain (or the bare word postmaster) and safe to put
// between angle brackets on a command line: no control character, no space or bracket outside quotes.
// It does not tell whether the address exists.
func CheckAddress(address string) error {
	if strings.EqualFold(address, "postmaster") {
		return nil
	}
	at := strings.LastIndexByte(address, '@')
	if at <= 0 || at == len(address)-1 {
		return fmt.Errorf("%q is not local@domain", address)
	}
	if len(address) > MaxAddress {
		return fmt.Errorf("the address is longer than %d bytes", MaxAddress)
	}
	if err := checkLocal(address[:at]); err != nil {
		return fmt.Errorf("%q: %w", address, err)
	}
	if domain := address[at+1:]; strings.ContainsFunc(domain, notInDomain) {
		return fmt.Errorf("%q is not a domain", domain)
	}
	return nil
}

func notInDomain(r rune) bool {
	switch {
	case r >= 0x80, 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
		return false
	}
	return !strings.ContainsRune("-._[]:", r) // brackets and colons: an address literal
}

func checkLocal(local string) error {
	if local[0] != '"' {
		if i := strings.IndexFunc(local, notInAtom); i >= 0 {
			return fmt.Errorf("%q must not stand before the @ without quotes", local[i])
		}
		return nil
	}
	for i := 1; i < len(local); i++ {
		switch c := local[i]; {
		case c < ' ' || c == 0x7f:
			return fmt.Errorf("it holds the control character %#02x", c)
		case c == '\\' && i+1 < len(local) && local[i+1] >= ' ' && local[i+1] != 0x7f:
			i++
		case c == '\\':
			return errors.New("the quoted part has a stray backslash")
		case c == '"' && i == len(local)-1:
			return nil
		case c == '"':
			return errors.New("the quoted part ends before the @")
		}
	}
	return errors.New("the quoted part has no end")
}

func notInAtom(r rune) bool {
	return r <= ' ' || r == 0x7f || strings.ContainsRune(`()<>[]:;@\,"`, r)
}

// ASCII tells whether s holds nothing beyond 7 bits.
func ASCII[T string | []byte](s T) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// Domain is the part of address after the last @, in lower case; "" if there is none.
func Domain(address string) string {
	return strings.ToLower(address[strings.LastIndexByte(address, '@')+1:])
}
