package mailrelay

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"yadokari/mailrelay/sink"
)

const childEnv = "YADOKARI_TEST_RELAY"

// TestMain lets the test binary be the relay that TestKill kills.
func TestMain(m *testing.M) {
	if raw := os.Getenv(childEnv); raw != "" {
		var c Config
		err := json.Unmarshal([]byte(raw), &c)
		if err == nil {
			var r *Relay
			if r, err = New(c, Options{Hostname: "relay.test"}); err == nil {
				err = r.Run(context.Background())
			}
		}
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// Every mail that got a 250 arrives, whenever the relay is killed.
func TestKill(t *testing.T) {
	for _, wait := range []time.Duration{0, time.Second} {
		t.Run(fmt.Sprintf("wait %v", wait), func(t *testing.T) { killOften(t, wait, 12) })
	}
}

func killOften(t *testing.T, wait time.Duration, kills int) {
	c := settings()
	c.Wait, c.Spool, c.Listen, c.Socket = wait, t.TempDir(), "", t.TempDir()+"/s"
	c.Retry.First = 50 * time.Millisecond
	var n atomic.Int64
	s := upstreamFor(t, &c, sink.Script{OnText: func(sink.Mail) string {
		switch n.Add(1) % 50 {
		case 7:
			return "451 4.3.0 later"
		case 8:
			return "close"
		}
		return ""
	}})
	stop := make(chan struct{})
	var senders sync.WaitGroup
	var mu sync.Mutex
	safe := map[string]bool{}
	for i := range 8 {
		senders.Go(func() {
			for k := 0; ; k++ {
				select {
				case <-stop:
					return
				default:
				}
				id := fmt.Sprintf("m%d.%d@client.test", i, k)
				if handOver(c.Socket, id) {
					mu.Lock()
					safe[id] = true
					mu.Unlock()
				}
			}
		})
	}
	count := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(safe)
	}
	for range kills {
		child := startChild(t, c)
		before := count()
		until(t, func() bool { return count() > before+20 })
		for range rand.IntN(2000) { // a moment that no clock decides
			count()
		}
		if err := child.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		child.Wait()
	}
	close(stop)
	senders.Wait()
	r := start(t, c, Options{})
	res := r.Drain(within(30 * time.Second))
	if res.Counts.Mails.LeftOver > 0 || res.Counts.Mails.Damaged > 0 || res.Err != nil {
		t.Errorf("%+v", res)
	}
	arrived := map[string]int{}
	for _, m := range s.Mails() {
		arrived[field([]byte(m.Text), "message-id")]++
	}
	twice := 0
	for id := range safe {
		switch got := arrived["<"+id+">"]; {
		case got == 0:
			t.Errorf("%s got a 250 and never arrived", id)
		case got > 1:
			twice++
		}
	}
	t.Logf("%d kills: %d mails safe, %d of them arrived more than once", kills, len(safe), twice)
}

func startChild(t *testing.T, c Config) *exec.Cmd {
	t.Helper()
	raw, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childEnv+"="+string(raw))
	child.Stderr = os.Stderr
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	return child
}

// handOver sends one mail and tells whether the relay took it.
func handOver(socket, id string) bool {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		time.Sleep(time.Millisecond) // no relay at the moment: not too many tries
		return false
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	fmt.Fprintf(conn, "HELO x\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<x@y.test>\r\nDATA\r\n")
	r := bufio.NewReader(conn)
	for _, code := range []string{"220", "250", "250", "250", "354"} {
		if line, err := r.ReadString('\n'); err != nil || !strings.HasPrefix(line, code) {
			return false
		}
	}
	fmt.Fprintf(conn, "Message-ID: <%s>\r\n\r\n%s\r\n.\r\n", id, strings.Repeat("text ", 1+rand.IntN(2000)))
	line, err := r.ReadString('\n')
	return err == nil && strings.HasPrefix(line, "250")
}
