package logshipper

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// watcher tells pipes at once of names that appear in directories, so that a file is open before it is gone.
// It is inotify itself: fsnotify has no way to leave out the events of writing, of which every line is one.
type watcher struct {
	file *os.File

	mu    sync.Mutex
	names map[int32]map[string]bool // of directories, by watch: links can give one several
}

const (
	watched   = unix.IN_CREATE | unix.IN_MOVED_TO | unix.IN_ONLYDIR
	eventHead = unix.SizeofInotifyEvent
	mostFresh = 256 // files that appeared and wait, open, for their pipe; the next scan looks for others
)

func newWatcher() (*watcher, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("inotify: %w", err)
	}
	return &watcher{file: os.NewFile(uintptr(fd), "inotify"), names: map[int32]map[string]bool{}}, nil
}

// add watches a directory. It may be repeated, and must be when the directory may be another one by now.
func (w *watcher) add(dir string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	raw, err := w.file.SyscallConn()
	if err != nil {
		return fmt.Errorf("inotify: %w", err)
	}
	var watch int
	var failed error
	if err := raw.Control(func(fd uintptr) { watch, failed = unix.InotifyAddWatch(int(fd), dir, watched) }); err != nil {
		return fmt.Errorf("inotify: %w", err)
	}
	if failed != nil {
		return fmt.Errorf("inotify %s: %w", dir, failed)
	}
	if w.names[int32(watch)] == nil {
		w.names[int32(watch)] = map[string]bool{}
	}
	w.names[int32(watch)][dir] = true
	return nil
}

// tell calls back for every path that appears, and with an empty one when anything may have; until the watcher is
// closed.
func (w *watcher) tell(appeared func(path string)) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := w.file.Read(buffer)
		if err != nil {
			return // closed: the kernel gives no other error for a buffer of this size
		}
		for at := 0; at+eventHead <= n; {
			watch := int32(binary.NativeEndian.Uint32(buffer[at:]))
			mask := binary.NativeEndian.Uint32(buffer[at+4:])
			end := at + eventHead + int(binary.NativeEndian.Uint32(buffer[at+12:]))
			name := string(bytes.TrimRight(buffer[at+eventHead:end], "\x00"))
			for _, path := range w.paths(watch, mask, name) {
				appeared(path)
			}
			at = end
		}
	}
}

// paths are what an event is about.
func (w *watcher) paths(watch int32, mask uint32, name string) (all []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case mask&unix.IN_IGNORED != 0: // the directory is gone
		delete(w.names, watch)
		return nil
	case mask&(unix.IN_Q_OVERFLOW|unix.IN_ISDIR) != 0: // there may be files in a new directory already
		return []string{""}
	}
	for dir := range w.names[watch] {
		all = append(all, filepath.Join(dir, name))
	}
	return all
}

func (w *watcher) close() error { return w.file.Close() }

// fresh is a file that has just appeared, open, as it may be gone by now. Without a path it says that there may be some.
type fresh struct {
	path   string
	handle *os.File
}

// watchDirs sees to it that files are told of which appear where the pattern leads.
func (p *pipe) watchDirs() {
	if p.watcher == nil {
		return
	}
	var errs []error
	for pattern := filepath.Dir(p.config.Path); ; pattern = filepath.Dir(pattern) {
		dirs, _ := filepath.Glob(pattern) // the pattern is valid
		for _, dir := range dirs {
			if err := p.watcher.add(dir); !isGone(err) {
				errs = append(errs, err)
			}
		}
		if !strings.ContainsAny(pattern, `*?[\`) {
			break
		}
	}
	err := errors.Join(errs...)
	if err != nil && !p.unwatched {
		p.log.Warn("log files that live for less than a second may be missed", "error", err.Error())
	}
	p.unwatched = err != nil
}

// appeared opens the file at path for the pipe, if it is one of its own. It does not wait for the pipe.
func (p *pipe) appeared(path string) {
	f := fresh{path: path}
	if path != "" {
		if ours, _ := filepath.Match(p.config.Path, path); !ours { // the pattern is valid
			return
		}
		handle, err := openRegular(path)
		if err != nil {
			return // the next scan says so
		}
		f.handle = handle
	}
	select {
	case p.fresh <- f:
	default:
		f.close()
	}
}

func (f fresh) close() {
	if f.handle != nil {
		_ = f.handle.Close() // it was only read
	}
}

// turnAway closes what came too late.
func (p *pipe) turnAway() {
	for {
		select {
		case f := <-p.fresh:
			f.close()
		default:
			return
		}
	}
}
