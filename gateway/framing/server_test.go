package framing

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// gated wraps what a listener accepts.
type gated struct {
	net.Listener
	wrap func(net.Conn) net.Conn
}

func (l gated) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return l.wrap(c), nil
}

// witness is a handler that notes the requests it saw whole, and how reading the others ended.
type witness struct {
	sync.Mutex
	whole  []seen
	broken []error
}

func (w *witness) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	w.Lock()
	defer w.Unlock()
	if err != nil {
		w.broken = append(w.broken, err)
		rw.WriteHeader(http.StatusTeapot)
		return
	}
	w.whole = append(w.whole, seen{r.Method, r.RequestURI, string(body)})
	io.WriteString(rw, "ok")
}

// serve starts a server whose connections are behind gates, until the test ends.
func serve(t *testing.T, h http.Handler, o Options) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: h, MaxHeaderBytes: o.MaxHead, ErrorLog: log.New(io.Discard, "", 0)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		server.Serve(gated{l, func(c net.Conn) net.Conn { return NewConn(c, o) }})
	}()
	t.Cleanup(func() { server.Close(); <-done })
	return l.Addr().String()
}

// exchange sends raw, ends the sending direction, and returns the status codes that came back before
// the server closed.
func exchange(t *testing.T, address, raw string) (codes []int) {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, raw); err != nil {
		t.Fatal(err)
	}
	c.(*net.TCPConn).CloseWrite()
	r := bufio.NewReader(c)
	for {
		response, err := http.ReadResponse(r, nil)
		if errors.Is(err, io.ErrUnexpectedEOF) && r.Buffered() == 0 || errors.Is(err, io.EOF) {
			return codes
		}
		if err != nil {
			t.Fatalf("after %v: %v", codes, err)
		}
		if _, err := io.Copy(io.Discard, response.Body); err != nil {
			t.Fatal(err)
		}
		codes = append(codes, response.StatusCode)
	}
}

func TestCorpusAgainstNetHTTP(t *testing.T) {
	for _, s := range corpus() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			w := &witness{}
			codes := exchange(t, serve(t, w, Options{}), s.raw)
			w.Lock()
			defer w.Unlock()
			want := w.whole // "OPTIONS *" is answered by net/http itself
			for _, request := range s.want {
				if request.target != "*" {
					want = append(want[:len(want):len(want)], request)
				}
			}
			want = want[len(w.whole):]
			if !equal(w.whole, want) {
				t.Errorf("the handler saw %q, want %q", w.whole, want)
			}
			expected := make([]int, len(s.want))
			for i := range expected {
				expected[i] = http.StatusOK
			}
			switch {
			case s.inBody:
				expected = append(expected, http.StatusTeapot)
				if len(w.broken) != 1 || !endedBy(w.broken[0], s.reason) {
					t.Errorf("the handler's body ended with %v", w.broken)
				}
			case s.reason != "":
				expected = append(expected, http.StatusBadRequest)
			}
			if !sameCodes(codes, expected) {
				t.Errorf("answers %v, want %v", codes, expected)
			}
		})
	}
}

// endedBy reports whether err is a refusal for reason. For trailers net/http puts an error of its own in
// place of Read's.
func endedBy(err error, reason string) bool {
	var refusal *Error
	if errors.As(err, &refusal) {
		return refusal.Reason == reason
	}
	return strings.Contains(err.Error(), "trailer")
}

func sameCodes(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func TestHeadOverTheServersLimitIs431(t *testing.T) {
	w := &witness{}
	address := serve(t, w, Options{MaxHead: 8 << 10})
	codes := exchange(t, address, get+head("GET /large HTTP/1.1", "X: "+strings.Repeat("x", 40<<10)))
	if !sameCodes(codes, []int{200, 431}) || !equal(w.whole, []seen{gotten}) {
		t.Errorf("answers %v, the handler saw %q", codes, w.whole)
	}
}

// An early answer must not be spoilt by what comes behind it on the connection.
func TestRefusalDoesNotDisturbTheAnswerUnderWay(t *testing.T) {
	refused := make(chan string, 1)
	handler := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if reason := <-refused; reason != ReasonBlankStart {
			t.Errorf("refused for %q", reason)
		}
		if err := r.Context().Err(); err != nil {
			t.Errorf("the request under way was cancelled: %v", err)
		}
		io.WriteString(rw, "whole")
	})
	address := serve(t, handler, Options{OnReject: func(reason string) { refused <- reason }})
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	// The second head is at fault with its first byte, which net/http's background read fetches.
	io.WriteString(c, get+" "+victim)
	r := bufio.NewReader(c)
	first, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(first.Body); string(body) != "whole" || err != nil {
		t.Errorf("first answer %q, %v", body, err)
	}
	second, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	if second.StatusCode != http.StatusBadRequest || !second.Close {
		t.Errorf("second answer %v", second)
	}
}

