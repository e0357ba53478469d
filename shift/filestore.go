package shift

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"yadokari/durable"
)

// Names of the files in a state directory.
const (
	stateName  = "shift.json"
	lockName   = "shift.lock"
	ledgerName = "ledger.jsonl"
)

// watchEvery is how often a FileStore looks at the state file and, until it has it, at the lock.
const watchEvery = 100 * time.Millisecond

// FileStore keeps the state in one file of a directory on a local disk.
//
// One process at a time writes: the one that holds an flock(2) on a lock file, which the kernel lets
// go of however that process ends. A second process (a new binary that takes over the port) can open
// the same directory: it loads, follows what the owner saves, and gets ErrNotOwner when it saves,
// until the owner calls Close or ends. A lock file is never removed, since two processes could then
// hold locks on two files of the same name.
type FileStore struct {
	dir string

	mu     sync.Mutex
	lock   *os.File
	owned  bool
	closed bool
	looked fs.FileInfo // the state file as this process last looked at it or wrote it; nil: missing
	known  bool        // looked was understood and has the revision below
	stored uint64      // revision
	failed string      // checksum of the content whose writing ended in an error
}

var _ Store = (*FileStore)(nil)

// OpenFileStore opens the state directory, creating it if it is missing, and takes the lock if it is
// free. A directory that cannot be used, or a damaged state, is not an error here but of Load and Save, which
// try again: users are served meanwhile, on the old side.
func OpenFileStore(dir string) *FileStore {
	s := &FileStore{dir: dir}
	_ = s.own() // Load says it, and Watch tries again
	return s
}

// open opens the lock file. The caller holds s.mu, or nobody else knows s yet.
func (s *FileStore) open() error {
	if s.lock != nil {
		return nil
	}
	if err := os.MkdirAll(s.dir, 0o750); err != nil {
		return fmt.Errorf("state directory: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(s.dir, lockName), os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return fmt.Errorf("lock of the state directory: %w", err)
	}
	s.lock = lock
	return nil
}

// Path is the state file's name.
func (s *FileStore) Path() string { return filepath.Join(s.dir, stateName) }

// Close gives the directory up, so that another process can take over. Save fails from then on.
func (s *FileStore) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed, s.owned = true, false
	if s.lock == nil {
		return nil
	}
	return s.lock.Close()
}

// own takes the lock if it is free. The caller holds s.mu, or nobody else knows s yet.
func (s *FileStore) own() error {
	if s.closed {
		return fmt.Errorf("state directory %s: %w", s.dir, os.ErrClosed)
	}
	if s.owned {
		return nil
	}
	if err := s.open(); err != nil {
		return err
	}
	err := syscall.Flock(int(s.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return fmt.Errorf("%w: process %s holds %s; ask it, or wait until it has stopped", ErrNotOwner, s.holder(), s.lock.Name())
	}
	if err != nil {
		return fmt.Errorf("lock %s: %w", s.lock.Name(), err)
	}
	s.owned = true
	s.claim()
	return nil
}

// claim leaves this process's number in the lock file, which is for people only and may fail, and
// removes what a crash in the middle of a Save left behind.
func (s *FileStore) claim() {
	if s.lock.Truncate(0) == nil {
		_, _ = s.lock.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	left, _ := filepath.Glob(s.Path() + ".new-*") // the pattern is well-formed, the only error there is
	for _, name := range left {
		_ = os.Remove(name)
	}
}

func (s *FileStore) holder() string {
	text := make([]byte, 20)
	n, _ := s.lock.ReadAt(text, 0)
	if pid := strings.TrimSpace(string(text[:n])); pid != "" {
		return pid
	}
	return "unknown"
}

// Load reads the state file. A missing one is the zero Snapshot.
func (s *FileStore) Load(context.Context) (Snapshot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.open(); err != nil {
		return Snapshot{}, err
	}
	snapshot, _, err := s.read()
	return snapshot, err
}

// read loads the file and remembers what it looked like.
func (s *FileStore) read() (snapshot Snapshot, sum string, err error) {
	s.known = false
	defer func() {
		if err != nil {
			err = &DamagedError{Name: s.Path(), Err: err}
		}
	}()
	info, err := os.Stat(s.Path())
	s.looked = info
	if errors.Is(err, fs.ErrNotExist) {
		s.known, s.stored = true, 0
		return Snapshot{}, "", nil
	}
	if err != nil {
		return Snapshot{}, "", err
	}
	text, err := os.ReadFile(s.Path())
	if err != nil {
		return Snapshot{}, "", err
	}
	snapshot, err = UnmarshalSnapshot(text)
	if err != nil {
		return Snapshot{}, "", err
	}
	s.known, s.stored = true, snapshot.Revision
	return snapshot, checksum(text), nil
}

// Save writes snapshot if the file is still the one of snapshot.Revision. It is durable.Replace after
// a look at the file, under the lock.
func (s *FileStore) Save(_ context.Context, snapshot Snapshot) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.own(); err != nil {
		return err
	}
	if err := s.compare(snapshot.Revision); err != nil {
		return err
	}
	snapshot.Revision++
	text, err := MarshalSnapshot(snapshot)
	if err != nil {
		return err
	}
	if err := durable.Replace(s.Path(), text, 0o640); err != nil {
		s.failed = checksum(text)
		return fmt.Errorf("save state: %w", err)
	}
	s.failed, s.stored = "", snapshot.Revision
	// A file that cannot be looked at now is read again before the next Save.
	s.looked, err = os.Stat(s.Path())
	s.known = err == nil
	return nil
}

// compare returns ErrConflict unless the file has the given revision, or is what a Save of this
// process from that revision left behind when it failed at the very end.
func (s *FileStore) compare(revision uint64) error {
	if s.known && s.unchanged() && s.stored == revision {
		return nil
	}
	snapshot, sum, err := s.read()
	if err != nil {
		return err
	}
	ours := s.failed != "" && sum == s.failed && snapshot.Revision == revision+1
	if snapshot.Revision != revision && !ours {
		return fmt.Errorf("%s has revision %d, not %d: %w", s.Path(), snapshot.Revision, revision, ErrConflict)
	}
	return nil
}

// unchanged compares inode, size and time: every Replace makes a new inode.
func (s *FileStore) unchanged() bool {
	info, err := os.Stat(s.Path())
	if err != nil || s.looked == nil {
		return s.looked == nil && errors.Is(err, fs.ErrNotExist)
	}
	return os.SameFile(info, s.looked) && info.Size() == s.looked.Size() && info.ModTime().Equal(s.looked.ModTime())
}

// Watch looks at the file and the lock ten times a second.
func (s *FileStore) Watch(ctx context.Context) <-chan struct{} {
	changed := make(chan struct{}, 1)
	go func() {
		defer close(changed)
		ticker := time.NewTicker(watchEvery)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			if s.news() {
				select {
				case changed <- struct{}{}:
				default: // one is waiting to be received
				}
			}
		}
	}()
	return changed
}

// news says whether the lock was won or the file is another than the one last read or written.
func (s *FileStore) news() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	won := !s.owned && s.own() == nil
	return won || !s.unchanged()
}
