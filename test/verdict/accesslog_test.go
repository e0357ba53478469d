package verdict

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"testing"
	"time"
)

// accessLog is the gateway's, read as it grows.
type accessLog struct {
	path string
	read int64
}

// access is one line of it.
type access struct {
	Time         time.Time `json:"time"`
	Method       string    `json:"method"`
	Target       string    `json:"target"`
	User         string    `json:"user_agent"` // users send their key
	Status       int       `json:"status"`
	Duration     float64   `json:"duration_ms"`
	FirstSide    string    `json:"first_side"`
	FirstOutcome string    `json:"first_outcome"`
	FirstStatus  int       `json:"first_status"`
}

// moved reports whether the user was placed on the new side.
func (a access) moved() bool { return a.FirstSide == "containers" }

// lines are those that have come since the last call. The gateway writes them after 200 ms at the latest.
func (l *accessLog) lines(t *testing.T) []access {
	t.Helper()
	file := must[*os.File](t)(os.Open(l.path))
	defer file.Close()
	text := must[[]byte](t)(io.ReadAll(io.NewSectionReader(file, l.read, 1<<40)))
	text = text[:bytes.LastIndexByte(text, '\n')+1]
	l.read += int64(len(text))
	var list []access
	for line := range bytes.Lines(text) {
		var a access
		if err := json.Unmarshal(line, &a); err != nil {
			t.Fatalf("%s: %q: %v", l.path, line, err)
		}
		list = append(list, a)
	}
	return list
}
