package tracker

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"time"

	_ "modernc.org/sqlite" // the driver named sqlite
)

//go:embed schema.sql
var schema string

// schemaVersion is kept in the database's user_version: a build refuses a database of another one.
const schemaVersion = 1

// Store is the data that all copies share. It is safe for several goroutines and several processes:
// readers never wait, writers wait for one another. What a method has written when it returns survives
// the death of the process; after a crash of the machine the newest changes may be missing, but what
// is there is consistent.
type Store struct {
	read  *sql.DB
	write *sql.DB
	files string // directory of the uploaded files
}

// errNotFound says that the thing asked for is not there.
var errNotFound = errors.New("not found")

// readers is how many statements one copy reads with at a time: more than this only makes them wait
// for the processor instead of for a connection.
const readers = 8

// OpenStore opens the data directory, and makes it and its first pages when it is new.
func OpenStore(ctx context.Context, dir string) (*Store, error) {
	s := &Store{files: filepath.Join(dir, "files")}
	if err := os.MkdirAll(s.files, 0o750); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	unlock, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	defer unlock()
	path := filepath.Join(dir, "tracker.db")
	if s.write, err = openDatabase(path, "immediate", ""); err != nil {
		return nil, err
	}
	s.write.SetMaxOpenConns(1)
	if err := s.migrate(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), s.write.Close())
	}
	if s.read, err = openDatabase(path, "deferred", "query_only(1)"); err != nil {
		return nil, errors.Join(err, s.write.Close())
	}
	s.read.SetMaxOpenConns(readers)
	s.read.SetMaxIdleConns(readers)
	return s, nil
}

// Close ends the use of the store.
func (s *Store) Close() error {
	return errors.Join(s.read.Close(), s.write.Close())
}

// lockDir keeps other processes out while a database is made: turning write-ahead logging on does not
// wait for others as ordinary statements do.
func lockDir(dir string) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(dir, "open.lock"), os.O_CREATE|os.O_RDWR, 0o640)
	if err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", f.Name(), err), f.Close())
	}
	return func() { _ = f.Close() }, nil // closing lets go of the lock
}

func openDatabase(path, lock, pragma string) (*sql.DB, error) {
	options := url.Values{"_txlock": {lock}, "_pragma": {
		"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(NORMAL)", "foreign_keys(1)",
	}}
	if pragma != "" {
		options.Add("_pragma", pragma)
	}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: options.Encode()}).String())
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return db, nil
}

func (s *Store) migrate(ctx context.Context) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		var version int
		if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
			return err
		}
		switch version {
		case schemaVersion:
			return nil
		case 0:
		default:
			return fmt.Errorf("the database has schema %d, this build knows %d", version, schemaVersion)
		}
		if _, err := tx.ExecContext(ctx, schema); err != nil {
			return fmt.Errorf("schema: %w", err)
		}
		if err := seed(ctx, tx); err != nil {
			return fmt.Errorf("first pages: %w", err)
		}
		_, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", schemaVersion))
		return err
	})
}

// change runs f in a transaction that is the only writing one of all processes.
func (s *Store) change(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		return errors.Join(err, ignoreDone(tx.Rollback()))
	}
	return tx.Commit()
}

// ignoreDone drops the error of rolling back what the end of a context has rolled back already.
func ignoreDone(err error) error {
	if errors.Is(err, sql.ErrTxDone) {
		return nil
	}
	return err
}

// found turns the driver's word for an empty result into ours.
func found(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return errNotFound
	}
	return err
}

// list runs a query and makes one value of each row.
func list[T any](ctx context.Context, db *sql.DB, row func(scan func(...any) error) (T, error), query string, args ...any) ([]T, error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := []T{} // an empty list is [] in JSON, and not null
	for rows.Next() {
		one, err := row(rows.Scan)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}

// Counts says how much there is of everything; tests add it up.
type Counts struct {
	Issues    int64 `json:"issues"`
	Comments  int64 `json:"comments"`
	Pages     int64 `json:"pages"`
	Revisions int64 `json:"revisions"`
	Files     int64 `json:"files"`
	FileBytes int64 `json:"fileBytes"`
	Sessions  int64 `json:"sessions"`
	Events    int64 `json:"events"` // ever, not only those still kept
}

// Counts reads all counts at one moment.
func (s *Store) Counts(ctx context.Context) (Counts, error) {
	var c Counts
	err := s.read.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM issues), (SELECT count(*) FROM comments),
		(SELECT count(*) FROM pages), (SELECT count(*) FROM revisions), (SELECT count(*) FROM files),
		(SELECT coalesce(sum(size), 0) FROM files), (SELECT count(*) FROM sessions),
		(SELECT coalesce(max(id), 0) FROM events)`).
		Scan(&c.Issues, &c.Comments, &c.Pages, &c.Revisions, &c.Files, &c.FileBytes, &c.Sessions, &c.Events)
	return c, err
}

// moment is how times are stored: milliseconds since 1970.
func moment(t time.Time) int64 { return t.UnixMilli() }

func fromMoment(ms int64) time.Time { return time.UnixMilli(ms).UTC() }
