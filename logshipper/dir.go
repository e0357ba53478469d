package logshipper

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"yadokari/durable"
)

const (
	mostOpen  = 128 // copies that are open at once
	mostSyncs = 16  // more dirty files than these are synced by syncing the file system
)

// dirSink keeps a copy of every file below a directory. A mark says where in the copy its bytes go, so
// that a second delivery overwrites the first.
type dirSink struct {
	dir    string
	open   map[string]*dirCopy
	order  []string // ids, the longest open first
	closed int      // copies that were closed before they were synced
	fresh  bool     // names were made since the last sync
}

type dirCopy struct {
	file  *os.File
	shift int64 // from a mark's out to the place in the copy: not 0 if the copy was moved away meanwhile
	dirty bool
}

func openDir(root, cluster, host string) (*dirSink, error) {
	dir := filepath.Join(root, pathPart(cluster), pathPart(host))
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("dir: %w", err)
	}
	for at := dir; at != filepath.Dir(root); at = filepath.Dir(at) {
		if err := durable.SyncDir(filepath.Dir(at)); err != nil {
			return nil, fmt.Errorf("dir: %w", err)
		}
	}
	return &dirSink{dir: dir, open: map[string]*dirCopy{}}, nil
}

func (s *dirSink) deliver(_ context.Context, b *batch) (progress bool, err error) {
	for _, part := range b.parts {
		c, err := s.copyOf(part.file, part.from.out)
		if err != nil {
			return false, fmt.Errorf("dir: %w", err)
		}
		c.dirty = true
		if _, err := c.file.WriteAt(b.buffer[part.begin:part.end], part.from.out+c.shift); err != nil {
			return false, fmt.Errorf("dir: %w", err)
		}
	}
	return true, nil
}

// copyOf opens the copy of f, which is to go on at out.
func (s *dirSink) copyOf(f *file, out int64) (*dirCopy, error) {
	if c := s.open[f.id]; c != nil {
		return c, nil
	}
	if len(s.open) >= mostOpen {
		if err := s.closeOldest(); err != nil {
			return nil, err
		}
	}
	file, err := os.OpenFile(filepath.Join(s.dir, f.copyName()), os.O_CREATE|os.O_WRONLY, 0o640)
	if err != nil {
		return nil, err
	}
	size, err := file.Seek(0, 2)
	if err == nil && size > out {
		err = file.Truncate(out) // what was not acknowledged comes again now
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	c := &dirCopy{file: file, shift: min(0, size-out)}
	s.open[f.id] = c
	s.order = append(s.order, f.id)
	s.fresh = true
	return c, nil
}

// copyName is another one for the rest in a leftover: who shipped the file before may be writing to its copy.
func (f *file) copyName() string {
	name := fmt.Sprintf("%s.%s.%s", filepath.Base(f.name), f.born.UTC().Format("20060102T150405Z"), f.id)
	if f.rest {
		name += fmt.Sprintf("-%d", f.base)
	}
	return name
}

func (s *dirSink) closeOldest() error {
	id := s.order[0]
	c := s.open[id]
	s.order = s.order[1:]
	delete(s.open, id)
	if c.dirty {
		s.closed++
	}
	return c.file.Close()
}

func (s *dirSink) lazy() bool { return true }

func (s *dirSink) sync() error {
	err := s.syncAll()
	if err != nil { // what is written again must not be taken for what is there
		err = errors.Join(err, s.close())
		s.open, s.order = map[string]*dirCopy{}, nil
		return fmt.Errorf("dir: %w", err)
	}
	return nil
}

func (s *dirSink) syncAll() error {
	dirty := s.closed
	for _, c := range s.open {
		if c.dirty {
			dirty++
		}
	}
	if s.closed > 0 || dirty > mostSyncs {
		return s.syncFileSystem()
	}
	for _, c := range s.open {
		if c.dirty {
			if err := unix.Fdatasync(int(c.file.Fd())); err != nil {
				return err
			}
			c.dirty = false
		}
	}
	if s.fresh {
		if err := durable.SyncDir(s.dir); err != nil {
			return err
		}
		s.fresh = false
	}
	return nil
}

func (s *dirSink) syncFileSystem() error {
	d, err := os.Open(s.dir)
	if err != nil {
		return err
	}
	if err := errors.Join(unix.Syncfs(int(d.Fd())), d.Close()); err != nil {
		return err
	}
	for _, c := range s.open {
		c.dirty = false
	}
	s.closed, s.fresh = 0, false
	return nil
}

func (s *dirSink) close() error {
	var errs []error
	for _, c := range s.open {
		errs = append(errs, c.file.Close())
	}
	return errors.Join(errs...)
}
