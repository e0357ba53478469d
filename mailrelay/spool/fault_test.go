package spool

import (
	"sync"
	"sync/atomic"
	"syscall"
)

// faulty is a disk that can be told to fail.
type faulty struct {
	Disk
	mu    sync.Mutex
	room  int64 // bytes that may still be written; below zero: no limit
	sync  error // what Sync returns
	syncs int

	writes atomic.Int64 // calls of WriteAt, those that wait for mu too
}

type faultyFile struct {
	File
	disk *faulty
}

func (d *faulty) set(room int64, sync error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.room, d.sync = room, sync
}

func (d *faulty) Create(name string) (File, error) {
	f, err := d.Disk.Create(name)
	return &faultyFile{f, d}, err
}

// WriteAt writes what there is room for, as a full disk does.
func (f *faultyFile) WriteAt(b []byte, off int64) (int, error) {
	f.disk.writes.Add(1)
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if f.disk.room < 0 || int64(len(b)) <= f.disk.room {
		if f.disk.room > 0 {
			f.disk.room -= int64(len(b))
		}
		return f.File.WriteAt(b, off)
	}
	n, _ := f.File.WriteAt(b[:f.disk.room], off)
	f.disk.room = 0
	return n, syscall.ENOSPC
}

func (f *faultyFile) Sync() error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	f.disk.syncs++
	if f.disk.sync != nil {
		return f.disk.sync
	}
	return f.File.Sync()
}
