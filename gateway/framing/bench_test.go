package framing

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
)

// browserHead is what a browser sends for a page, about 400 bytes.
const browserHead = "GET /wiki/Some_Page?action=view&tab=history HTTP/1.1\r\n" +
	"Host: tracker.example.com\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n" +
	"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n" +
	"Accept-Language: en-GB,en;q=0.5\r\n" +
	"Accept-Encoding: gzip, deflate, br\r\n" +
	"Connection: keep-alive\r\n" +
	"Cookie: SESSION=3f1c0a0e5b7d4c2f9a8e\r\n" +
	"Sec-Fetch-Mode: navigate\r\n\r\n"

// endless is a client that sends the same bytes for ever.
type endless struct {
	net.Conn
	raw string
	at  int
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.raw[e.at:])
	if e.at += n; e.at == len(e.raw) {
		e.at = 0
	}
	return n, nil
}

func benchmark(b *testing.B, raw string, buffer int) {
	p := make([]byte, buffer)
	measure := func(b *testing.B, r io.Reader) {
		b.ReportAllocs()
		b.SetBytes(int64(len(raw)))
		for b.Loop() {
			for left := len(raw); left > 0; {
				n, err := r.Read(p[:min(len(p), left)])
				if err != nil {
					b.Fatal(err)
				}
				left -= n
			}
		}
	}
	b.Run("gate", func(b *testing.B) { measure(b, NewConn(&endless{raw: raw}, Options{})) })
	b.Run("bare", func(b *testing.B) { measure(b, &endless{raw: raw}) })
}

func BenchmarkBrowserHead(b *testing.B) { benchmark(b, browserHead, 4096) }

// The head in reads of 128 bytes: names and values are cut.
func BenchmarkBrowserHeadInPieces(b *testing.B) { benchmark(b, browserHead, 128) }

func BenchmarkBody64KiB(b *testing.B) {
	benchmark(b, head(post, "Content-Length: 65536")+strings.Repeat("x", 65536), 4096)
}

func BenchmarkChunks64KiB(b *testing.B) {
	var raw strings.Builder
	raw.WriteString(head(post, "Transfer-Encoding: chunked"))
	for range 16 {
		fmt.Fprintf(&raw, "1000\r\n%s\r\n", strings.Repeat("x", 4096))
	}
	raw.WriteString("0\r\n\r\n")
	benchmark(b, raw.String(), 4096)
}

func TestGoodPathDoesNotAllocate(t *testing.T) {
	c := NewConn(&endless{raw: browserHead + head(post, "Content-Length: 3") + "abc" + chunkedPost("1\r\na\r\n0\r\n\r\n")}, Options{})
	p := make([]byte, 100)
	if n := testing.AllocsPerRun(1000, func() {
		if _, err := c.Read(p); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations a Read", n)
	}
}
