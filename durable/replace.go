// Package durable writes files that are whole after a crash: either the old content or the new.
package durable

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Replace makes data the content of the file at path, with the given permissions. The data is written
// to a temporary name in the same directory, fsynced and renamed, and the directory is fsynced; when
// Replace returns nil the content survives a crash of the machine. On an error the file at path is
// as it was, or, when only the last fsync of the directory failed, may be either.
func Replace(path string, data []byte, perm os.FileMode) (err error) {
	temporary, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new-*")
	if err != nil {
		return fmt.Errorf("replace %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("replace %s: %w", path, err)
			_ = os.Remove(temporary.Name()) // after the rename there is nothing to remove
		}
	}()
	if err := fill(temporary, data, perm); err != nil {
		return err
	}
	if err := os.Rename(temporary.Name(), path); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(path))
}

func fill(f *os.File, data []byte, perm os.FileMode) error {
	_, err := f.Write(data)
	if err == nil {
		err = f.Chmod(perm)
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// SyncDir makes the names in the directory survive a crash of the machine.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}
