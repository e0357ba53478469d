package upstream

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// A server may answer before it has read a body, and read no more of it: a form that is too large (413), a
// session that is over (401). That answer is the request's, whether the body is at hand or streamed.
func TestAnswerBeforeAHeldBodyHasBeenRead(t *testing.T) {
	for name, after := range map[string]func(net.Conn){
		"the connection stays": func(c net.Conn) { time.Sleep(3 * time.Second) },
		"the connection is reset": func(c net.Conn) {
			time.Sleep(50 * time.Millisecond)
			_ = c.(*net.TCPConn).SetLinger(0)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := scripted(t, func(_ int, c net.Conn) {
				_ = c.(*net.TCPConn).SetReadBuffer(4 << 10)
				_ = readHead(c)
				_, _ = io.WriteString(c, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
				after(c)
			})
			h := open(t, address, nil)
			body := bytes.Repeat([]byte("a"), 16<<20)
			began := time.Now()
			status, _, failure := get(t, h, &Request{Method: http.MethodPost, Target: "/", Length: int64(len(body)), Held: body})
			if failure != nil || status != http.StatusRequestEntityTooLarge {
				t.Fatalf("after %v: status %d, %v", time.Since(began), status, failure)
			}
		})
	}
}
