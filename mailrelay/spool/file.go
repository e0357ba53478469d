package spool

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"yadokari/durable"
)

// FS is the file system below a spool. It is an interface so that tests can make it fail.
type FS interface {
	// MkdirAll makes a directory, and those above it, unless it exists. What it has made survives a crash.
	MkdirAll(dir string) error
	// Lock makes sure that one process at a time uses dir. The lock goes with the process.
	Lock(dir string) (io.Closer, error)
	// List is the names in a directory, in any order.
	List(dir string) ([]string, error)
	// Create makes a new file for reading and writing; it fails if the name is taken.
	Create(name string) (File, error)
	// Open opens a file for reading and writing.
	Open(name string) (File, error)
	// Remove takes a name away.
	Remove(name string) error
	// SyncDir makes the names of a directory survive a crash.
	SyncDir(dir string) error
}

// File is an open file of an FS.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	// Sync makes the content survive a crash.
	Sync() error
	// Truncate cuts the file to size bytes.
	Truncate(size int64) error
	// Size is the file's length in bytes.
	Size() (int64, error)
}

// Disk is the file system of the machine.
type Disk struct{}

var _ FS = Disk{}

// MkdirAll implements FS. Mail is nobody else's to read: the directory's mode is 0700.
func (d Disk) MkdirAll(dir string) error {
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	above := filepath.Dir(filepath.Clean(dir))
	if err := d.MkdirAll(above); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return d.SyncDir(above)
}

// List implements FS.
func (Disk) List(dir string) ([]string, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	names, err := d.Readdirnames(-1)
	return names, errors.Join(err, d.Close())
}

// Create implements FS. The file's mode is 0600.
func (Disk) Create(name string) (File, error) {
	return wrap(os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600))
}

// Open implements FS.
func (Disk) Open(name string) (File, error) { return wrap(os.OpenFile(name, os.O_RDWR, 0)) }

// Remove implements FS.
func (Disk) Remove(name string) error { return os.Remove(name) }

// SyncDir implements FS.
func (Disk) SyncDir(dir string) error { return durable.SyncDir(dir) }

type diskFile struct{ *os.File }

func wrap(f *os.File, err error) (File, error) {
	if err != nil {
		return nil, err
	}
	return diskFile{f}, nil
}

// Sync leaves out what reading back does not need, such as the time of the last change.
func (f diskFile) Sync() error {
	for {
		if err := syscall.Fdatasync(int(f.Fd())); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

func (f diskFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// Lock implements FS.
func (Disk) Lock(dir string) (io.Closer, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(errors.New("another process uses it"), err, f.Close())
	}
	return f, nil
}
