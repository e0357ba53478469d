package journeys

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// load sends requests at a constant rate, whatever becomes of them, with users that keep their
// connections: of ten requests seven are GET, one PUT, one DELETE and one POST.
type load struct {
	url    string
	client *http.Client
	users  int
	prefix string

	mu       sync.Mutex
	sums     map[string]*sum // by method
	examples []string
	resent   atomic.Int64
	sides    sync.Map // *atomic.Int64 by the name of a side
	stop     context.CancelFunc
	done     chan struct{}
}

// sum is what became of a method's requests. A failure is what a user would call one.
type sum struct{ requests, failures int }

// startLoad sends rate requests a second to a base URL until its end is called, or the test ends.
func startLoad(t *testing.T, url string, rate int) *load {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	l := &load{
		url: url, users: 400, prefix: strings.ReplaceAll(t.Name(), "/", "-"), sums: map[string]*sum{}, stop: stop, done: make(chan struct{}),
		client: &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{
			MaxIdleConnsPerHost: 1000, DisableCompression: true,
			DialContext: (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		}},
	}
	go l.run(ctx, rate)
	t.Cleanup(func() { l.end() })
	return l
}

func (l *load) run(ctx context.Context, rate int) {
	defer close(l.done)
	var under sync.WaitGroup
	begun := time.Now()
	for n := 0; ctx.Err() == nil; n++ {
		time.Sleep(time.Until(begun.Add(time.Duration(n) * time.Second / time.Duration(rate))))
		under.Go(func() { l.request(n) })
	}
	under.Wait()
	l.client.CloseIdleConnections()
}

// end stops the load, waits for what is under way, and returns the sums by method.
func (l *load) end() map[string]*sum {
	l.stop()
	<-l.done
	return l.sums
}

var methods = [10]string{
	http.MethodGet, http.MethodGet, http.MethodPut, http.MethodGet, http.MethodGet,
	http.MethodPost, http.MethodGet, http.MethodDelete, http.MethodGet, http.MethodGet,
}

func (l *load) request(n int) {
	method := methods[n%len(methods)]
	err := l.send(method, fmt.Sprintf("%s-%d", l.prefix, n), n*7%l.users)
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.sums[method]
	if s == nil {
		s = &sum{}
		l.sums[method] = s
	}
	s.requests++
	if err != nil {
		s.failures++
		if len(l.examples) < 40 {
			l.examples = append(l.examples, fmt.Sprintf("%s %s %d: %v", time.Now().Format(time.StampMilli), method, n, err))
		}
	}
}

func (l *load) send(method, id string, user int) error {
	var body io.Reader
	if method == http.MethodPut || method == http.MethodPost {
		body = strings.NewReader("something to be stored: " + id)
	}
	conns := 0
	trace := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { conns++ }})
	r, err := http.NewRequestWithContext(trace, method, l.url+"/page", body)
	if err != nil {
		return err
	}
	r.GetBody = nil // so that the client does not send a body again by itself
	r.Header.Set("X-Request-Id", id)
	r.AddCookie(&http.Cookie{Name: "SESSION", Value: fmt.Sprintf("user-%d", user)})
	answer, err := l.client.Do(r)
	if conns > 1 {
		l.resent.Add(int64(conns - 1))
	}
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", answer.Status, tail(string(text), 200))
	}
	from := answer.Header.Get("X-Side")
	counter, _ := l.sides.LoadOrStore(from, new(atomic.Int64))
	counter.(*atomic.Int64).Add(1)
	return whole(string(text), from, id)
}

// whole finds an answer that is mixed up with another's, or not all there.
func whole(text, side, id string) error {
	line := side + " " + id + "\n"
	if got := strings.Count(text, line); got*len(line) != len(text) || got == 0 {
		return fmt.Errorf("a mixed answer: want lines of %q, got %q", line, tail(text, 200))
	}
	return nil
}

// from is how many answers a side has made.
func (l *load) from(side string) int64 {
	counter, ok := l.sides.Load(side)
	if !ok {
		return 0
	}
	return counter.(*atomic.Int64).Load()
}

// report logs the sums and returns the failures of the methods named, or of all.
func (l *load) report(t *testing.T, named ...string) (failures int) {
	t.Helper()
	for method, s := range l.end() {
		t.Logf("%-6s %6d requests, %d failures", method, s.requests, s.failures)
		if len(named) == 0 || strings.Contains(strings.Join(named, " "), method) {
			failures += s.failures
		}
	}
	if failures > 0 {
		t.Logf("failures:\n%s", strings.Join(l.examples, "\n"))
	}
	return failures
}
