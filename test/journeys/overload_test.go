package journeys

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"yadokari/test/process"
)

// TestOverload sends ten times as many requests at once as limits.inFlight lets through: what is too
// much is answered 503 with Retry-After, the rest is served, and afterwards all is as before.
func TestOverload(t *testing.T) {
	vm, containers := startSide(t, "vm"), startSide(t, "containers")
	g := startGateway(t, setUp{vm: []string{vm.address}, containers: []string{containers.address}, extra: "  limits: {inFlight: 20}\n"})
	order(t, vm.control, "slow 500ms")
	var mu sync.Mutex
	var under sync.WaitGroup
	served, refused := 0, 0
	for n := range 200 {
		under.Go(func() {
			answer, err := http.Get(fmt.Sprintf("%s/page?%d", g.url(), n))
			if err != nil {
				t.Error(err)
				return
			}
			defer answer.Body.Close()
			_, err = io.Copy(io.Discard, answer.Body)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil && answer.StatusCode == http.StatusOK:
				served++
			case answer.StatusCode == http.StatusServiceUnavailable && answer.Header.Get("Retry-After") != "":
				refused++
			default:
				t.Errorf("%s, Retry-After %q: %v", answer.Status, answer.Header.Get("Retry-After"), err)
			}
		})
	}
	under.Wait()
	t.Logf("200 at once with room for 20: %d served, %d refused", served, refused)
	if served < 20 || refused == 0 {
		t.Errorf("%d were served, %d refused", served, refused)
	}
	order(t, vm.control, "ok")
	l := startLoad(t, g.url(), 100)
	process.Eventually(t, "all is as before", func() bool { return l.from("vm") > 100 })
	if l.report(t) > 0 {
		t.Error("requests failed after the overload")
	}
	g.MustStop(t)
}

// TestSlowPeers keeps connections busy that say nothing, half a head, or do not read their answer: each
// is ended in time, and others do not notice.
func TestSlowPeers(t *testing.T) {
	big := map[string]string{"big.txt": strings.Repeat("0123456789abcdef", 1<<20), "page": "vm \n"}
	old, fresh := startNGINX(t, "vm", big), startNGINX(t, "containers", big)
	g := startGateway(t, setUp{vm: []string{old.address}, containers: []string{fresh.address},
		extra: "  limits: {headerTime: 1s, idle: 2s}\n"})
	for range 50 {
		// Its read buffer is small and it never reads: the gateway's writes get stuck.
		deaf := sit(t, g.address, "GET /big.txt HTTP/1.1\r\nHost: a.test\r\n\r\n")
		defer deaf.Close()
	}
	process.Eventually(t, "answers are under way", func() bool { return g.inFlight(t, "vm") == 50 })
	var quiet []net.Conn
	for _, text := range []string{"", "GET / HTTP/1.1\r\nHost: a.te"} {
		for range 50 {
			quiet = append(quiet, sit(t, g.address, text))
		}
	}
	for range 200 {
		if err := request(g.address); err != nil {
			t.Errorf("beside slow peers: %v", err)
		}
	}
	for _, conn := range quiet {
		if err := ended(conn); err != nil {
			t.Error(err)
		}
	}
	process.Eventually(t, "those who do not read are cut off", func() bool { return g.inFlight(t, "vm") == 0 })
	g.MustStop(t)
}

// sit opens a connection with a small read buffer and sends a text.
func sit(t *testing.T, address, text string) net.Conn {
	t.Helper()
	conn := must[net.Conn](t)(net.Dial("tcp", address))
	if err := conn.(*net.TCPConn).SetReadBuffer(4 << 10); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	return conn
}

// ended waits until the other side has closed a connection.
func ended(conn net.Conn) error {
	defer conn.Close()
	if err := conn.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return err
	}
	n, err := io.Copy(io.Discard, conn)
	if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
		return fmt.Errorf("still open after %d bytes", n)
	}
	return nil
}
