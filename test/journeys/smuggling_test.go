package journeys

import (
	"encoding/json"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// sample is raw input of gateway/framing's corpus and how many requests come of it.
type sample struct {
	Name     string
	Raw      []byte
	Requests int  // that may reach a backend
	InBody   bool // and one more, which breaks off
}

// TestSmuggling sends the whole corpus through the gateway to NGINX, which must never see a request
// that the gateway has not understood as one.
func TestSmuggling(t *testing.T) {
	var corpus []sample
	if err := json.Unmarshal(must[[]byte](t)(os.ReadFile("../../gateway/framing/testdata/corpus.json")), &corpus); err != nil {
		t.Fatal(err)
	}
	if len(corpus) < 100 {
		t.Fatalf("the corpus has %d samples", len(corpus))
	}
	old, fresh := startNGINX(t, "vm", site), startNGINX(t, "containers", site)
	g := startGateway(t, setUp{vm: []string{old.address}, containers: []string{fresh.address}, extra: "  limits: {headerTime: 1s, idle: 1s}\n"})
	g.set(t, "all", "50%")
	least, most := 0, 0
	var under sync.WaitGroup
	slots := make(chan struct{}, 64)
	for _, s := range corpus {
		least, most = least+s.Requests, most+s.Requests
		if s.InBody {
			most++
		}
		slots <- struct{}{}
		under.Go(func() {
			defer func() { <-slots }()
			if err := throw(g.address, s.Raw); err != nil {
				t.Errorf("%s: %v", s.Name, err)
			}
		})
	}
	under.Wait()
	g.MustStop(t)
	old.MustStop(t)
	fresh.MustStop(t)
	seen := append(old.seen(t), fresh.seen(t)...)
	for _, request := range seen {
		if strings.Contains(request, "/admin") || strings.HasPrefix(request, "GPOST") {
			t.Errorf("smuggled: %s", request)
		}
	}
	t.Logf("%d samples, %d requests at NGINX, expected %d to %d", len(corpus), len(seen), least, most)
	if len(seen) < least || len(seen) > most {
		t.Errorf("NGINX saw %d requests, want %d to %d:\n%s", len(seen), least, most, strings.Join(seen, "\n"))
	}
}

// throw sends raw bytes and reads until the other side closes, as it does after limits.idle at the
// latest. Ending the sending direction instead would count as a client that has left.
func throw(address string, raw []byte) error {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return err
	}
	if _, err := conn.Write(raw); err != nil {
		return nil // refused before all of it was sent
	}
	_, err = io.Copy(io.Discard, conn)
	if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
		return err
	}
	return nil // a reset is an end as well
}
