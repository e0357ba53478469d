package tracker

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// brokenLength is the length that a broken answer promises, and half of which it sends.
const brokenLength = 64 << 10

// serve answers a request wrongly.
func (f *activeFault) serve(w http.ResponseWriter, r *http.Request, next http.Handler) {
	if f.Late && f.Kind != FaultSlow && f.Kind != FaultWrong {
		next.ServeHTTP(&heldAnswer{header: make(http.Header)}, r)
	}
	switch f.Kind {
	case FaultError:
		status := f.Status
		if status == 0 {
			status = http.StatusInternalServerError
		}
		http.Error(w, "this build is broken", status)
	case FaultHang:
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	case FaultSlow:
		if pause(r.Context(), f.Delay) {
			next.ServeHTTP(w, r)
		}
	case FaultClose:
		cut(w, "", false)
	case FaultReset:
		cut(w, brokenAnswer(w.Header()), true)
	case FaultTruncate:
		cut(w, brokenAnswer(w.Header()), false)
	case FaultWrong:
		answerWrong(w, r, next)
	case FaultMemory:
		takeMemory()
		http.Error(w, "there is more memory than this build can take", http.StatusInternalServerError)
	}
}

const (
	memoryMost = 1 << 30
	memoryStep = 8 << 20
)

// takeMemory takes memory and gives it up only when it has had the most it may have.
func takeMemory() {
	var taken [][]byte
	for range memoryMost / memoryStep {
		step := make([]byte, memoryStep)
		for i := 0; i < len(step); i += 4096 {
			step[i] = 1 // a page that nobody has written to is no memory yet
		}
		taken = append(taken, step)
	}
	runtime.KeepAlive(taken)
}

// brokenAnswer is the first half of an answer.
func brokenAnswer(header http.Header) string {
	var out strings.Builder
	fmt.Fprintf(&out, "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: %d\r\n", brokenLength)
	_ = header.Write(&out) // a strings.Builder takes everything
	out.WriteString("\r\n" + strings.Repeat("half a page ", brokenLength/2/12))
	return out.String()
}

// cut takes the connection over, writes text to it, and closes it, with a reset when asked to.
func cut(w http.ResponseWriter, text string, reset bool) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // the server then cuts the connection in its own way
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, text)
	if tcp, ok := conn.(*net.TCPConn); ok && reset {
		_ = tcp.SetLinger(0)
	}
}

// heldAnswer keeps an answer in place of sending it. Its size is bounded: what is longer than a page
// can be is not kept.
type heldAnswer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

const heldMax = 8 << 20

func (h *heldAnswer) Header() http.Header { return h.header }

func (h *heldAnswer) WriteHeader(status int) {
	if h.status == 0 && status >= 200 {
		h.status = status
	}
}

func (h *heldAnswer) Write(p []byte) (int, error) {
	h.WriteHeader(http.StatusOK)
	if h.body.Len()+len(p) > heldMax {
		return 0, fmt.Errorf("an answer of more than %d bytes is not held", heldMax)
	}
	return h.body.Write(p)
}

// answerWrong lets the page be made and changes what it says.
func answerWrong(w http.ResponseWriter, r *http.Request, next http.Handler) {
	held := &heldAnswer{header: w.Header()}
	next.ServeHTTP(held, r)
	held.WriteHeader(http.StatusOK)
	body := wrongContent(held.body.Bytes())
	if held.header.Get("Content-Length") != "" {
		held.header.Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(held.status)
	_, _ = w.Write(body)
}

// wrongContent changes values of JSON, or else the heading of a page, or else the last byte.
func wrongContent(body []byte) []byte {
	var value any
	if json.Unmarshal(body, &value) == nil {
		if wrong, err := json.Marshal(wrongValue(value)); err == nil {
			return append(wrong, '\n')
		}
	}
	if at := bytes.Index(body, []byte("</h1>")); at >= 0 {
		return bytes.Join([][]byte{body[:at], body[at:]}, []byte(" (as the other build sees it)"))
	}
	if len(body) == 0 {
		return body
	}
	wrong := bytes.Clone(body)
	wrong[len(wrong)-1] ^= 1
	return wrong
}

func wrongValue(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for key, inner := range v {
			v[key] = wrongValue(inner)
		}
	case []any:
		for i, inner := range v {
			v[i] = wrongValue(inner)
		}
	case float64:
		return v + 1
	case string:
		return v + "?"
	case bool:
		return !v
	}
	return value
}

// slower makes each answer of next take part longer before its first byte.
func slower(part float64, next http.Handler) http.Handler {
	if part == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(&delayed{ResponseWriter: w, r: r, part: part, begun: time.Now()}, r)
	})
}

// delayed holds the first byte of an answer back.
type delayed struct {
	http.ResponseWriter
	r     *http.Request
	part  float64
	begun time.Time
	sent  bool
}

// Unwrap gives http.ResponseController what it needs for flushing and upgrades.
func (d *delayed) Unwrap() http.ResponseWriter { return d.ResponseWriter }

func (d *delayed) hold() {
	if d.sent {
		return
	}
	d.sent = true
	pause(d.r.Context(), time.Duration(d.part*float64(time.Since(d.begun))))
}

func (d *delayed) WriteHeader(status int) {
	d.hold()
	d.ResponseWriter.WriteHeader(status)
}

func (d *delayed) Write(p []byte) (int, error) {
	d.hold()
	return d.ResponseWriter.Write(p)
}
