package logshipper

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// places are where the inodes of directories are; each is read once.
type places map[string]*listing

type listing struct {
	paths map[inode]string
	err   error // the directory could not be read
}

// restore finds the files of a checkpoint: where they were, under another name, or as a copy. What is
// nowhere is returned. What may be there, but could not be looked at, is missing until a later look.
func (s *files) restore(c *checkpoint, sameInode bool, now time.Time) (lost []*file) {
	s.recall(c.Copies)
	var astray []*file
	for i := range c.Files {
		f := c.Files[i].file()
		if found, err := s.reattach(f, f.path, sameInode, now); !found {
			f.trouble = err
			astray = append(astray, f)
			continue
		}
		s.list = append(s.list, f)
	}
	all := places{}
	for _, f := range astray {
		found, err := s.seek(f, all, now)
		if err == nil {
			err = f.trouble
		}
		if !found && err == nil {
			lost = append(lost, f)
			continue
		}
		if f.missing = !found; f.missing && !errors.Is(err, fs.ErrNotExist) {
			f.trouble = err
		}
		s.list = append(s.list, f)
	}
	return lost
}

// seek looks for a file that is not where it was. An error says that it may be there: a place could not be
// looked at, or its directory is not there.
func (s *files) seek(f *file, all places, now time.Time) (found bool, err error) {
	path, err := s.whereIs(f, all)
	if err != nil {
		return false, err
	}
	if found, err = s.reattach(f, path, true, now); found || err != nil {
		return found, err
	}
	handle, path, doubt := s.findCopy(f)
	if handle != nil {
		return s.attach(f, handle, path, now) == nil, nil
	}
	if f.backlog() == 0 { // nothing is lost with a copy
		return false, nil
	}
	return false, doubt
}

// isGone tells that an error proves that a file is not there, or is another one.
func isGone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, errNotRegular) || errors.Is(err, syscall.ENOTDIR)
}

// recall takes over the copies of a checkpoint, as far as they are still there.
func (s *files) recall(copies []copied) {
	if len(copies) == 0 {
		return
	}
	there := map[inode]bool{}
	dirs, _ := filepath.Glob(filepath.Dir(s.config.Path)) // the pattern is valid
	for _, dir := range dirs {
		near, _ := s.neighbours(filepath.Join(dir, "any")) // what cannot be seen is compared anew
		for _, path := range near {
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

// reattach opens path if it is the same inode and holds the same. An error says that it may.
func (s *files) reattach(f *file, path string, sameInode bool, now time.Time) (found bool, err error) {
	if path == "" {
		return false, nil
	}
	handle, err := s.open(path)
	if isGone(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	info, err := handle.Stat()
	if err == nil && (!sameInode || info.Sys() != nil && inodeOf(info).ino == f.ino) && s.inodes[inodeOf(info)] == nil {
		if found, err = f.compare(handle, f.acked); found && err == nil {
			err = s.attach(f, handle, path, now)
		}
	}
	if !found || err != nil {
		_ = handle.Close() // it was only read
		return false, err
	}
	return true, nil
}

// whereIs looks for the file's inode among the neighbours of its path.
func (s *files) whereIs(f *file, all places) (string, error) {
	dir := filepath.Dir(f.path)
	if all[dir] == nil {
		l := &listing{paths: map[inode]string{}}
		var near []string
		near, l.err = s.neighbours(f.path)
		for _, path := range near {
			if info, err := os.Stat(path); err == nil {
				l.paths[inodeOf(info)] = path
			}
		}
		all[dir] = l
	}
	path := all[dir].paths[inode{f.dev, f.ino}]
	if path != "" {
		return path, nil
	}
	return "", all[dir].err
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
		beside, _ := s.neighbours(path) // the next look may see them
		for _, near := range beside {
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

// isRotated tells whether path is the rotated name of a file that is shipped.
func (s *files) isRotated(path string) bool {
	live := map[string]bool{}
	for _, f := range s.list {
		live[f.path] = true
	}
	return isRotatedOf(path, live) || s.matchesRotated(path)
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
