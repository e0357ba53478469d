package gateway

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A pipe that nobody reads must not keep the process from ending.
func TestStuckAccessLogEnds(t *testing.T) {
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = reader.Close(), writer.Close() })
	l := openAccessLog(filepath.Join(t.TempDir(), "access.log"), slog.New(slog.DiscardHandler))
	l.out.Store(writer)
	line := append(bytes.Repeat([]byte("a"), logBuffer-1), '\n')
	for range 4 {
		_, _ = l.Write(line) // more than a pipe holds
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		l.close()
	}()
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Fatal("the log waits for ever")
	}
	_, _ = l.Write(line) // of a request that outlives the stop
	if n := l.dropped.Load(); n < 2 {
		t.Errorf("%d lines are said to be missing", n)
	}
}
