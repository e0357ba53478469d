package stop

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"strings"
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

	mu      sync.Mutex
	entries map[string]entry   // those taken, by id
	files   map[string][]entry // the same, by the part of the id that names a file
	copies  int                // beyond the first
	faults  []error            // entries that cannot be
	server  *http.Server
}

func newArchive(t *testing.T, listen func() (net.Listener, error)) *archive {
	t.Helper()
	a := &archive{listen: listen, entries: map[string]entry{}, files: map[string][]entry{}}
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
			ID     string
			Offset int64
			Line   string
			Bytes  []byte // in place of Line, where it is no text
		}
		err := json.Unmarshal(text, &line)
		file, _, found := strings.Cut(line.ID, "-")
		entry := entry{line.Offset, line.Line + string(line.Bytes)}
		first, known := a.entries[line.ID]
		switch {
		case err != nil || !found || !bytes.HasSuffix(text, []byte("\n")):
			a.faults = append(a.faults, fmt.Errorf("%q: %w", text, err))
		case known && first != entry:
			a.faults = append(a.faults, fmt.Errorf("%s is %q and %q", line.ID, first.text, entry.text))
		case known:
			a.copies++
		default:
			a.entries[line.ID] = entry
			a.files[file] = append(a.files[file], entry)
		}
	}
}

// entry is one line, or a part of one that was cut off, and where it stands in its file.
type entry struct {
	offset int64
	text   string
}

// contents are the files as they can be put together from what has arrived, without the newline at their
// end, how many entries that took, and how many came again.
func (a *archive) contents() (files []string, entries, copies int, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	faults := slices.Clone(a.faults)
	for id, list := range a.files {
		slices.SortFunc(list, func(a, b entry) int { return cmp.Or(int(a.offset-b.offset), len(b.text)-len(a.text)) })
		var file strings.Builder
		for _, e := range list {
			if end := int(e.offset) + len(e.text); end < file.Len() || end == file.Len() && e.text != "" {
				continue // a part of the one before, taken before that was whole
			}
			if int64(file.Len())+1 == e.offset {
				file.WriteByte('\n')
			}
			if int64(file.Len()) != e.offset {
				faults = append(faults, fmt.Errorf("file %s: %d bytes, and then an entry at %d: %s", id, file.Len(), e.offset, e.text))
				break
			}
			file.WriteString(e.text)
		}
		files = append(files, file.String())
	}
	return files, len(a.entries), a.copies, errors.Join(faults...)
}
