package framing

import "testing"

// TestCheckHead: a whole head is refused for the same reasons as at the gate, and so is half of one.
func TestCheckHead(t *testing.T) {
	for head, want := range map[string]string{
		"GET /a HTTP/1.1\r\nHost: a\r\n\r\n":                            "",
		"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n":      "",
		"GET /a HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\n\r\n":              "",
		"GET /b HTTP/1.1 /a HTTP/1.1\r\nHost: a\r\n\r\n":                ReasonVersion,
		"GET /a HTTP/1.1\r\nHost: a\r\n":                                ReasonLineEnd,
		"GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET":                         ReasonLineEnd,
		"GET /a HTTP/1.1\r\nHost: a\r\nTransfer_Encoding: x\r\n\r\n":    ReasonLookAlike,
		"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n":                       ReasonConnect,
		"GET /a HTTP/1.1\r\nHost: a\r\nX: y\nContent-Length: 1\r\n\r\n": ReasonLineEnd,
	} {
		if got := CheckHead([]byte(head)); got != want {
			t.Errorf("%q: got %q, want %q", head, got, want)
		}
	}
}
