package certs

import (
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// lookEvery is the least time between two looks at the files: soon enough for a renewal, and cheap
// however many handshakes there are.
const lookEvery = 2 * time.Second

// following holds what was last read from some files, and reads them again when they have changed.
type following[T any] struct {
	load  func() (*T, error)
	files []string
	log   *slog.Logger

	current atomic.Pointer[T]
	next    atomic.Int64 // when to look again, in nanoseconds since start
	start   time.Time

	mu    sync.Mutex // held while looking
	stats []os.FileInfo
}

func newFollowing[T any](load func() (*T, error), log *slog.Logger, files ...string) (*following[T], error) {
	f := &following[T]{load: load, files: files, log: log, start: time.Now()}
	f.stats = f.stat() // before reading: a change in between is then seen at the next look
	value, err := load()
	if err != nil {
		return nil, err
	}
	f.current.Store(value)
	f.next.Store(int64(lookEvery))
	return f, nil
}

// now returns the value of the moment. One caller looks at the files; the others do not wait for it.
func (f *following[T]) now() *T {
	if elapsed := int64(time.Since(f.start)); elapsed >= f.next.Load() && f.mu.TryLock() {
		f.look()
		f.next.Store(int64(time.Since(f.start) + lookEvery))
		f.mu.Unlock()
	}
	return f.current.Load()
}

func (f *following[T]) look() {
	stats := f.stat()
	if same(f.stats, stats) {
		return
	}
	f.stats = stats
	value, err := f.load()
	if err != nil {
		f.log.Error("changed TLS files cannot be used; the former ones stay in force", "error", err.Error())
		return
	}
	f.current.Store(value)
	f.log.Info("changed TLS files are in force")
}

// stat describes the files; one that cannot be looked at is nil.
func (f *following[T]) stat() []os.FileInfo {
	stats := make([]os.FileInfo, len(f.files))
	for i, file := range f.files {
		if info, err := os.Stat(file); err == nil {
			stats[i] = info
		}
	}
	return stats
}

// same says whether nothing has changed: neither which file it is (a new file renamed over it, a link
// that now leads elsewhere, as in a Kubernetes secret) nor its size and time.
func same(a, b []os.FileInfo) bool {
	for i := range a {
		switch {
		case a[i] == nil || b[i] == nil:
			if a[i] != b[i] {
				return false
			}
		case !os.SameFile(a[i], b[i]) || a[i].Size() != b[i].Size() || !a[i].ModTime().Equal(b[i].ModTime()):
			return false
		}
	}
	return true
}
