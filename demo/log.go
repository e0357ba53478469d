package demo

import (
	"bufio"
	"encoding/json"
	"os"
	"time"
)

// told is what the gateway's access log says of the whole demonstration.
type told struct {
	fallbacks    int64
	firstFailure time.Time // when the first failed attempt of a route on the new side ended; zero: there was none
}

// readLog reads the access log; failures are those of the given route.
func readLog(path, route string) (t told, err error) {
	f, err := os.Open(path)
	if err != nil {
		return t, err
	}
	defer func() { _ = f.Close() }()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var line struct {
			Time        time.Time `json:"time"`
			Route       string    `json:"route"`
			FirstSide   string    `json:"first_side"`
			FirstStatus int       `json:"first_status"`
			FirstMs     float64   `json:"first_ms"`
			Fallback    bool      `json:"fallback"`
		}
		if json.Unmarshal(lines.Bytes(), &line) != nil {
			continue // the last line may not be whole yet
		}
		if line.Fallback {
			t.fallbacks++
		}
		ended := line.Time.Add(time.Duration(line.FirstMs * float64(time.Millisecond)))
		failed := line.Route == route && line.FirstSide == "containers" && line.FirstStatus >= 500
		if failed && (t.firstFailure.IsZero() || ended.Before(t.firstFailure)) {
			t.firstFailure = ended
		}
	}
	return t, lines.Err()
}
