package logshipper

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// restore finds the files of a checkpoint: where they were, under another name, or as a copy. What is
// nowhere is returned.
func (s *files) restore(c *checkpoint, sameInode bool, now time.Time) (lost []*file) {
	s.recall(c.Copies)
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

// recall takes over the copies of a checkpoint, as far as they are still there.
func (s *files) recall(copies []copied) {
	if len(copies) == 0 {
		return
	}
	there := map[inode]bool{}
	dirs, _ := filepath.Glob(filepath.Dir(s.config.Path)) // the pattern is valid
	for _, dir := range dirs {
		for _, path := range s.neighbours(filepath.Join(dir, "any")) {
			if info, err := os.Stat(path); err == nil {
				there[inodeOf(info)] = true
			}
		}
	}
	for _, c := range copies {
		if node := (inode{c.Dev, c.Inode}); there[node] {
			s.copies[node] = c
		}
	}
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
