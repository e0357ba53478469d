package logshipper

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"github.com/cespare/xxhash/v2"
	"golang.org/x/sys/unix"
)

const (
	tailSize = 64      // bytes before a mark that are read again, to see that the file is still the same
	headSize = 1 << 10 // bytes at a file's begin that identify it
)

// mark is a place in a file, and what was handed on up to it.
type mark struct {
	offset int64  // bytes from the file's begin
	out    int64  // bytes that an output got for them
	tail   uint64 // hash of the tailSize bytes before offset, or as many as there are
}

// stamp says when the bytes before end were first seen.
type stamp struct {
	end int64
	at  time.Time
}

// file is one file that is shipped: a rotation that renames it changes its path, one that truncates it
// ends it, and what is written afterwards is another file.
type file struct {
	id       string // for removing duplicates downstream; random
	name     string // the path under which it was first seen
	path     string // where it was seen last
	born     time.Time
	dev, ino uint64
	birth    int64 // of the inode; 0: not known
	left     int64 // bytes before the end that are in a leftover
	base     int64 // offset of the first byte on disk: more than 0 for the rest in a leftover
	rest     bool  // in a leftover: an agent may go on with what follows, under the same id

	handle   *os.File // nil: closed for now, or not found
	head     uint64   // hash of the first headLen bytes
	headLen  int64
	read     mark // taken into batches
	acked    mark // safe at the output
	tail     []byte
	size     int64 // as seen last
	before   int64 // the size before it grew last
	noted    int64 // up to where its bytes are counted as found
	changed  time.Time
	gone     time.Time // since when the pattern leads to no path of it; zero: it does
	modTime  time.Time
	pending  []stamp
	unlinked bool      // no path leads to it: when it is closed it is gone
	listed   bool      // at a path that the pattern matches
	saved    bool      // in the checkpoint on disk
	missing  bool      // in the checkpoint, and its directory is not there, or could not be looked into, or
	trouble  error     // it could not be opened, or read
	retryAt  time.Time // after an error of reading
	logged   time.Time // the error
	barren   int64     // the size at which nothing could be taken,
	barely   reading   // and how it was tried
	ended    bool      // nothing will be read any more: truncated, or not found
	prefix   []byte
}

// stat looks at the open file. shrunk tells that bytes which were read are not there any more.
func (f *file) stat(now time.Time) (shrunk bool, err error) {
	info, err := f.handle.Stat()
	if err != nil {
		return false, err
	}
	size := info.Size() + f.base
	f.modTime, f.unlinked = info.ModTime(), isUnlinked(info)
	if size < f.read.offset || size < f.size {
		return true, nil
	}
	f.grown(size, now)
	return false, nil
}

// grown notes a new size.
func (f *file) grown(size int64, now time.Time) {
	if size == f.size && !f.changed.IsZero() {
		return
	}
	if size > f.size || len(f.pending) == 0 && size > f.acked.offset {
		f.pending = append(f.pending, stamp{size, now})
		if k := len(f.pending); k > 32 { // the later ones are taken to be as old as the first of them
			f.pending[k-2].end = size
			f.pending = f.pending[:k-1]
		}
	}
	f.before, f.size, f.changed = f.size, size, now
}

// since is when the oldest byte that is not acknowledged was first seen; zero: there is none.
func (f *file) since() time.Time {
	for len(f.pending) > 0 && f.pending[0].end <= f.acked.offset {
		f.pending = f.pending[1:]
	}
	if len(f.pending) == 0 {
		return time.Time{}
	}
	return f.pending[0].at
}

// backlog is how much is not acknowledged.
func (f *file) backlog() int64 { return max(0, f.size-f.acked.offset) }

// readAt fills into[tailSize:] with what follows the read mark, and returns how much. The bytes before
// the mark are read again, in the same call, into the end of into[:tailSize]; changed tells that they
// are not what they were, so the file was truncated and has grown again.
func (f *file) readAt(into []byte) (n int, changed bool, err error) {
	begin := tailSize - len(f.tail)
	n, err = f.handle.ReadAt(into[begin:], f.read.offset-f.base-int64(len(f.tail)))
	if err == io.EOF {
		err = nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("read: %w", err)
	}
	if n < len(f.tail) || string(into[begin:tailSize]) != string(f.tail) {
		return 0, true, nil
	}
	n -= len(f.tail)
	return n, f.read.offset == f.base && !f.beginsWith(into[tailSize:tailSize+n]), nil
}

// beginsWith tells whether data, read from the file's begin, is what the fingerprint was made of when it was found.
func (f *file) beginsWith(data []byte) bool {
	return f.headLen == 0 || int64(len(data)) >= f.headLen && xxhash.Sum64(data[:f.headLen]) == f.head
}

// markAfter is the mark behind taken, which follows the read mark, when out bytes go out for it.
func (f *file) markAfter(taken []byte, out int) mark {
	if len(taken) >= tailSize {
		f.tail = append(f.tail[:0], taken[len(taken)-tailSize:]...)
	} else {
		keep := min(len(f.tail), tailSize-len(taken))
		f.tail = append(f.tail[:0], f.tail[len(f.tail)-keep:]...)
		f.tail = append(f.tail, taken...)
	}
	return mark{offset: f.read.offset + int64(len(taken)), out: f.read.out + int64(out), tail: xxhash.Sum64(f.tail)}
}

