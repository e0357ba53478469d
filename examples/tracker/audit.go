package tracker

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// AuditEntry is one line of the audit log: what a user changed. Run and Seq together name an entry; a
// run is one life of a copy, and its entries are numbered 1, 2, 3 … without a gap.
type AuditEntry struct {
	Time   time.Time `json:"time"`
	Run    string    `json:"run"`
	Seq    int64     `json:"seq"`
	Build  string    `json:"build"`
	User   string    `json:"user"`
	Action string    `json:"action"`
	Object string    `json:"object"`
	Detail string    `json:"detail,omitempty"`
}

// AuditCounts add up: Written = Flushed + Lost + Buffered.
type AuditCounts struct {
	Written  int64 `json:"written"`
	Flushed  int64 `json:"flushed"`  // handed to the file
	Lost     int64 `json:"lost"`     // the buffer was full because the file could not be written
	Buffered int64 `json:"buffered"` // not in the file yet
}

const (
	// auditFlushEvery is how long a line may stay in memory, as in applications that spare the disk.
	auditFlushEvery = time.Second
	auditBuffer     = 64 << 10
	auditBufferMax  = 4 << 20
)

// auditLog collects lines and writes them out in blocks: when there are many, every second, and at the
// end. A process that is killed takes the lines of its last second with it; a stop does not.
type auditLog struct {
	path, build, run string
	log              *slog.Logger

	mu     sync.Mutex
	file   *os.File
	buffer []byte
	lines  int64 // in buffer
	seq    int64
	sums   AuditCounts

	stop, done chan struct{}
}

func openAudit(path, build string, log *slog.Logger) (*auditLog, error) {
	a := &auditLog{path: path, build: build, run: rand.Text()[:12], log: log, stop: make(chan struct{}), done: make(chan struct{})}
	if path != "" {
		if err := a.open(); err != nil {
			return nil, err
		}
	}
	go a.flushNowAndThen()
	return a, nil
}

func (a *auditLog) open() error {
	file, err := os.OpenFile(a.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
	if err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	a.file = file
	return nil
}

// write adds an entry. It does nothing without an audit log.
func (a *auditLog) write(user, action, object, detail string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.file == nil {
		return
	}
	a.seq++
	a.sums.Written++
	line, err := json.Marshal(AuditEntry{time.Now().UTC(), a.run, a.seq, a.build, user, action, object, detail})
	if err != nil || len(a.buffer)+len(line) >= auditBufferMax {
		a.sums.Lost++
		a.log.Error("audit entry lost", "action", action, "object", object, "error", err)
		return
	}
	a.buffer = append(append(a.buffer, line...), '\n')
	a.lines++
	if len(a.buffer) >= auditBuffer {
		a.flushOrLog()
	}
}

func (a *auditLog) flushNowAndThen() {
	defer close(a.done)
	ticker := time.NewTicker(auditFlushEvery)
	defer ticker.Stop()
	for {
		select {
		case <-a.stop:
			return
		case <-ticker.C:
			a.mu.Lock()
			a.flushOrLog()
			a.mu.Unlock()
		}
	}
}

func (a *auditLog) flushOrLog() {
	if err := a.flush(); err != nil {
		a.log.Error("audit log cannot be written", "waiting", a.lines, "error", err)
	}
}

// flush hands all lines to the file. What a full disk took half of is continued the next time.
func (a *auditLog) flush() error {
	if len(a.buffer) == 0 {
		return nil
	}
	n, err := a.file.Write(a.buffer)
	if err != nil {
		a.buffer = append(a.buffer[:0], a.buffer[n:]...)
		return err
	}
	a.buffer = a.buffer[:0]
	a.sums.Flushed += a.lines
	a.lines = 0
	return nil
}

// tear writes out all lines and the first half of one more, and returns what writes the other half. Until
// then nothing else is written.
func (a *auditLog) tear() (mend func()) {
	a.mu.Lock()
	if a.file == nil {
		return a.mu.Unlock
	}
	a.flushOrLog()
	a.seq++
	a.sums.Written++
	line, _ := json.Marshal(AuditEntry{time.Now().UTC(), a.run, a.seq, a.build, "", "memory", "", "as much as there is"}) // strings and numbers
	half := len(line) / 2
	a.buffer, a.lines = append(a.buffer, line[:half]...), a.lines+1
	a.flushOrLog()
	return func() {
		defer a.mu.Unlock()
		a.buffer = append(append(a.buffer, line[half:]...), '\n')
		a.flushOrLog()
	}
}

// reopen goes on in a new file, after the old one has been renamed by a rotation.
func (a *auditLog) reopen() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.file == nil {
		return nil
	}
	if err := a.flush(); err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	old := a.file
	if err := a.open(); err != nil {
		return err
	}
	return old.Close()
}

// close writes everything out and makes it survive a crash of the machine.
func (a *auditLog) close() error {
	close(a.stop)
	<-a.done
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.file == nil {
		return nil
	}
	err := a.flush()
	if err == nil {
		err = a.file.Sync()
	}
	err = errors.Join(err, a.file.Close())
	a.file = nil
	if err != nil {
		return fmt.Errorf("audit log: %d lines not written: %w", a.lines, err)
	}
	return nil
}

func (a *auditLog) counts() AuditCounts {
	a.mu.Lock()
	defer a.mu.Unlock()
	sums := a.sums
	sums.Buffered = a.lines
	return sums
}

// ReopenLogs goes on in a new audit log file: for log rotation by renaming.
func (s *Server) ReopenLogs() error { return s.audit.reopen() }
