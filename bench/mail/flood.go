package main

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"
)

// answers are what a client was told of its mails.
type answers struct{ accepted, refused int64 }

// flood sends mails, each from another sender to another domain, and goes on whatever the answer: a 452
// is counted, and after a 421 the mail is sent again over a new connection.
func flood(address string, mails, sessions, size int) (answers, error) {
	next := make(chan int, 1000)
	stop := make(chan struct{})
	var mu sync.Mutex
	var total answers
	var failed []error
	var clients sync.WaitGroup
	for range sessions {
		clients.Go(func() {
			c := &floodClient{address: address, body: strings.Repeat(strings.Repeat("x", 70)+"\r\n", size/72+1)[:size]}
			err := c.run(next)
			mu.Lock()
			defer mu.Unlock()
			total.accepted += c.accepted
			total.refused += c.refused
			if err != nil {
				if failed = append(failed, err); len(failed) == 1 {
					close(stop)
				}
			}
		})
	}
feeding:
	for n := range mails {
		select {
		case next <- n:
		case <-stop:
			break feeding
		}
	}
	close(next)
	clients.Wait()
	return total, errors.Join(failed...)
}

type floodClient struct {
	answers
	address, body string
	conn          net.Conn
	r             *bufio.Reader
}

// errAgain tells that the relay has ended the connection, and not taken the mail.
var errAgain = errors.New("the relay has ended the connection")

func (c *floodClient) run(next <-chan int) error {
	defer c.hangUp()
	for n := range next {
		err := c.send(n)
		for tries := 0; errors.Is(err, errAgain) && tries < 100; tries++ {
			c.hangUp()
			err = c.send(n)
		}
		if err != nil {
			return fmt.Errorf("mail %d: %w", n, err)
		}
	}
	return nil
}

func (c *floodClient) hangUp() {
	if c.conn != nil {
		_ = c.conn.Close() // all answers are there
		c.conn = nil
	}
}

func (c *floodClient) connect() error {
	conn, err := net.Dial("tcp", c.address)
	if err != nil {
		return err
	}
	c.conn, c.r = conn, bufio.NewReader(conn)
	if _, err := c.ask("", "220"); err != nil {
		return err
	}
	_, err = c.ask("HELO flood.test\r\n", "250")
	return err
}

func (c *floodClient) send(n int) error {
	if c.conn == nil {
		if err := c.connect(); err != nil {
			return err
		}
	}
	code, err := c.ask(fmt.Sprintf("MAIL FROM:<a%d@sender.test>\r\n", n), "250", "452")
	if err != nil {
		return err
	}
	if code == "452" {
		c.refused++
		return nil
	}
	if _, err := c.ask(fmt.Sprintf("RCPT TO:<b@d%d.test>\r\nDATA\r\n", n), "250"); err != nil {
		return err
	}
	if _, err := c.ask("", "354"); err != nil {
		return err
	}
	code, err = c.ask(fmt.Sprintf("Message-ID: <%d@flood.test>\r\n\r\n%s\r\n.\r\n", n, c.body), "250", "452")
	switch {
	case err != nil:
		return err
	case code == "452":
		c.refused++
	default:
		c.accepted++
	}
	return nil
}

// ask sends something and reads one answer, which must be of one line and have one of the codes.
func (c *floodClient) ask(what string, codes ...string) (string, error) {
	if err := c.conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return "", err
	}
	if _, err := c.conn.Write([]byte(what)); err != nil {
		return "", err
	}
	line, err := c.r.ReadString('\n')
	if err != nil {
		return "", err
	}
	for _, code := range codes {
		if strings.HasPrefix(line, code+" ") {
			return code, nil
		}
	}
	if strings.HasPrefix(line, "421 ") {
		return "", errAgain
	}
	return "", fmt.Errorf("answered %q", line)
}