func TestHijackBelowTheGate(t *testing.T) {
	const junk = "\x81\x00\n\n"
	handler := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		c, buffered, err := rw.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		raw := c.(*Conn).NetConn()
		if _, ok := raw.(*net.TCPConn); !ok {
			t.Errorf("below the gate: %T", raw)
		}
		io.WriteString(raw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		echo := make([]byte, len(junk))
		if _, err := io.ReadFull(io.MultiReader(io.LimitReader(buffered, int64(buffered.Reader.Buffered())), raw), echo); err != nil {
			t.Error(err)
		}
		raw.Write(echo)
	})
	c, err := net.Dial("tcp", serve(t, handler, Options{}))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, head("GET / HTTP/1.1", "Connection: Upgrade", "Upgrade: echo")+junk)
	r := bufio.NewReader(c)
	if response, err := http.ReadResponse(r, nil); err != nil || response.StatusCode != 101 {
		t.Fatal(response, err)
	}
	if echo, err := io.ReadAll(r); string(echo) != junk || err != nil {
		t.Errorf("echo %q, %v", echo, err)
	}
}

// The inner connection's abilities show through, and absent ones are said to be absent.
func TestPassThrough(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		if c, err := l.Accept(); err == nil {
			c.Write([]byte("from the peer"))
			c.Close()
		}
	}()
	plain, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	gate := NewConn(plain, Options{})
	if raw, err := gate.SyscallConn(); err != nil {
		t.Error(err)
	} else if err := raw.Control(func(uintptr) {}); err != nil {
		t.Error(err)
	}
	if err := gate.CloseWrite(); err != nil {
		t.Error(err)
	}

	a, b := net.Pipe()
	defer b.Close()
	piped := NewConn(a, Options{})
	if _, err := piped.SyscallConn(); !errors.Is(err, errors.ErrUnsupported) {
		t.Error(err)
	}
	if err := piped.CloseWrite(); !errors.Is(err, errors.ErrUnsupported) {
		t.Error(err)
	}
	go func() {
		piped.ReadFrom(strings.NewReader("copied"))
		piped.Close()
	}()
	if got, err := io.ReadAll(b); string(got) != "copied" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// counting notes that the inner connection's own ReadFrom was used.
type counting struct {
	*net.TCPConn
	calls chan struct{}
}

func (c counting) ReadFrom(r io.Reader) (int64, error) {
	c.calls <- struct{}{}
	return c.TCPConn.ReadFrom(r)
}

func TestNetHTTPStillFindsReadFrom(t *testing.T) {
	calls := make(chan struct{}, 8)
	large := strings.Repeat("x", 1<<20)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Length", "1048576")
		io.Copy(rw, strings.NewReader(large))
		rw.(io.ReaderFrom).ReadFrom(strings.NewReader(""))
	}))
	server.Listener = gated{server.Listener, func(c net.Conn) net.Conn {
		return NewConn(counting{c.(*net.TCPConn), calls}, Options{})
	}}
	server.Start()
	defer server.Close()
	response, err := http.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(response.Body); string(got) != large || err != nil {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if len(calls) == 0 {
		t.Error("ReadFrom of the inner connection was not used")
	}
}

func TestTLS(t *testing.T) {
	certified := httptest.NewUnstartedServer(nil)
	certified.StartTLS() // for its certificate
	defer certified.Close()
	handler := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.TLS == nil || !r.TLS.HandshakeComplete {
			t.Errorf("Request.TLS is %v", r.TLS)
		}
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: handler, ErrorLog: log.New(io.Discard, "", 0)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		server.Serve(gated{l, func(c net.Conn) net.Conn {
			secure := tls.Server(c, &tls.Config{Certificates: certified.TLS.Certificates})
			if err := secure.Handshake(); err != nil {
				t.Error(err)
			}
			return NewTLSConn(secure, Options{})
		}})
	}()
	defer func() { server.Close(); <-done }()
	c, err := tls.Dial("tcp", l.Addr().String(), certified.Client().Transport.(*http.Transport).TLSClientConfig)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, get+"GET  /\r\n\r\n")
	r := bufio.NewReader(c)
	for _, want := range []int{200, 400} {
		if response, err := http.ReadResponse(r, nil); err != nil || response.StatusCode != want {
			t.Fatalf("%v, %v, want %d", response, err, want)
		}
	}
}
