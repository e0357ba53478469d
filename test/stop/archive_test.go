package stop

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"yadokari/logshipper/firehose/firehosetest"
)

// archive is the stream behind the agents: a double of Firehose with its protocol and limits. It takes only
// some of the records of some calls and refuses other calls whole, as the service does when it is busy, and
// can be in worse trouble.
type archive struct {
	listen  func() (net.Listener, error)
	trouble atomic.Pointer[firehosetest.Reply] // what becomes of every call; nil: the usual

	mu     sync.Mutex
	lines  map[string]string // those taken, by id
	copies int               // beyond the first
	faults []string          // lines that cannot be
	server *http.Server
}

func newArchive(t *testing.T, listen func() (net.Listener, error)) *archive {
	t.Helper()
	a := &archive{listen: listen, lines: map[string]string{}}
	a.up(t)
	t.Cleanup(a.down)
	return a
}

// up serves again.
func (a *archive) up(t *testing.T) {
	t.Helper()
	listener, err := a.listen()
	if err != nil {
		t.Fatal(err)
	}
	a.trouble.Store(nil)
	server := &http.Server{
		Handler:           &firehosetest.Server{Script: a.decide, Take: a.take},
		ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0),
	}
	a.mu.Lock()
	a.server = server
	a.mu.Unlock()
	go func() { _ = server.Serve(listener) }() // until down
}

// down refuses connections and cuts those there are.
func (a *archive) down() {
	a.mu.Lock()
	defer a.mu.Unlock()
	_ = a.server.Close()
}

// decide is the script of the double.
func (a *archive) decide(call int, records [][]byte) firehosetest.Reply {
	if reply := a.trouble.Load(); reply != nil {
		return *reply
	}
	switch {
	case call%5 == 1:
		return firehosetest.Reply{Fail: []int{len(records) - 1}, Error: "ServiceUnavailableException"}
	case call%11 == 3:
		return firehosetest.Reply{Status: http.StatusServiceUnavailable, Error: "ServiceUnavailableException"}
	case call%31 == 7: // taken, and nobody is told
		return firehosetest.Reply{Status: http.StatusInternalServerError, Error: "InternalFailure", Taken: true}
	}
	return firehosetest.Reply{}
}

// take reads the lines of a record.
func (a *archive) take(record []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for text := range bytes.Lines(record) {
		var line struct {
			ID    string  `json:"id"`
			Line  *string `json:"line"`
			Bytes []byte  `json:"bytes"`
		}
		err := json.Unmarshal(text, &line)
		if line.Line == nil {
			line.Line = new(string)
			*line.Line = string(line.Bytes)
		}
		first, known := a.lines[line.ID]
		switch {
		case err != nil || line.ID == "" || !bytes.HasSuffix(text, []byte("\n")):
			a.faults = append(a.faults, fmt.Sprintf("%q: %v", text, err))
		case known && first != *line.Line:
			a.faults = append(a.faults, fmt.Sprintf("%s is %q and %q", line.ID, first, *line.Line))
		case known:
			a.copies++
		default:
			a.lines[line.ID] = *line.Line
		}
	}
}

// contents are how often each line has arrived with an id of its own, how many lines there are, and the
// copies beyond the first.
func (a *archive) contents() (distinct map[string]int, lines, copies int, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	distinct = map[string]int{}
	for _, line := range a.lines {
		distinct[line]++
	}
	var faults []error
	for _, fault := range a.faults {
		faults = append(faults, errors.New(fault))
	}
	return distinct, len(a.lines), a.copies, errors.Join(faults...)
}
