package framing

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
)

// script is a connection whose client sends raw in pieces of the given sizes, the last one repeated.
type script struct {
	net.Conn // nil: only Read and the addresses are used
	raw      []byte
	pieces   []int
}

func (s *script) LocalAddr() net.Addr  { return nil }
func (s *script) RemoteAddr() net.Addr { return nil }

func (s *script) Read(p []byte) (int, error) {
	if len(s.raw) == 0 {
		return 0, io.EOF
	}
	n := len(p)
	if len(s.pieces) > 0 {
		n = min(n, max(1, s.pieces[0]))
		if len(s.pieces) > 1 {
			s.pieces = s.pieces[1:]
		}
	}
	n = copy(p[:n], s.raw)
	s.raw = s.raw[n:]
	return n, nil
}

// through sends raw through a gate and returns what came out and why it ended.
func through(raw string, o Options, pieces ...int) (out []byte, reason string, err error) {
	o.OnReject = func(r string) { reason += r }
	c := NewConn(&script{raw: []byte(raw), pieces: pieces}, o)
	out, err = io.ReadAll(c)
	return out, reason, err
}

// parse reads requests as net/http does, until one is not whole.
func parse(raw []byte) (requests []seen, err error) {
	r := bufio.NewReader(bytes.NewReader(raw))
	for {
		req, err := http.ReadRequest(r)
		if err != nil {
			return requests, err
		}
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return requests, err
		}
		requests = append(requests, seen{req.Method, req.RequestURI, string(body)})
	}
}

func equal(a, b []seen) bool {
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

func TestCorpusThroughTheGate(t *testing.T) {
	for _, s := range corpus() {
		t.Run(s.name, func(t *testing.T) {
			out, reason, err := through(s.raw, Options{})
			if reason != s.reason {
				t.Fatalf("refused for %q, want %q", reason, s.reason)
			}
			var refusal *Error
			if refused := errors.As(err, &refusal); refused != (s.reason != "") || refused && refusal.Reason != s.reason {
				t.Errorf("Read ended with %v", err)
			}
			if poisoned := bytes.HasSuffix(out, []byte(poison)); poisoned != (s.reason != "" && !s.inBody) {
				t.Errorf("poisoned: %v, in\n%q", poisoned, out)
			}
			requests, err := parse(out)
			if !equal(requests, s.want) {
				t.Errorf("net/http reads %q, want %q", requests, s.want)
			}
			if s.reason != "" && (err == nil || err == io.EOF) {
				t.Errorf("net/http takes the refused head for whole: %v", err)
			}
			for n := 1; n < 40; n++ {
				pieces, again, _ := through(s.raw, Options{}, n)
				if !bytes.Equal(pieces, out) || again != reason {
					t.Fatalf("in pieces of %d: %q, %q; in one: %q, %q", n, pieces, again, out, reason)
				}
			}
		})
	}
}

// The corpus has to be worth something: net/http alone must be shown to accept part of what is refused.
func TestNetHTTPAloneAcceptsSomeOfTheCorpus(t *testing.T) {
	lenient := 0
	for _, s := range refusedHeads {
		if requests, _ := parse([]byte(s.raw)); len(requests) > 0 {
			lenient++
		}
	}
	if lenient < 10 {
		t.Errorf("net/http accepts %d of the refused heads; the corpus is expected to go beyond it", lenient)
	}
	t.Logf("net/http alone accepts %d of %d refused heads", lenient, len(refusedHeads))
}

func TestHeadSizeIsBounded(t *testing.T) {
	const limit = 16 << 10
	fits := head("GET / HTTP/1.1", "X: "+string(bytes.Repeat([]byte("x"), limit+headSlop-len(head("GET / HTTP/1.1", "X: ")))))
	if len(fits) != limit+headSlop {
		t.Fatal(len(fits))
	}
	longer := head("GET / HTTP/1.1", "X: x"+fits[len(head("GET / HTTP/1.1", "X: "))-4:len(fits)-4])
	trailers := chunkedPost("0\r\n" + longer[len("GET / HTTP/1.1\r\n"+hostLine):len(longer)-4])
	for _, n := range []int{1, 7, 4096, 1 << 20} {
		if out, reason, err := through(fits+get+fits, Options{MaxHead: limit}, n); reason != "" || err != nil || len(out) != 2*len(fits)+len(get) {
			t.Errorf("pieces of %d: a head of the largest size: %q, %v", n, reason, err)
		}
		if _, reason, _ := through(longer, Options{MaxHead: limit}, n); reason != ReasonHeadSize {
			t.Errorf("pieces of %d: a larger head: %q", n, reason)
		}
		if _, reason, _ := through(trailers+"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", Options{MaxHead: limit}, n); reason != ReasonHeadSize {
			t.Errorf("pieces of %d: larger trailers: %q", n, reason)
		}
	}
}

func TestUpgradeMakesTransparent(t *testing.T) {
	junk := "\x81\x05hello\n\n\r \x00"
	for _, request := range []string{
		head("GET / HTTP/1.1", "Connection: Upgrade", "Upgrade: websocket"),
		head(post, "upgrade: x", "Content-Length: 3") + "abc",
		head(post, "Upgrade: x", "Transfer-Encoding: chunked") + "3\r\nabc\r\n0\r\n\r\n",
	} {
		if out, reason, _ := through(get+request+junk, Options{}, 3); reason != "" || string(out) != get+request+junk {
			t.Errorf("%q: refused %q, passed %q", request, reason, out)
		}
	}
	bad := head(post, "Upgrade: x", "Transfer-Encoding: chunked") + "3\nabc\r\n0\r\n\r\n"
	if _, reason, _ := through(bad, Options{}); reason != ReasonChunkLine {
		t.Errorf("the body of a request with Upgrade is not checked: %q", reason)
	}
}

func TestH2C(t *testing.T) {
	const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	frames := "\x00\x00\x00\x04\x00\x00\x00\x00\x00\n"
	if out, reason, _ := through(preface+frames, Options{AllowH2C: true}, 5); reason != "" || string(out) != preface+frames {
		t.Errorf("preface: %q, %q", reason, out)
	}
	if _, reason, _ := through(get+get, Options{AllowH2C: true}); reason != "" {
		t.Errorf("HTTP/1.1 where h2c is allowed: %q", reason)
	}
	for raw, want := range map[string]string{
		"PRI * HTTP/2.0\r\n\r\nSM\r\nX":  ReasonPreface,
		"PRI * HTTP/2.0\r\nHost: a\r\n":  ReasonPreface,
		"PRI * HTTP/1.1\r\nHost: a\r\n":  ReasonPreface,
		get + preface:                    ReasonTarget, // only at the beginning
		"PRI * HTTP/2.0\n\nSM\n\n":       ReasonPreface,
		"OPTIONS * HTTP/2.0\r\n\r\nSM\r": ReasonVersion,
	} {
		if _, reason, _ := through(raw, Options{AllowH2C: true}); reason != want {
			t.Errorf("%q: %q, want %q", raw, reason, want)
		}
	}
}
