package gateway

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"yadokari/setting"
)

func TestServerSentEventsAreNotBuffered(t *testing.T) {
	for _, share := range []setting.Share{0, 1} {
		r := newRig(t, func(c *Config) { c.Fallback.Hold = time.Hour })
		r.share(share)
		next := make(chan struct{})
		events := func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
			for i := range 3 {
				_, _ = fmt.Fprintf(w, "data: %d\n\n", i)
				w.(http.Flusher).Flush()
				<-next
			}
		}
		r.old.does(events)
		r.new.does(events)
		resp, err := r.client.Get(r.base + "/events")
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewReader(resp.Body)
		for i := range 3 {
			line, err := lines.ReadString('\n')
			if err != nil || line != fmt.Sprintf("data: %d\n", i) {
				t.Fatalf("got %q, %v", line, err)
			}
			_, _ = lines.ReadString('\n')
			next <- struct{}{}
		}
		_ = resp.Body.Close()
	}
}

func TestUpgrade(t *testing.T) {
	r := newRig(t)
	r.share(1)
	echo := func(w http.ResponseWriter, q *http.Request) {
		if q.Header.Get("Upgrade") != "echo" || q.Header.Get("Connection") != "Upgrade" {
			http.Error(w, "no upgrade", http.StatusUpgradeRequired)
			return
		}
		c, buffered, err := w.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		defer func() { _ = c.Close() }()
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\nX-Side: containers\r\n\r\nhello ")
		_, _ = io.Copy(c, buffered)
	}
	r.new.does(echo)
	c, head := r.dialUpgrade("echo")
	defer func() { _ = c.Close() }()
	if !strings.HasPrefix(head, "HTTP/1.1 101") || !strings.Contains(head, "X-Side: containers") {
		t.Fatalf("head %q", head)
	}
	_, _ = io.WriteString(c, "world")
	got := make([]byte, 11)
	if _, err := io.ReadFull(c, got); err != nil || string(got) != "hello world" {
		t.Fatalf("got %q, %v", got, err)
	}
	if n := r.Servers()["containers"][0].InFlight; n != 1 {
		t.Fatalf("%d in flight at the server while the connection is open", n)
	}
	r.share(0) // a rollback closes it after linger
	if rest, err := io.ReadAll(c); err != nil || len(rest) != 0 {
		t.Fatalf("after a rollback: %q, %v", rest, err)
	}
}

// dialUpgrade asks for an upgrade and returns the connection and the head of the answer.
func (r *rig) dialUpgrade(protocol string) (net.Conn, string) {
	r.t.Helper()
	c, err := net.Dial("tcp", r.Addr().String())
	if err != nil {
		r.t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	_, _ = fmt.Fprintf(c, "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: %s\r\n\r\n", protocol)
	var head strings.Builder
	one := make([]byte, 1)
	for !strings.HasSuffix(head.String(), "\r\n\r\n") {
		if _, err := c.Read(one); err != nil {
			r.t.Fatalf("head %q: %v", head.String(), err)
		}
		head.Write(one)
	}
	return c, head.String()
}

func TestRefusedUpgradeEndsTheConnection(t *testing.T) {
	r := newRig(t)
	out := r.raw("GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
	if !strings.Contains(out, "Connection: close") || strings.Count(out, "HTTP/1.1 ") != 1 {
		t.Fatalf("got %q", out)
	}
	for _, seen := range r.old.requests() {
		if strings.Contains(seen, "smuggled") {
			t.Fatal("a second request was taken from a connection that left HTTP")
		}
	}
}

func TestTrailersAndInterimResponses(t *testing.T) {
	r := newRig(t)
	r.old.does(func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("Link", "</a.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Del("Link")
		body, _ := io.ReadAll(q.Body)
		w.Header().Set("Trailer", "X-Sum")
		_, _ = w.Write(body)
		w.Header().Set("X-Sum", q.Trailer.Get("X-In"))
	})
	q, _ := http.NewRequest(http.MethodPost, r.base+"/", io.NopCloser(strings.NewReader("body")))
	q.ContentLength, q.Trailer = -1, http.Header{"X-In": {"7"}}
	var hints []string
	q = q.WithContext(httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
			hints = append(hints, fmt.Sprint(code, " ", h.Get("Link")))
			return nil
		},
	}))
	resp, err := r.client.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil || string(body) != "body" || resp.Trailer.Get("X-Sum") != "7" {
		t.Errorf("body %q, trailer %v, %v", body, resp.Trailer, err)
	}
	if len(hints) != 1 || hints[0] != "103 </a.css>; rel=preload" || resp.Header.Get("Link") != "" {
		t.Errorf("hints %v, final %v", hints, resp.Header)
	}
}

