package mail

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/smtp"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"yadokari/test/process"
)

// TestKill: on a VM, with a spool, the agent is killed (SIGKILL) at random moments under mail load. Every
// mail for which a client got a 250, or sendmail ended with 0, arrives at Postfix's smtp-sink.
func TestKill(t *testing.T) {
	for _, wait := range []time.Duration{0, time.Second} {
		t.Run(fmt.Sprintf("wait %v", wait), func(t *testing.T) { killOften(t, wait, *kills/2) })
	}
}

func killOften(t *testing.T, wait time.Duration, times int) {
	a := newAgent(t, wait.String())
	senders := startSenders(a.listen)
	defer senders.end()
	for i := range times {
		a.run(t)
		if i%5 == 4 { // while it starts, and takes up what the one before has left
			time.Sleep(rand.N(100 * time.Millisecond))
		} else {
			enough := senders.safe() + 1 + rand.IntN(100)
			process.Eventually(t, "mail is accepted", func() bool { return senders.safe() >= enough })
			time.Sleep(rand.N(3 * time.Millisecond))
		}
		a.Kill()
	}
	a.run(t)
	a.Says(t, "agent is ready")
	senders.end()
	a.end(t)
	checkInbox(t, a.inbox, times, senders.taken)
}

// checkInbox compares what is safe with what has arrived.
func checkInbox(t *testing.T, inbox string, times int, safe map[string]bool) {
	t.Helper()
	arrived := map[string]int{}
	readInbox(t, inbox, func(text string) { arrived[messageID(text)]++ })
	lost, copies, unacknowledged := 0, 0, 0
	for id := range safe {
		if arrived[id] == 0 {
			lost++
		}
	}
	for id, n := range arrived {
		copies += n - 1
		if !safe[id] {
			unacknowledged++
		}
	}
	t.Logf("%d kills: %d mails got a 250, %d of them lost; %d distinct mails arrived (%d whose 250 was cut off), %d copies beyond the first",
		times, len(safe), lost, len(arrived), unacknowledged, copies)
	if lost > 0 || len(safe) < times {
		t.Errorf("%d of %d mails that got a 250 never arrived", lost, len(safe))
	}
	// A mail comes twice when the agent dies after the mail server has taken it and before that is
	// noted: no more than were under way.
	if most := times * upstreamConnections; copies > most {
		t.Errorf("%d copies, at most %d can be explained", copies, most)
	}
}

// senders are clients who send mail all the time, by SMTP and by sendmail.
type senders struct {
	stop    chan struct{}
	once    sync.Once
	working sync.WaitGroup
	mu      sync.Mutex
	taken   map[string]bool
}

const smtpClients = 6

func startSenders(address string) *senders {
	s := &senders{stop: make(chan struct{}), taken: map[string]bool{}}
	for i := range smtpClients {
		s.work(fmt.Sprintf("smtp%d", i), func(id string) error { return sendSMTP(address, id) })
	}
	s.work("sendmail", func(id string) error { return sendSendmail(address, id) })
	return s
}

func (s *senders) work(name string, send func(id string) error) {
	s.working.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-s.stop:
				return
			default:
			}
			id := fmt.Sprintf("<%s.%d@client.test>", name, n)
			if send(id) == nil {
				s.mu.Lock()
				s.taken[id] = true
				s.mu.Unlock()
			} else {
				time.Sleep(5 * time.Millisecond) // nobody is there: not too many tries
			}
		}
	})
}

// end lets each client finish the mail it is at.
func (s *senders) end() {
	s.once.Do(func() { close(s.stop) })
	s.working.Wait()
}

// safe is how many mails were accepted.
func (s *senders) safe() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.taken)
}

func mailText(id, end string) string {
	lines := []string{"From: app@client.test", "To: ann@example.test", "Subject: proof", "Message-ID: " + id, "", "first line", lastLine, ""}
	return strings.Join(lines, end)
}

// sendSMTP returns nil only after a 250.
func sendSMTP(address, id string) error {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return err
	}
	c, err := smtp.NewClient(conn, "localhost")
	if err != nil {
		return err
	}
	if err := c.Mail("app@client.test"); err != nil {
		return err
	}
	if err := c.Rcpt("ann@example.test"); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write([]byte(mailText(id, "\r\n"))); err != nil {
		return err
	}
	return w.Close()
}

// sendSendmail returns nil only if yadokari sendmail ended with 0.
func sendSendmail(address, id string) error {
	c := exec.Command(program("yadokari"), "sendmail", "-t", "-i", "-f", "app@client.test")
	c.Env = append(os.Environ(), "YADOKARI_RELAY="+address)
	c.Stdin = strings.NewReader(mailText(id, "\n"))
	return c.Run()
}
