package sendmail

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"yadokari/mailrelay/wire"
)

// What Run returns: the exit codes of sysexits.h that mailers look at.
const (
	ExOK          = 0
	ExUsage       = 64 // wrong options or no recipients
	ExDataErr     = 65 // the mail cannot be sent as it is
	ExNoUser      = 67 // the relay refused an address for good
	ExUnavailable = 69 // the relay refused the mail for good
	ExIOErr       = 74 // standard input cannot be read
	ExTempFail    = 75 // try again later
)

// Call is one call of sendmail.
type Call struct {
	Args   []string // without the program's name
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer

	// Relay is where the relay listens: host:port, or the path of a unix socket.
	Relay string
	// User is the sender unless -f says otherwise: the login name.
	User string
	// Hostname completes addresses without a domain.
	Hostname string
	// Most is the largest mail, in bytes; 0: 64 MiB.
	Most int64
	// Patience is how long a relay that does not answer is tried again, as while it is restarted; 0:
	// once.
	Patience time.Duration
	// Queue prints the queue for -bp; nil: -bp is not offered.
	Queue func(ctx context.Context, w io.Writer) error
}

// Run does what the arguments say and returns an exit code. What went wrong is one line on Stderr.
func (c *Call) Run(ctx context.Context) int {
	code, err := c.run(ctx)
	if err != nil {
		fmt.Fprintf(c.Stderr, "sendmail: %s\n", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return code
}

func (c *Call) run(ctx context.Context) (int, error) {
	o, err := parseArgs(c.Args)
	if err != nil {
		return ExUsage, err
	}
	switch {
	case o.mode == showQueue && c.Queue == nil:
		return ExUsage, errors.New("-bp is not offered here")
	case o.mode == showQueue:
		if err := c.Queue(ctx, c.Stdout); err != nil {
			return ExTempFail, err
		}
		return ExOK, nil
	case o.mode == speakSMTP:
		return c.passOn(ctx)
	}
	most := c.Most
	if most == 0 {
		most = 64 << 20
	}
	raw, err := io.ReadAll(io.LimitReader(c.Stdin, most+1))
	if err != nil {
		return ExIOErr, fmt.Errorf("standard input: %w", err)
	}
	if int64(len(raw)) > most {
		return ExDataErr, fmt.Errorf("the mail is larger than %d bytes", most)
	}
	m, err := o.build(raw, c, time.Now())
	if err != nil {
		return ExDataErr, err
	}
	if len(m.recipients) == 0 {
		return ExUsage, errors.New("there are no recipients: name them, or use -t and a To line")
	}
	return c.submit(ctx, m)
}

// dial reaches the relay, within Patience.
func (c *Call) dial(ctx context.Context) (net.Conn, error) {
	network := "tcp"
	if strings.HasPrefix(c.Relay, "/") {
		network = "unix"
	}
	for end := time.Now().Add(c.Patience); ; {
		conn, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, network, c.Relay)
		if err == nil || time.Now().After(end) {
			return conn, err
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// passOn speaks SMTP between standard input and output and the relay (-bs).
func (c *Call) passOn(ctx context.Context) (int, error) {
	conn, err := c.dial(ctx)
	if err != nil {
		return ExTempFail, err
	}
	defer conn.Close()
	answers := make(chan error, 1)
	go func() {
		_, err := io.Copy(c.Stdout, conn)
		answers <- err
	}()
	speak(conn, c.Stdin)
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite() // the answers tell
	}
	if err := <-answers; err != nil {
		return ExTempFail, err
	}
	return ExOK, nil
}

// speak copies what a program says until it ends or the relay takes no more. The first line tells whether the
// program ends its lines in LF; then each LF, and nothing else, becomes CRLF. Anything more would turn what the
// program took for text into the end of its mail.
func speak(relay io.Writer, program io.Reader) {
	in := bufio.NewReader(program)
	line, err := in.ReadString('\n')
	if err != nil || strings.HasSuffix(line, "\r\n") {
		if _, err := io.WriteString(relay, line); err == nil {
			_, _ = io.Copy(relay, in) // either side has ended it: the answers tell
		}
		return
	}
	for {
		if text, ok := strings.CutSuffix(line, "\n"); ok {
			line = text + "\r\n"
		}
		if _, werr := io.WriteString(relay, line); werr != nil || err != nil {
			return
		}
		line, err = in.ReadString('\n')
	}
}

// submit hands a mail to the relay. A mail for several recipients of which some are refused is sent to
// none: the caller cannot be told who got it.
func (c *Call) submit(ctx context.Context, m *message) (int, error) {
	conn, err := c.dial(ctx)
	if err != nil {
		return ExTempFail, fmt.Errorf("the relay cannot be reached: %w", err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Minute)); err != nil {
		return ExTempFail, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() }) // shows as an error below
	defer stop()
	s := &submission{r: bufio.NewReader(conn), w: bufio.NewWriter(conn)}
	s.expect("", ExTempFail, 220)
	s.expect("EHLO "+c.Hostname, ExTempFail, 250)
	s.expect(m.mailCommand(), ExNoUser, 250)
	for _, to := range m.recipients {
		s.expect("RCPT TO:<"+to+">", ExNoUser, 250)
	}
	s.expect("DATA", ExUnavailable, 354)
	if s.err == nil {
		body := wire.NewStuffer(s.w)
		_, err := body.Write(m.text)
		if s.err = errors.Join(err, body.Close()); s.err != nil {
			s.code = ExTempFail
		}
	}
	s.expect("", ExUnavailable, 250)
	if s.err == nil {
		_, _ = s.w.WriteString("QUIT\r\n") // the mail is through: errors change nothing
		_ = s.w.Flush()
	}
	return s.code, s.err
}

func (m *message) mailCommand() string {
	command := fmt.Sprintf("MAIL FROM:<%s> SIZE=%d", m.from, len(m.text))
	if !wire.ASCII(m.text) {
		command += " BODY=8BITMIME"
	}
	for _, a := range append([]string{m.from}, m.recipients...) {
		if !wire.ASCII(a) {
			return command + " SMTPUTF8"
		}
	}
	return command
}

// submission is a conversation with the relay that ends at the first error.
type submission struct {
	r    *bufio.Reader
	w    *bufio.Writer
	code int
	err  error
}

// expect sends a line, unless it is empty, and reads the answer. refused is the exit code of a 5xx.
func (s *submission) expect(line string, refused, want int) {
	if s.err != nil {
		return
	}
	if line != "" {
		_, _ = s.w.WriteString(line + "\r\n") // errors show at the flush
	}
	if s.err = s.w.Flush(); s.err != nil {
		s.code = ExTempFail
		return
	}
	reply, err := wire.ReadReply(s.r)
	switch {
	case err != nil:
		s.code, s.err = ExTempFail, fmt.Errorf("the relay: %w", err)
	case reply.Code == want:
	case reply.Permanent():
		s.code, s.err = refused, fmt.Errorf("the relay refused %q: %s", line, reply)
	default:
		s.code, s.err = ExTempFail, fmt.Errorf("the relay did not take %q: %s", line, reply)
	}
}

// Name returns the login name for Call.User from the environment, as sendmail does; "nobody" if it
// does not say.
func Name() string {
	for _, key := range []string{"LOGNAME", "USER"} {
		if name := os.Getenv(key); name != "" {
			return name
		}
	}
	return "nobody"
}
