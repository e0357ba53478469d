package tracker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/smtp"
	"net/textproto"
	"os/exec"
	"strings"
	"time"
)

// smtp sends a mail on a connection of its own, as the mailers of most applications do.
func (m Mail) smtp(ctx context.Context, mail message) error {
	network, address := "tcp", m.Address
	if path, unix := strings.CutPrefix(address, "unix:"); unix {
		network, address = "unix", path
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return err
	}
	defer conn.Close()
	if deadline, set := ctx.Deadline(); set {
		if err := conn.SetDeadline(deadline); err != nil {
			return err
		}
	}
	// Ends what waits for the server when ctx is cancelled before its deadline.
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	return judgeReply(transact(conn, mail))
}

func transact(conn net.Conn, mail message) error {
	client, err := smtp.NewClient(conn, "localhost")
	if err != nil {
		return err
	}
	if err := client.Mail(mail.from); err != nil {
		return err
	}
	for _, to := range mail.to {
		if err := client.Rcpt(to); err != nil {
			return err
		}
	}
	body, err := client.Data()
	if err != nil {
		return err
	}
	if _, err := body.Write(mail.text); err != nil {
		return err
	}
	if err := body.Close(); err != nil { // reads the answer: nil means 250
		return err
	}
	_ = client.Quit() // the mail is the server's already, whatever it says now
	return nil
}

// judgeReply marks the answers that are no for good (5xx, RFC 5321, section 4.2.1).
func judgeReply(err error) error {
	var reply *textproto.Error
	if errors.As(err, &reply) && reply.Code >= 500 && reply.Code < 600 {
		return permanent{err}
	}
	return err
}

// The exit status of sendmail that means: try again (sysexits.h).
const exitTemporary = 75

// sendmail hands a mail to a program, with lines ended as in files.
func (m Mail) sendmail(ctx context.Context, mail message) error {
	arguments := append(append([]string{}, m.Command[1:]...), "-i", "-f", mail.from, "--")
	command := exec.CommandContext(ctx, m.Command[0], append(arguments, mail.to...)...)
	command.WaitDelay = time.Second
	command.Stdin = bytes.NewReader(bytes.ReplaceAll(mail.text, []byte("\r\n"), []byte("\n")))
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	err := command.Run()
	if err == nil {
		return nil
	}
	err = fmt.Errorf("%s: %w: %s", m.Command[0], err, strings.TrimSpace(firstBytes(output.String())))
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() > 0 && exit.ExitCode() != exitTemporary {
		return permanent{err}
	}
	return err
}

func firstBytes(text string) string { return text[:min(len(text), 500)] }