func TestExpectIsAskedOfTheServer(t *testing.T) {
	r := newRig(t)
	r.old.does(func(w http.ResponseWriter, q *http.Request) {
		if q.Header.Get("Authorization") == "" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		n, _ := io.Copy(io.Discard, q.Body)
		_, _ = fmt.Fprint(w, n)
	})
	head := "PUT /f HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n"
	if out := r.raw(head + "\r\n"); !strings.HasPrefix(out, "HTTP/1.1 401") {
		t.Errorf("got %q", out)
	}
	c, err := net.Dial("tcp", r.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	_, _ = io.WriteString(c, head+"Authorization: x\r\n\r\n")
	lines := bufio.NewReader(c)
	if line, err := lines.ReadString('\n'); err != nil || line != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("got %q, %v", line, err)
	}
	_, _ = lines.ReadString('\n')
	_, _ = io.WriteString(c, "12345")
	resp, err := http.ReadResponse(lines, nil)
	if err != nil {
		t.Fatal(err)
	}
	if body, _ := io.ReadAll(resp.Body); string(body) != "5" {
		t.Fatalf("the server got %q bytes", body)
	}
}

func TestBothDirectionsAtOnce(t *testing.T) {
	r := newRig(t)
	r.old.does(func(w http.ResponseWriter, q *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		_, _ = io.Copy(flushing{w}, q.Body)
	})
	pr, pw := io.Pipe()
	q, _ := http.NewRequest(http.MethodPost, r.base+"/chat", pr)
	answered := make(chan *http.Response, 1)
	go func() {
		resp, err := r.client.Do(q)
		if err != nil {
			t.Error(err)
		}
		answered <- resp
	}()
	_, _ = io.WriteString(pw, "one")
	resp := <-answered
	if resp == nil {
		t.FailNow()
	}
	got := make([]byte, 3)
	for _, word := range []string{"one", "two", "six"} {
		if word != "one" {
			_, _ = io.WriteString(pw, word)
		}
		if _, err := io.ReadFull(resp.Body, got); err != nil || string(got) != word {
			t.Fatalf("got %q, %v", got, err)
		}
	}
	_ = pw.Close()
	if rest, err := io.ReadAll(resp.Body); err != nil || len(rest) != 0 {
		t.Fatalf("rest %q, %v", rest, err)
	}
}

type flushing struct{ http.ResponseWriter }

func (f flushing) Write(p []byte) (int, error) {
	n, err := f.ResponseWriter.Write(p)
	f.ResponseWriter.(http.Flusher).Flush()
	return n, err
}

// An upload by HTTP/2 waits for a slow server without its user being taken for silent.
func TestUploadByHTTP2ToASlowServer(t *testing.T) {
	r := newRig(t, func(c *Config) { c.H2C, c.Limits.Idle = true, 300*time.Millisecond })
	const size = 32 << 20
	r.old.does(func(w http.ResponseWriter, q *http.Request) {
		time.Sleep(time.Second)
		n, err := io.Copy(io.Discard, q.Body)
		_, _ = fmt.Fprint(w, n, err)
	})
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	user := &http.Client{Transport: &http.Transport{Protocols: protocols}, Timeout: 20 * time.Second}
	defer user.CloseIdleConnections()
	resp, err := user.Post(r.base, "application/octet-stream", io.LimitReader(zeros{}, size))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, err := io.ReadAll(resp.Body); err != nil || string(text) != fmt.Sprint(size, nil) {
		t.Errorf("got %d %q, %v", resp.StatusCode, text, err)
	}
}

// zeros is a body without an end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// HTTP/2 without TLS: a frame may hold one byte, which is no reason to wait for the next one. Trailers that were sent
// before are such a frame.
func TestFramesOfOneByte(t *testing.T) {
	r := newRig(t, func(c *Config) { c.H2C = true })
	r.old.does(func(w http.ResponseWriter, q *http.Request) {
		text, err := io.ReadAll(q.Body)
		_, _ = fmt.Fprint(w, string(text), q.Trailer.Get("X-Sum"), err)
	})
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	user := &http.Client{Transport: &http.Transport{Protocols: protocols}, Timeout: 5 * time.Second}
	defer user.CloseIdleConnections()
	for range 3 {
		q, err := http.NewRequest(http.MethodPost, r.base, io.MultiReader(strings.NewReader("abc")))
		if err != nil {
			t.Fatal(err)
		}
		q.Trailer = http.Header{"X-Sum": {"7"}}
		resp, err := user.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		if _ = resp.Body.Close(); err != nil || string(text) != fmt.Sprint("abc", "7", nil) {
			t.Errorf("got %q, %v", text, err)
		}
	}
}
