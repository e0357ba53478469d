package logshipper

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

const idLength = 16 // hexadecimal digits of a file's id

// files are those of one pipe: what is shipped, where it is, and what it is a copy of.
type files struct {
	config *Config
	open   func(path string) (*os.File, error)
	list   []*file
	inodes map[inode]*file
	copies map[inode]copied // files that hold what another one holds
}

// copied is what a copy was when it was found to be one.
type copied struct {
	Dev   uint64 `json:"dev"`
	Inode uint64 `json:"inode"`
	Size  int64  `json:"size"`
	Head  hash   `json:"head"`
}

// noteCopy remembers that handle holds nothing new.
func (s *files) noteCopy(handle *os.File, node inode, size int64) {
	head, err := hashOf(handle, 0, min(size, headSize))
	if err == nil {
		s.copies[node] = copied{node.dev, node.ino, size, hash(head)}
	}
}

// isNoted tells that noteCopy was called for it.
func (s *files) isNoted(handle *os.File, node inode, size int64) bool {
	known, ok := s.copies[node]
	if !ok || known.Size != size {
		return false
	}
	head, err := hashOf(handle, 0, min(size, headSize))
	return err == nil && hash(head) == known.Head
}

func newFiles(c *Config) *files {
	return &files{config: c, open: openRegular, inodes: map[inode]*file{}, copies: map[inode]copied{}}
}

// attach makes handle the file's.
func (s *files) attach(f *file, handle *os.File, path string, now time.Time) error {
	info, err := handle.Stat()
	if err != nil {
		return err
	}
	node := inodeOf(info)
	f.handle, f.path, f.dev, f.ino, f.birth, f.missing, f.trouble = handle, path, node.dev, node.ino, birthOf(handle), false, nil
	f.modTime = info.ModTime()
	f.grown(info.Size()+f.base, now)
	f.rewindTail()
	s.inodes[node] = f
	return nil
}

// detach forgets where the file is.
func (s *files) detach(f *file) {
	if node := (inode{f.dev, f.ino}); s.inodes[node] == f {
		delete(s.inodes, node)
	}
	f.close()
}

func (s *files) remove(f *file) {
	s.detach(f)
	for i := range s.list {
		if s.list[i] == f {
			s.list = append(s.list[:i], s.list[i+1:]...)
			return
		}
	}
}

// adopt begins to ship the file at path, unless it is known or a copy of one that is.
func (s *files) adopt(path string, now time.Time) (*file, error) {
	handle, err := s.open(path)
	if err != nil {
		return nil, err
	}
	return s.adoptOpen(handle, path, now)
}

// adoptOpen is adopt for a file that is open.
func (s *files) adoptOpen(handle *os.File, path string, now time.Time) (*file, error) {
	info, err := handle.Stat()
	if err != nil {
		return nil, errors.Join(err, handle.Close())
	}
	node := inodeOf(info)
	if awaited, err := s.isAwaited(node, path, now); awaited || err != nil {
		return nil, errors.Join(err, handle.Close())
	}
	if info.Size() == 0 && s.isRotated(path) { // a copy in the making, say: it is looked at when it holds something
		return nil, handle.Close()
	}
	if s.inodes[node] != nil || s.isCopy(handle, node, path, info.Size()) {
		return nil, handle.Close()
	}
	id := make([]byte, idLength/2)
	_, _ = rand.Read(id) // never fails
	f := &file{id: hex.EncodeToString(id), name: path, born: now.UTC().Truncate(time.Second)}
	headLen := min(info.Size(), headSize)
	if f.head, err = hashOf(handle, 0, headLen); err == nil {
		f.headLen = headLen
		err = s.attach(f, handle, path, now)
	}
	if err != nil {
		return nil, errors.Join(err, handle.Close())
	}
	s.list = append(s.list, f)
	return f, nil
}

// isAwaited tells whether a file that could not be opened before is there now. An error leaves it open.
func (s *files) isAwaited(node inode, path string, now time.Time) (awaited bool, err error) {
	for _, f := range s.list {
		if !awaited && f.missing && f.ino == node.ino {
			if awaited, err = s.reattach(f, path, true, now); err != nil {
				return false, err
			}
		}
	}
	return awaited, nil
}

var errNotRegular = errors.New("not a regular file")

// openRegular does not wait for the other end of a pipe.
func openRegular(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errNotRegular
	}
	return os.Open(path)
}

