package upstream

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"strings"

	"yadokari/mailrelay/wire"
)

// logIn uses AUTH PLAIN (RFC 4616) or, where that is not offered, AUTH LOGIN.
func (p *Pool) logIn(c *Conn) error {
	password, err := readPassword(p.config.Auth.PasswordFile)
	if err != nil {
		return err
	}
	user := p.config.Auth.User
	var reply wire.Reply
	switch {
	case c.extensions.plain:
		reply, err = c.ask("AUTH PLAIN " + encode("\x00"+user+"\x00"+password))
	case c.extensions.login:
		if reply, err = c.ask("AUTH LOGIN"); err == nil && reply.Code == 334 {
			reply, err = c.ask(encode(user))
		}
		if err == nil && reply.Code == 334 {
			reply, err = c.ask(encode(password))
		}
	default:
		return errors.New("log in: the server offers neither AUTH PLAIN nor AUTH LOGIN")
	}
	if err != nil {
		return fmt.Errorf("log in: %w", err)
	}
	if reply.Code != 235 {
		return fmt.Errorf("log in as %s: %s", user, reply)
	}
	return nil
}

func encode(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func readPassword(file string) (string, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("password: %w", err)
	}
	line, _, _ := strings.Cut(string(raw), "\n")
	line = strings.TrimSuffix(line, "\r")
	if line == "" {
		return "", fmt.Errorf("password: the first line of %s is empty", file)
	}
	return line, nil
}