// isCut tells that what follows taken, which follows the read mark, is within a line of which a part is out.
func (f *file) isCut(taken []byte) bool {
	if len(taken) == 0 {
		taken = f.tail
	}
	return len(taken) > 0 && taken[len(taken)-1] != '\n'
}

// learn extends the fingerprint while the file is short, from taken, which follows the read mark.
func (f *file) learn(taken []byte) error {
	if f.read.offset == f.base {
		f.headLen = min(int64(len(taken)), headSize)
		f.head = xxhash.Sum64(taken[:f.headLen])
		f.saved = false // the id must not be found again without the bytes that it stands for
		return nil
	}
	if f.headLen >= headSize {
		return nil
	}
	head := make([]byte, min(f.read.offset-f.base+int64(len(taken)), headSize))
	if _, err := f.handle.ReadAt(head, 0); err != nil && err != io.EOF {
		return err
	}
	if xxhash.Sum64(head[:f.headLen]) == f.head { // else it was truncated just now, which the next reading finds
		f.head, f.headLen = xxhash.Sum64(head), int64(len(head))
	}
	return nil
}

// holds tells whether handle is this file up to m: by its first bytes, and those before m.
func (f *file) holds(handle *os.File, m mark) bool {
	same, err := f.compare(handle, m)
	return same && err == nil
}

// compare is holds, and tells apart what is another file from what could not be read.
func (f *file) compare(handle *os.File, m mark) (same bool, err error) {
	info, err := handle.Stat()
	if err != nil || info.Size()+f.base < m.offset {
		return false, err
	}
	if node := inodeOf(info); node == (inode{f.dev, f.ino}) && !f.bornWith(handle) {
		return false, nil
	}
	head, err := hashOf(handle, 0, f.headLen)
	if err == nil && f.headLen > 0 && head != f.head {
		return false, nil
	}
	if err == nil {
		length := min(tailSize, m.offset-f.base)
		var tail uint64
		tail, err = hashOf(handle, m.offset-f.base-length, length)
		same = err == nil && (tail == m.tail || length == 0)
	}
	if errors.Is(err, io.EOF) { // it is shorter by now
		return false, nil
	}
	return same, err
}

// bornWith tells whether the file system may have made handle's inode when it made the file's: one that is used again
// can begin with the same lines.
func (f *file) bornWith(handle *os.File) bool {
	birth := birthOf(handle)
	return birth == 0 || f.birth == 0 || birth == f.birth
}

// outran tells that more of the file was read than handle holds, a copy that was made of it: what was written
// after the copy was read before the file was truncated.
func (f *file) outran(handle *os.File, size int64) bool {
	if f.headLen < headSize || size < headSize || size+f.base >= f.read.offset {
		return false
	}
	hash, err := hashOf(handle, 0, f.headLen)
	return err == nil && hash == f.head
}

// rewind goes back to what is acknowledged.
func (f *file) rewind() {
	f.read = f.acked
	f.rewindTail()
}

// rewindTail reads the bytes before the read mark again.
func (f *file) rewindTail() {
	f.tail = f.tail[:0]
	if f.handle == nil {
		return
	}
	length := min(tailSize, f.read.offset-f.base)
	tail := make([]byte, length)
	_, _ = f.handle.ReadAt(tail, f.read.offset-f.base-length) // what could not be read is not what it was
	f.tail = append(f.tail, tail...)
}

func (f *file) close() {
	if f.handle != nil {
		_ = f.handle.Close() // it was only read
		f.handle = nil
	}
}

func hashOf(handle *os.File, at, length int64) (uint64, error) {
	if length == 0 {
		return xxhash.Sum64(nil), nil
	}
	data := make([]byte, length)
	if _, err := handle.ReadAt(data, at); err != nil {
		return 0, err
	}
	return xxhash.Sum64(data), nil
}

// isUnlinked tells that an open file has no name any more.
func isUnlinked(info os.FileInfo) bool {
	s, ok := info.Sys().(*syscall.Stat_t)
	return ok && s.Nlink == 0
}

// birthOf is when the file system made an inode, in nanoseconds; 0: it does not say.
func birthOf(handle *os.File) int64 {
	raw, err := handle.SyscallConn()
	if err != nil {
		return 0
	}
	var s unix.Statx_t
	failed := raw.Control(func(fd uintptr) { err = unix.Statx(int(fd), "", unix.AT_EMPTY_PATH, unix.STATX_BTIME, &s) })
	if err != nil || failed != nil || s.Mask&unix.STATX_BTIME == 0 {
		return 0
	}
	return s.Btime.Sec*int64(time.Second) + int64(s.Btime.Nsec)
}

// inode is what the system calls a file.
type inode struct{ dev, ino uint64 }

func inodeOf(info os.FileInfo) inode {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return inode{uint64(s.Dev), s.Ino} //nolint:unconvert // Dev is narrower on other systems
	}
	return inode{}
}