// isCopy tells whether a file with a rotated name holds nothing but what a file that is shipped holds, too:
// what copytruncate makes before it truncates. Short files are not compared: two that are alike
// may well be two.
func (s *files) isCopy(handle *os.File, node inode, path string, size int64) bool {
	if s.isNoted(handle, node, size) {
		return true
	}
	delete(s.copies, node)
	if size < headSize {
		return false
	}
	for _, f := range s.list {
		if f.handle != nil && f.base == 0 && isRotatedName(f.path, path) && isCopyOf(f, handle, size) {
			s.noteCopy(handle, node, size)
			return true
		}
	}
	return false
}

// isCopyOf tells whether handle holds what was read of f, which may be truncated by now, or all that it
// has is in f.
func isCopyOf(f *file, handle *os.File, size int64) bool {
	if f.read.offset >= headSize && f.holds(handle, f.read) {
		return true
	}
	info, err := f.handle.Stat() // it may have grown since it was seen last
	if err != nil {
		return false
	}
	if info.Size() < f.read.offset { // truncated
		return f.outran(handle, size)
	}
	return info.Size() >= size && sameContent(f.handle, handle, size)
}

// sameContent compares two files up to size. Of large ones it looks at the begin, the end and places in between: what
// is copied is compared with every scan until it is whole, and nothing is read meanwhile.
func sameContent(a, b *os.File, size int64) bool {
	const piece, most = 64 << 10, 64
	left, right := make([]byte, piece), make([]byte, piece)
	step := max(piece, size/most)
	for at := int64(0); at < size; at += step {
		if at+step >= size {
			at = max(0, size-piece)
		}
		n := min(int64(len(left)), size-at)
		if _, err := a.ReadAt(left[:n], at); err != nil && err != io.EOF {
			return false
		}
		if _, err := b.ReadAt(right[:n], at); err != nil && err != io.EOF || !bytes.Equal(left[:n], right[:n]) {
			return false
		}
	}
	return true
}

// rotatedSuffix is what rotation appends: .1, -20260102, .2026-01-02T15:04.
var rotatedSuffix = regexp.MustCompile(`^[.-][0-9][0-9.:TZ_-]*$`)

func isRotatedName(live, path string) bool {
	suffix, ok := strings.CutPrefix(path, live)
	return ok && rotatedSuffix.MatchString(suffix)
}

// neighbours are the paths where rotation may have put what was at path.
func (s *files) neighbours(path string) (all []string, err error) {
	entries, err := os.ReadDir(filepath.Dir(path))
	for _, e := range entries {
		if !e.IsDir() {
			all = append(all, filepath.Join(filepath.Dir(path), e.Name()))
		}
	}
	if s.config.Rotated != "" {
		more, _ := filepath.Glob(s.config.Rotated) // the pattern is valid
		all = append(all, more...)
	}
	return all, err
}

// findCopy returns the copy that was made of a file before it was truncated: it holds what was read, up to
// the read mark. An error says that a file which may be it could not be opened.
func (s *files) findCopy(f *file) (copied *os.File, path string, doubt error) {
	if f.headLen == 0 {
		return nil, "", nil
	}
	near, doubt := s.neighbours(f.path)
	for _, path := range near {
		if path != f.path && !strings.HasPrefix(path, f.path) && !s.matchesRotated(path) {
			continue
		}
		handle, err := s.open(path)
		if err != nil {
			if !isGone(err) {
				doubt = err
			}
			continue
		}
		if info, err := handle.Stat(); err == nil && s.inodes[inodeOf(info)] == nil {
			if f.holds(handle, f.read) {
				delete(s.copies, inodeOf(info))
				return handle, path, nil
			}
			if f.outran(handle, info.Size()) {
				s.noteCopy(handle, inodeOf(info), info.Size())
			}
		}
		_ = handle.Close() // it was only read
	}
	return nil, "", doubt
}

// reopenAside opens a file that was closed because it was quiet where rotation has put it: the app may write to
// it until it opens the new one.
func (s *files) reopenAside(f *file, places places, now time.Time) bool {
	node := inode{f.dev, f.ino}
	if f.handle != nil || f.ended || f.missing || s.inodes[node] != f {
		return false
	}
	path, _ := s.whereIs(f, places) // where it cannot be looked for it is not found
	delete(s.inodes, node)
	found, _ := s.reattach(f, path, true, now)
	if !found {
		s.inodes[node] = f
	}
	return found
}

func (s *files) matchesRotated(path string) bool {
	ok, _ := filepath.Match(s.config.Rotated, path) // the pattern is valid
	return ok
}
