package tracker

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// File is an uploaded file.
type File struct {
	ID      int64     `json:"id"`
	Name    string    `json:"name"`
	Type    string    `json:"type"`
	Size    int64     `json:"size"`
	SHA256  string    `json:"sha256"`
	Author  string    `json:"author"`
	Created time.Time `json:"created"`
}

// URL is the path the file is downloaded from.
func (f File) URL() string { return fmt.Sprintf("/files/%d", f.ID) }

const fileColumns = "id, name, type, size, sha256, author, created"

func scanFile(scan func(...any) error) (File, error) {
	var f File
	var created int64
	err := scan(&f.ID, &f.Name, &f.Type, &f.Size, &f.SHA256, &f.Author, &created)
	f.Created = fromMoment(created)
	return f, err
}

// Files lists files, newest first.
func (s *Store) Files(ctx context.Context, limit int) ([]File, error) {
	return list(ctx, s.read, scanFile, "SELECT "+fileColumns+" FROM files ORDER BY id DESC LIMIT ?", limit)
}

// OpenFile opens a file's content for reading.
func (s *Store) OpenFile(ctx context.Context, id int64) (File, *os.File, error) {
	f, err := scanFile(s.read.QueryRowContext(ctx, "SELECT "+fileColumns+" FROM files WHERE id = ?", id).Scan)
	if err != nil {
		return f, nil, found(err)
	}
	content, err := os.Open(s.filePath(id))
	return f, content, err
}

func (s *Store) filePath(id int64) string {
	return filepath.Join(s.files, strconv.FormatInt(id, 10))
}

// SaveFile stores what content brings, in constant memory. The content is on disk before the database
// knows of the file; after a crash there may be content nobody knows, never a file without its content.
func (s *Store) SaveFile(ctx context.Context, f File, content io.Reader, now time.Time) (File, error) {
	f.Created = fromMoment(moment(now))
	temporary, err := os.CreateTemp(s.files, "upload-*")
	if err != nil {
		return f, err
	}
	defer os.Remove(temporary.Name()) // gone already when all went well
	hash := sha256.New()
	f.Size, err = io.Copy(io.MultiWriter(temporary, hash), content)
	if err == nil {
		err = temporary.Sync()
	}
	if err = errors.Join(err, temporary.Close()); err != nil {
		return f, err
	}
	f.SHA256 = hex.EncodeToString(hash.Sum(nil))
	err = s.change(ctx, func(tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx, `INSERT INTO files (name, type, size, sha256, author, created)
			VALUES (?, ?, ?, ?, ?, ?) RETURNING id`, f.Name, f.Type, f.Size, f.SHA256, f.Author, moment(now)).Scan(&f.ID)
		if err != nil {
			return err
		}
		if err := os.Rename(temporary.Name(), s.filePath(f.ID)); err != nil {
			return err
		}
		return publish(ctx, tx, Event{Kind: "file.uploaded", URL: f.URL(), Title: f.Name, User: f.Author, Created: f.Created})
	})
	return f, err
}
