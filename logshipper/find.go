package logshipper

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
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
	list   []*file
	inodes map[inode]*file
	copies map[inode]int64 // files that hold what another one holds, and their size when that was seen
}

func newFiles(c *Config) *files {
	return &files{config: c, inodes: map[inode]*file{}, copies: map[inode]int64{}}
}

// attach makes handle the file's.
func (s *files) attach(f *file, handle *os.File, path string, now time.Time) error {
	info, err := handle.Stat()
	if err != nil {
		return err
	}
	node := inodeOf(info)
	f.handle, f.path, f.dev, f.ino, f.missing = handle, path, node.dev, node.ino, false
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
	handle, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	info, err := handle.Stat()
	if err != nil {
		return nil, errors.Join(err, handle.Close())
	}
	node := inodeOf(info)
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
	if known, ok := s.copies[node]; ok && known == size {
		return true
	}
	delete(s.copies, node)
	if size < headSize {
		return false
	}
	for _, f := range s.list {
		if f.handle != nil && f.base == 0 && isRotatedName(f.path, path) && isCopyOf(f, handle, size) {
			s.copies[node] = size
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

func sameContent(a, b *os.File, size int64) bool {
	left, right := make([]byte, 64<<10), make([]byte, 64<<10)
	for at := int64(0); at < size; at += int64(len(left)) {
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
func (s *files) neighbours(path string) (all []string) {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err == nil {
		for _, e := range entries {
			if !e.IsDir() {
				all = append(all, filepath.Join(filepath.Dir(path), e.Name()))
			}
		}
	}
	if s.config.Rotated != "" {
		more, _ := filepath.Glob(s.config.Rotated) // the pattern is valid
		all = append(all, more...)
	}
	return all
}

// findCopy returns the copy that was made of a file before it was truncated: it holds what was read, up to
// the read mark.
func (s *files) findCopy(f *file) (*os.File, string) {
	if f.headLen == 0 {
		return nil, ""
	}
	for _, path := range s.neighbours(f.path) {
		if path != f.path && !strings.HasPrefix(path, f.path) && !s.matchesRotated(path) {
			continue
		}
		handle, err := openRegular(path)
		if err != nil {
			continue
		}
		if info, err := handle.Stat(); err == nil && s.inodes[inodeOf(info)] == nil {
			if f.holds(handle, f.read) {
				delete(s.copies, inodeOf(info))
				return handle, path
			}
			if f.outran(handle, info.Size()) {
				s.copies[inodeOf(info)] = info.Size()
			}
		}
		_ = handle.Close() // it was only read
	}
	return nil, ""
}

func (s *files) matchesRotated(path string) bool {
	ok, _ := filepath.Match(s.config.Rotated, path) // the pattern is valid
	return ok
}

// restore finds the files of a checkpoint: where they were, under another name, or as a copy. What is
// nowhere is returned.
func (s *files) restore(c *checkpoint, sameInode bool, now time.Time) (lost []*file) {
	var astray []*file
	for i := range c.Files {
		f := c.Files[i].file()
		if !s.reattach(f, f.path, sameInode, now) {
			astray = append(astray, f)
			continue
		}
		s.list = append(s.list, f)
	}
	places := map[string]map[inode]string{}
	for _, f := range astray {
		found := s.reattach(f, s.whereIs(f, places), true, now)
		if !found {
			if handle, path := s.findCopy(f); handle != nil {
				found = s.attach(f, handle, path, now) == nil
			}
		}
		_, err := os.Stat(filepath.Dir(f.path))
		f.missing = !found && errors.Is(err, fs.ErrNotExist)
		if found || f.missing {
			s.list = append(s.list, f)
		} else {
			lost = append(lost, f)
		}
	}
	return lost
}

// reattach opens path if it is the same inode and holds the same.
func (s *files) reattach(f *file, path string, sameInode bool, now time.Time) bool {
	if path == "" {
		return false
	}
	handle, err := openRegular(path)
	if err != nil {
		return false
	}
	info, err := handle.Stat()
	if err == nil && (!sameInode || info.Sys() != nil && inodeOf(info).ino == f.ino) && s.inodes[inodeOf(info)] == nil && f.holds(handle, f.acked) &&
		s.attach(f, handle, path, now) == nil {
		return true
	}
	_ = handle.Close() // it was only read
	return false
}

// whereIs looks for the file's inode among the neighbours of its path. Directories are read once.
func (s *files) whereIs(f *file, places map[string]map[inode]string) string {
	dir := filepath.Dir(f.path)
	if places[dir] == nil {
		places[dir] = map[inode]string{}
		for _, path := range s.neighbours(f.path) {
			if info, err := os.Stat(path); err == nil {
				places[dir][inodeOf(info)] = path
			}
		}
	}
	return places[dir][inode{f.dev, f.ino}]
}

// missed are files that were written and rotated away while nobody looked: names that rotation gives to a
// file that the pattern matches, changed after that time.
func (s *files) missed(since time.Time) (all []string) {
	live, dirs, seen := map[string]bool{}, map[string]string{}, map[string]bool{}
	paths, _ := filepath.Glob(s.config.Path) // the pattern is valid
	for _, path := range paths {
		live[path], seen[path] = true, true
		dirs[filepath.Dir(path)] = path
	}
	for _, f := range s.list { // one that is not there at this moment; others may have its name by now
		live[f.name] = true
		dirs[filepath.Dir(f.name)] = f.name
	}
	for _, path := range dirs {
		for _, near := range s.neighbours(path) {
			if seen[near] || !isRotatedOf(near, live) && !s.matchesRotated(near) {
				continue
			}
			seen[near] = true
			if info, err := os.Stat(near); err == nil && info.Mode().IsRegular() && info.ModTime().After(since) {
				all = append(all, near)
			}
		}
	}
	return all
}

// isRotatedOf tells whether path is the rotated name of one of live.
func isRotatedOf(path string, live map[string]bool) bool {
	for i := len(path) - 1; i > 0 && path[i] != '/'; i-- {
		if live[path[:i]] && isRotatedName(path[:i], path) {
			return true
		}
	}
	return false
}
