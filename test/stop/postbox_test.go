package stop

import (
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"yadokari/mailrelay/sink"
)

// postbox is the mail server behind the agents. It counts what it has taken by Message-ID, refuses every
// fortieth mail for now, and can be down or slow.
type postbox struct {
	listen func() (net.Listener, error)
	delay  atomic.Int64 // the longest time for an answer to a mail, in nanoseconds

	mu       sync.Mutex
	taken    map[string]int
	total    int
	server   *sink.Server
	listener net.Listener
	serving  sync.WaitGroup
}

const usualDelay = 20 * time.Millisecond

func newPostbox(t *testing.T, listen func() (net.Listener, error)) *postbox {
	t.Helper()
	b := &postbox{listen: listen, taken: map[string]int{}}
	b.delay.Store(int64(usualDelay))
	b.up(t)
	t.Cleanup(b.down)
	return b
}

// up serves again.
func (b *postbox) up(t *testing.T) {
	t.Helper()
	listener, err := b.listen()
	if err != nil {
		t.Fatal(err)
	}
	server := sink.New(sink.Script{OnText: b.take})
	b.mu.Lock()
	defer b.mu.Unlock()
	b.server, b.listener = server, listener
	b.serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			b.serving.Go(func() { server.Serve(conn) })
		}
	})
}

// down refuses connections and cuts those there are.
func (b *postbox) down() {
	b.mu.Lock()
	_ = b.listener.Close() // twice at the end of a test
	b.server.Close()
	b.mu.Unlock()
	b.serving.Wait()
}

func (b *postbox) take(m sink.Mail) string {
	time.Sleep(rand.N(time.Duration(b.delay.Load())))
	if rand.IntN(40) == 0 {
		return "451 4.3.0 not now"
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.taken[messageID(m.Text)]++
	b.total++
	return ""
}

// contents are how often each mail was taken, and the sum.
func (b *postbox) contents() (map[string]int, int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	taken := make(map[string]int, len(b.taken))
	for id, n := range b.taken {
		taken[id] = n
	}
	return taken, b.total
}

func messageID(text string) string {
	for line := range strings.SplitSeq(text, "\n") {
		name, value, _ := strings.Cut(line, ":")
		if strings.EqualFold(name, "Message-ID") {
			return strings.TrimSpace(value)
		}
		if strings.TrimSpace(line) == "" {
			break
		}
	}
	return "none"
}
