package shift

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"yadokari/durable"
)

// Ledger is the append-only record of who or what moved which route, when and why. Its methods are
// safe for concurrent use.
type Ledger interface {
	// Append writes the entries whose Seq is above Last, in their order, and returns when they
	// survive a crash of the machine. An entry that is already there is left out, so that appending
	// again after an error, or after a restart, leaves every entry there exactly once.
	Append(entries ...Entry) error
	// Last is the Seq of the newest entry; 0 when there is none.
	Last() (uint64, error)
	// Read returns entries, newest first. With an error the entries that could be read are returned.
	Read(Filter) ([]Entry, error)
}

// FileLedger is a Ledger in one file of JSON lines. Only the owner of the state may append to it, so
// it needs no lock of its own; everybody may read.
type FileLedger struct {
	path   string
	logger *slog.Logger

	mu   sync.Mutex
	size int64  // the file's size after the last look; -1: not looked at yet
	last uint64 // the newest Seq at that size
}

var _ Ledger = (*FileLedger)(nil)

// OpenFileLedger is the ledger in the given state directory. Nothing is read or created yet. What a
// crash left of a line is set aside, and reported to logger, by the first Append.
func OpenFileLedger(dir string, logger *slog.Logger) *FileLedger {
	return &FileLedger{path: filepath.Join(dir, ledgerName), logger: logger, size: -1}
}

// Path is the ledger's file name.
func (l *FileLedger) Path() string { return l.path }

// Append writes and fsyncs the entries that are not there yet.
func (l *FileLedger) Append(entries ...Entry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	file, err := os.OpenFile(l.path, os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	if err := l.append(file, entries); err != nil {
		return errors.Join(fmt.Errorf("ledger %s: %w", l.path, err), file.Close())
	}
	return file.Close()
}

func (l *FileLedger) append(file *os.File, entries []Entry) error {
	if err := l.repair(file); err != nil {
		return err
	}
	var lines bytes.Buffer
	last := l.last
	for _, e := range entries {
		if e.Seq <= last {
			continue
		}
		line, err := json.Marshal(e)
		if err != nil {
			return fmt.Errorf("entry %d: %w", e.Seq, err)
		}
		lines.Write(line)
		lines.WriteByte('\n')
		last = e.Seq
	}
	if lines.Len() == 0 {
		return nil
	}
	size := l.size
	l.size = -1 // unknown until the write is known to be whole
	if _, err := file.WriteAt(lines.Bytes(), size); err != nil {
		// What was written of it is cut off now, or set aside by the next repair.
		return errors.Join(err, file.Truncate(size))
	}
	if err := file.Sync(); err != nil {
		return err
	}
	if size == 0 {
		if err := durable.SyncDir(filepath.Dir(l.path)); err != nil {
			return err
		}
	}
	l.size, l.last = size+int64(lines.Len()), last
	return nil
}

// repair looks at the file's end when it is not as this process left it: another process has appended,
// or a crash has left a part of a line, which is moved to a file beside it.
func (l *FileLedger) repair(file *os.File) error {
	info, err := file.Stat()
	if err != nil || info.Size() == l.size {
		return err
	}
	whole, last, err := ledgerEnd(file, info.Size())
	if err != nil {
		return err
	}
	if torn := info.Size() - whole; torn > longestLine {
		return fmt.Errorf("its last %d bytes cannot be read, which is more than a crash leaves behind; restore it from a backup or move it away", torn)
	}
	if whole < info.Size() {
		if err := l.setAside(file, whole, info.Size()); err != nil {
			return fmt.Errorf("set the torn end aside: %w", err)
		}
	}
	l.size, l.last = whole, last
	return nil
}

func (l *FileLedger) setAside(file *os.File, from, to int64) error {
	aside, err := os.CreateTemp(filepath.Dir(l.path), filepath.Base(l.path)+".torn-*")
	if err != nil {
		return err
	}
	_, err = io.Copy(aside, io.NewSectionReader(file, from, to-from))
	if err = errors.Join(err, aside.Sync(), aside.Close()); err != nil {
		return err
	}
	if err := errors.Join(durable.SyncDir(filepath.Dir(l.path)), file.Truncate(from), file.Sync()); err != nil {
		return err
	}
	l.logger.Warn("the ledger ended in a part of a line, as after a crash; it was set aside",
		"ledger", l.path, "aside", aside.Name(), "bytes", to-from)
	return nil
}

// ledgerEnd returns where the last line that can be read ends, and its Seq. What comes after it was
// never acknowledged: an append is acknowledged after fsync only.
func ledgerEnd(file io.ReaderAt, size int64) (whole int64, last uint64, err error) {
	lines := backward{file: file, at: size}
	for {
		line, end, err := lines.next()
		if errors.Is(err, io.EOF) {
			return 0, 0, nil
		}
		if err != nil {
			return 0, 0, err
		}
		if e, err := parseEntry(line); err == nil && end < size {
			return end + 1, e.Seq, nil
		}
	}
}

// parseEntry reads one line of the ledger.
func parseEntry(line []byte) (Entry, error) {
	var e Entry
	if err := decodeWhole(line, &e); err != nil {
		return Entry{}, err
	}
	if e.Seq == 0 {
		return Entry{}, errors.New("it has no seq")
	}
	return e, nil
}

// Last returns the Seq of the newest entry.
func (l *FileLedger) Last() (uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	file, size, err := l.open()
	if file == nil {
		return 0, err
	}
	defer file.Close() // opened for reading
	if size == l.size {
		return l.last, nil
	}
	_, last, err := ledgerEnd(file, size)
	return last, err
}

// open returns the file and its size, or nil without an error when there is none yet.
func (l *FileLedger) open() (*os.File, int64, error) {
	file, err := os.Open(l.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, fmt.Errorf("ledger: %w", err)
	}
	info, err := file.Stat()
	if err != nil {
		return nil, 0, errors.Join(fmt.Errorf("ledger %s: %w", l.path, err), file.Close())
	}
	return file, info.Size(), nil
}
