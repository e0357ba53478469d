package gateway

import (
	"bytes"
	"io"
	"testing"

	"golang.org/x/net/http2/hpack"
)

// What HTTP/2 carries becomes HTTP/1.1 on the way to a server. Nothing may come of it that a server
// reads as another request than the one that was routed.
func TestHTTP2RequestsThatHTTP1CannotCarry(t *testing.T) {
	r := newRig(t, func(c *Config) { c.H2C = true })
	request := func(method, path string, more ...string) []string {
		return append([]string{":method", method, ":scheme", "http", ":path", path, ":authority", "a.example"}, more...)
	}
	if status := r.h2(request("POST", "/wiki/?q=1", "x-a", "b", "cookie", "a=b", "cookie", "c=d")); status != "200" {
		t.Fatalf("a harmless request: %s", status)
	}
	for name, fields := range map[string][]string{
		"a method of several words":       request("GET /admin HTTP/1.1", "/public"),
		"a method with a line end":        request("GET / HTTP/1.1\r\nX: ", "/public"),
		"a method with a colon":           request("GET:", "/public"),
		"an empty method":                 request("", "/public"),
		"PRI":                             request("PRI", "*"),
		"CONNECT":                         {":method", "CONNECT", ":authority", "a.example:443"},
		"a target with a space":           request("GET", "/public HTTP/1.1\r\nX: y"),
		"a target with a fragment":        request("GET", "/public#/admin"),
		"a target with a control byte":    request("GET", "/pub\x01lic"),
		"a host with a space":             {":method", "GET", ":scheme", "http", ":path", "/public", ":authority", "a b"},
		"a host with a path":              {":method", "GET", ":scheme", "http", ":path", "/public", ":authority", "a/admin?"},
		"a look-alike of a framing field": request("POST", "/public", "transfer_encoding", "chunked"),
		"a look-alike of a length":        request("POST", "/public", "content_length", "100"),
		"Transfer-Encoding":               request("POST", "/public", "transfer-encoding", "chunked"),
		"a field name with a space":       request("GET", "/public", "x y", "z"),
		"a field value with a line end":   request("GET", "/public", "x", "y\r\nTransfer-Encoding: chunked"),
		"a field value with a bare LF":    request("GET", "/public", "x", "y\nTransfer-Encoding: chunked"),
		"a field of the connection":       request("GET", "/public", "connection", "upgrade"),
		"Upgrade":                         request("GET", "/public", "upgrade", "websocket"),
	} {
		t.Run(name, func(t *testing.T) {
			sent := len(r.old.requests())
			status := r.h2(fields)
			if seen := r.old.requests()[sent:]; status == "200" || len(seen) > 0 {
				t.Errorf("%s; the server has seen %q", status, seen)
			}
		})
	}
}

// h2 sends one request by HTTP/2, field by field and with nothing made right, and returns the status of
// the answer, or how the stream ended.
func (r *rig) h2(fields []string) string {
	r.t.Helper()
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for i := 0; i < len(fields); i += 2 {
		if err := encoder.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}); err != nil {
			r.t.Fatal(err)
		}
	}
	const preface, settings, endOfBoth = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\x00\x00\x00\x04\x00\x00\x00\x00\x00", 0x05
	head := []byte{0, byte(block.Len() >> 8), byte(block.Len()), frameHeaders, endOfBoth, 0, 0, 0, 1}
	c := r.dial(preface + settings + string(head) + block.String())
	defer func() { _ = c.Close() }()
	for {
		if _, err := io.ReadFull(c, head); err != nil {
			return err.Error()
		}
		payload := make([]byte, int(head[0])<<16|int(head[1])<<8|int(head[2]))
		if _, err := io.ReadFull(c, payload); err != nil {
			return err.Error()
		}
		switch head[3] {
		case frameHeaders:
			answer, err := hpack.NewDecoder(4096, nil).DecodeFull(payload)
			if err != nil || len(answer) == 0 {
				r.t.Fatalf("a head that cannot be read: %v", err)
			}
			return answer[0].Value // :status comes first
		case frameReset:
			return "the stream was reset"
		case frameGoAway:
			return "the connection was ended"
		}
	}
}

// Types of frames (RFC 9113, section 6).
const (
	frameHeaders = 1
	frameReset   = 3
	frameGoAway  = 7
)
