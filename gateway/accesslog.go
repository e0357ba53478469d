package gateway

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
)

const (
	logBuffer = 64 << 10               // handed to the writer when full …
	logEvery  = 200 * time.Millisecond // … or this old
	logQueue  = 64                     // buffers that may wait for a slow disk or pipe: 4 MiB
	logEnd    = time.Second            // what they may take at the end of the process
)

// logTime is RFC 3339 with milliseconds.
const logTime = "2006-01-02T15:04:05.000Z07:00"

// accessLog writes one JSON line a request. Requests never wait for it: lines gather in a buffer that
// a goroutine of its own writes out, and when that is stuck, lines are dropped and counted.
type accessLog struct {
	path    string // empty: stdout
	out     atomic.Pointer[os.File]
	off     bool
	mu      sync.Mutex
	buffer  []byte
	closed  bool
	logger  zerolog.Logger
	full    chan []byte
	free    chan []byte
	dropped atomic.Uint64
	done    chan struct{}
}

// openAccessLog opens the log named by gateway.accessLog: stdout, off, or a path. Lines for a file that cannot
// be opened go to stdout until a reload can: users come before their log.
func openAccessLog(where string, logger *slog.Logger) *accessLog {
	l := &accessLog{off: where == "off", full: make(chan []byte, logQueue), free: make(chan []byte, logQueue), done: make(chan struct{})}
	if where != "stdout" && where != "off" {
		l.path = where
	}
	l.logger = zerolog.New(l)
	l.buffer = make([]byte, 0, logBuffer)
	if err := l.reopen(); err != nil {
		l.out.Store(os.Stdout)
		logger.Error("the access log goes to stdout", "error", err)
	}
	go l.run()
	return l
}

// reopen opens the file anew, after a rotation.
func (l *accessLog) reopen() error {
	if l.path == "" {
		l.out.Store(os.Stdout)
		return nil
	}
	f, err := os.OpenFile(l.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640)
	if err != nil {
		return fmt.Errorf("gateway.accessLog: %w", err)
	}
	if old := l.out.Swap(f); old != nil && old != os.Stdout {
		_ = old.Close() // what was written to it has been written with system calls
	}
	return nil
}

// write adds the line of one request.
func (l *accessLog) write(x *exchange) {
	if l.off {
		return
	}
	e := l.logger.Log().
		Str("time", x.started.UTC().Format(logTime)).
		Str("route", x.route.name).
		Str("side", x.served.backend).
		Str("server", x.served.server).
		Str("client", x.origin.client).
		Str("method", x.r.Method).
		Str("host", x.r.Host).
		Str("target", target(x.r)).
		Str("protocol", x.r.Proto).
		Int("status", x.status).
		Int64("bytes", x.bytes).
		Float64("duration_ms", milliseconds(time.Since(x.started))).
		Str("first_side", x.first.backend).
		Str("first_outcome", x.first.outcome.String()).
		Int("first_status", x.first.status).
		Float64("first_ms", milliseconds(x.first.took)).
		Bool("fallback", x.fellBack)
	if x.fellBack {
		e = e.Str("first_server", x.first.server)
	}
	if x.forced {
		e = e.Bool("override", true)
	}
	if trace := x.r.Header["Traceparent"]; len(trace) > 0 {
		e = e.Str("traceparent", trace[0])
	}
	if agent := x.r.Header["User-Agent"]; len(agent) > 0 {
		e = e.Str("user_agent", agent[0])
	}
	e.Send()
}

// milliseconds has three decimals: microseconds are the finest that means anything here.
func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// Write takes one line from the logger.
func (l *accessLog) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		l.dropped.Add(1)
		return len(line), nil
	}
	if len(l.buffer)+len(line) > logBuffer && len(l.buffer) > 0 {
		l.hand()
	}
	l.buffer = append(l.buffer, line...)
	return len(line), nil
}

// hand passes the buffer to the writer, or drops it. l.mu is held.
func (l *accessLog) hand() {
	select {
	case l.full <- l.buffer:
		select {
		case l.buffer = <-l.free:
		default:
			l.buffer = make([]byte, 0, logBuffer)
		}
	default:
		l.dropped.Add(lines(l.buffer))
	}
	l.buffer = l.buffer[:0]
}

// run writes out full buffers, and partial ones when they are old.
func (l *accessLog) run() {
	defer close(l.done)
	tick := time.NewTicker(logEvery)
	defer tick.Stop()
	for {
		select {
		case b, open := <-l.full:
			if !open {
				return
			}
			l.put(b)
		case <-tick.C:
			l.mu.Lock()
			if len(l.buffer) > 0 && len(l.full) == 0 {
				l.hand()
			}
			l.mu.Unlock()
		}
	}
}

func (l *accessLog) put(b []byte) {
	for left := b; len(left) > 0; {
		out := l.out.Load()
		n, err := out.Write(left)
		left = left[n:]
		if err != nil && out == l.out.Load() { // else it was closed by a reopen just then
			l.dropped.Add(lines(left)) // a full disk: users come first
			break
		}
	}
	select {
	case l.free <- b[:0]:
	default:
	}
}

func lines(b []byte) uint64 { return uint64(bytes.Count(b, []byte{'\n'})) }

// close writes out what is left, unless the log is stuck.
func (l *accessLog) close() {
	l.mu.Lock()
	l.hand()
	l.closed = true
	l.mu.Unlock()
	close(l.full)
	select {
	case <-l.done:
	case <-time.After(logEnd):
		for b := range l.full {
			l.dropped.Add(lines(b))
		}
	}
}
