package spool

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
)

// memory is a file system in memory, for one spool at a time: nothing waits for a disk.
type memory struct {
	mu    sync.Mutex
	files map[string]*memoryFile
}

type memoryFile struct {
	mu  *sync.Mutex
	raw []byte
}

func newMemory() *memory { return &memory{files: map[string]*memoryFile{}} }

// put makes a file of the content; get is a file's content.
func (m *memory) put(name string, raw []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.files[name] = &memoryFile{&m.mu, append([]byte(nil), raw...)}
}

func (m *memory) get(name string) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	if f := m.files[name]; f != nil {
		return f.raw
	}
	return nil
}

func (m *memory) Create(name string) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.files[name] != nil {
		return nil, fmt.Errorf("%s: %w", name, os.ErrExist)
	}
	m.files[name] = &memoryFile{mu: &m.mu}
	return m.files[name], nil
}

func (m *memory) Open(name string) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if f := m.files[name]; f != nil {
		return f, nil
	}
	return nil, fmt.Errorf("%s: %w", name, os.ErrNotExist)
}

func (m *memory) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.files[name] == nil {
		return fmt.Errorf("%s: %w", name, os.ErrNotExist)
	}
	delete(m.files, name)
	return nil
}

func (m *memory) List(dir string) (names []string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name := range m.files {
		if filepath.Dir(name) == dir {
			names = append(names, filepath.Base(name))
		}
	}
	return names, nil
}

func (m *memory) MkdirAll(string) error          { return nil }
func (m *memory) SyncDir(string) error           { return nil }
func (m *memory) Lock(string) (io.Closer, error) { return io.NopCloser(nil), nil }

func (f *memoryFile) ReadAt(b []byte, off int64) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if off >= int64(len(f.raw)) {
		return 0, io.EOF
	}
	n := copy(b, f.raw[off:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memoryFile) WriteAt(b []byte, off int64) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if grow := off + int64(len(b)) - int64(len(f.raw)); grow > 0 {
		f.raw = append(f.raw, make([]byte, grow)...)
	}
	return copy(f.raw[off:], b), nil
}

func (f *memoryFile) Truncate(size int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.raw = f.raw[:size]
	return nil
}

func (f *memoryFile) Size() (int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return int64(len(f.raw)), nil
}

func (f *memoryFile) Sync() error  { return nil }
func (f *memoryFile) Close() error { return nil }
