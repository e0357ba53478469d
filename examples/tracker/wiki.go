package tracker

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// Revision is one state of a wiki page.
type Revision struct {
	Page    string    `json:"page"`
	Number  int       `json:"number"`
	Body    string    `json:"body"`
	Author  string    `json:"author"`
	Created time.Time `json:"created"`
}

// URL is the path of the page.
func (v Revision) URL() string { return "/wiki/" + v.Page }

// errConflict says that the page has changed since it was read.
var errConflict = errors.New("the page has changed since it was read")

func scanRevision(scan func(...any) error) (Revision, error) {
	var v Revision
	var created int64
	err := scan(&v.Page, &v.Number, &v.Body, &v.Author, &created)
	v.Created = fromMoment(created)
	return v, err
}

const selectRevision = `SELECT name, number, body, author, created FROM pages
	JOIN revisions ON revisions.page = pages.id `

// Pages lists the newest revision of each page by name, without their text.
func (s *Store) Pages(ctx context.Context, limit int) ([]Revision, error) {
	return list(ctx, s.read, scanRevision, `SELECT name, number, '', author, created FROM pages
		JOIN revisions ON revisions.page = pages.id AND number = revision ORDER BY name LIMIT ?`, limit)
}

// Page reads the newest revision of a page.
func (s *Store) Page(ctx context.Context, name string) (Revision, error) {
	v, err := scanRevision(s.read.QueryRowContext(ctx, selectRevision+"AND number = revision WHERE name = ?", name).Scan)
	return v, found(err)
}

// PageAt reads one revision of a page.
func (s *Store) PageAt(ctx context.Context, name string, number int) (Revision, error) {
	v, err := scanRevision(s.read.QueryRowContext(ctx, selectRevision+"WHERE name = ? AND number = ?", name, number).Scan)
	return v, found(err)
}

// History lists the revisions of a page, newest first, without their text.
func (s *Store) History(ctx context.Context, name string, limit int) ([]Revision, error) {
	return list(ctx, s.read, scanRevision, `SELECT name, number, '', author, created FROM pages
		JOIN revisions ON revisions.page = pages.id WHERE name = ? ORDER BY number DESC LIMIT ?`, name, limit)
}

// anyRevision as the base of an edit means that whatever is there is replaced.
const anyRevision = -1

// Edit stores a new revision of a page when its newest one is still base; 0 means that the page does
// not exist yet. Otherwise the error is errConflict.
func (s *Store) Edit(ctx context.Context, name string, base int, body, author string, now time.Time) (Revision, error) {
	v := Revision{Page: name, Body: body, Author: author, Created: fromMoment(moment(now))}
	err := s.change(ctx, func(tx *sql.Tx) (err error) {
		v, err = insertRevision(ctx, tx, v, base)
		return err
	})
	return v, err
}

func insertRevision(ctx context.Context, tx *sql.Tx, v Revision, base int) (Revision, error) {
	var page int64
	var newest int
	err := tx.QueryRowContext(ctx, "SELECT id, revision FROM pages WHERE name = ?", v.Page).Scan(&page, &newest)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return v, err
	}
	if base != anyRevision && base != newest {
		return v, errConflict
	}
	v.Number = newest + 1
	if newest == 0 {
		err = tx.QueryRowContext(ctx, "INSERT INTO pages (name, revision) VALUES (?, 1) RETURNING id", v.Page).Scan(&page)
	} else {
		_, err = tx.ExecContext(ctx, "UPDATE pages SET revision = ? WHERE id = ?", v.Number, page)
	}
	if err != nil {
		return v, err
	}
	_, err = tx.ExecContext(ctx, "INSERT INTO revisions (page, number, body, author, created) VALUES (?, ?, ?, ?, ?)",
		page, v.Number, v.Body, v.Author, moment(v.Created))
	if err != nil {
		return v, err
	}
	if err := index(ctx, tx, textPage, page, v.Page, v.Body, v.URL()); err != nil {
		return v, err
	}
	return v, publish(ctx, tx, Event{Kind: "wiki.edited", URL: v.URL(), Title: v.Page, User: v.Author, Created: v.Created})
}
