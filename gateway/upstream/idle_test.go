package upstream

import (
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// What a server says unasked on an idle connection (a 408 before it closes, the body of an answer to HEAD, the
// answer to a request that it alone has seen) is nobody's answer.
func TestUnaskedAnswerIsNobodys(t *testing.T) {
	said := make(chan struct{})
	address := scripted(t, func(n int, c net.Conn) {
		_ = readHead(c)
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood")
		if n == 0 {
			time.Sleep(20 * time.Millisecond) // the answer has been read
			_, _ = io.WriteString(c, "HTTP/1.1 408 Request Timeout\r\nContent-Length: 4\r\n\r\nelse")
			close(said)
			_ = readHead(c)
		}
	})
	h := open(t, address, nil)
	ask := &Request{Method: http.MethodGet, Target: "/", Replayable: true}
	for range 2 {
		if status, body, failure := get(t, h, ask); failure != nil || status != 200 || body != "good" {
			t.Fatalf("got %d %q, %v", status, body, failure)
		}
		<-said
		time.Sleep(10 * time.Millisecond) // it has arrived
	}
}
