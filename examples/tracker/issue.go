package tracker

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// Issue is a thing to be done. Its state is also its column on the board.
type Issue struct {
	ID      int64     `json:"id"`
	Title   string    `json:"title"`
	Body    string    `json:"body"`
	State   string    `json:"state"`
	Author  string    `json:"author"`
	Created time.Time `json:"created"`
	Updated time.Time `json:"updated"`
}

// Comment is what someone said about an issue.
type Comment struct {
	ID      int64     `json:"id"`
	Issue   int64     `json:"issue"`
	Author  string    `json:"author"`
	Body    string    `json:"body"`
	Created time.Time `json:"created"`
}

// URL is the path of the issue's page.
func (i Issue) URL() string { return fmt.Sprintf("/issues/%d", i.ID) }

// issueStates are the states an issue can be in, in the order of the board's columns.
var issueStates = [...]string{"open", "doing", "review", "done"}

const issueColumns = "id, title, body, state, author, created, updated"

func scanIssue(scan func(...any) error) (Issue, error) {
	var i Issue
	var created, updated int64
	err := scan(&i.ID, &i.Title, &i.Body, &i.State, &i.Author, &created, &updated)
	i.Created, i.Updated = fromMoment(created), fromMoment(updated)
	return i, err
}

func scanComment(scan func(...any) error) (Comment, error) {
	var c Comment
	var created int64
	err := scan(&c.ID, &c.Issue, &c.Author, &c.Body, &created)
	c.Created = fromMoment(created)
	return c, err
}

// Issues lists issues, newest first, of one state or (empty) of all, those with an id below before
// (0: from the newest).
func (s *Store) Issues(ctx context.Context, state string, before int64, limit int) ([]Issue, error) {
	return list(ctx, s.read, scanIssue, "SELECT "+issueColumns+` FROM issues
		WHERE (?1 = '' OR state = ?1) AND (?2 = 0 OR id < ?2) ORDER BY id DESC LIMIT ?3`, state, before, limit)
}

// Issue reads one issue.
func (s *Store) Issue(ctx context.Context, id int64) (Issue, error) {
	i, err := scanIssue(s.read.QueryRowContext(ctx, "SELECT "+issueColumns+" FROM issues WHERE id = ?", id).Scan)
	return i, found(err)
}

// Comments lists the newest comments of an issue, oldest first, and says how many older ones there are.
func (s *Store) Comments(ctx context.Context, issue int64, limit int) (comments []Comment, older int, err error) {
	comments, err = list(ctx, s.read, scanComment, `SELECT id, issue, author, body, created FROM comments
		WHERE issue = ? ORDER BY id DESC LIMIT ?`, issue, limit)
	if err != nil || len(comments) < limit {
		slices.Reverse(comments)
		return comments, 0, err
	}
	slices.Reverse(comments)
	err = s.read.QueryRowContext(ctx, "SELECT count(*) FROM comments WHERE issue = ? AND id < ?",
		issue, comments[0].ID).Scan(&older)
	return comments, older, err
}

// CommentsLike lists comments whose text begins with prefix, of all issues, those with an id above
// after, oldest first.
func (s *Store) CommentsLike(ctx context.Context, prefix string, after int64, limit int) ([]Comment, error) {
	return list(ctx, s.read, scanComment, `SELECT id, issue, author, body, created FROM comments
		WHERE id > ? AND substr(body, 1, length(?2)) = ?2 ORDER BY id LIMIT ?`, after, prefix, limit)
}

// NewIssue stores an issue and returns it.
func (s *Store) NewIssue(ctx context.Context, title, body, author string, now time.Time) (Issue, error) {
	i := Issue{Title: title, Body: body, State: issueStates[0], Author: author}
	err := s.change(ctx, func(tx *sql.Tx) (err error) {
		i, err = insertIssue(ctx, tx, i, now)
		return err
	})
	return i, err
}

func insertIssue(ctx context.Context, tx *sql.Tx, i Issue, now time.Time) (Issue, error) {
	i.Created = fromMoment(moment(now))
	i.Updated = i.Created
	err := tx.QueryRowContext(ctx, `INSERT INTO issues (title, body, state, rank, author, created, updated)
		VALUES (?1, ?2, ?3, (SELECT coalesce(max(rank), 0) + 1 FROM issues WHERE state = ?3), ?4, ?5, ?5)
		RETURNING id`, i.Title, i.Body, i.State, i.Author, moment(now)).Scan(&i.ID)
	if err != nil {
		return i, err
	}
	if err := index(ctx, tx, textIssue, i.ID, i.Title, i.Body, i.URL()); err != nil {
		return i, err
	}
	return i, publish(ctx, tx, Event{Kind: "issue.created", URL: i.URL(), Title: i.Title, User: i.Author, Created: i.Created})
}

// NewComment adds a comment to an issue.
func (s *Store) NewComment(ctx context.Context, issue int64, author, body string, now time.Time) (Issue, Comment, error) {
	c := Comment{Issue: issue, Author: author, Body: body, Created: fromMoment(moment(now))}
	var i Issue
	err := s.change(ctx, func(tx *sql.Tx) (err error) {
		i, err = touchIssue(ctx, tx, issue, now)
		if err != nil {
			return err
		}
		err = tx.QueryRowContext(ctx, "INSERT INTO comments (issue, author, body, created) VALUES (?, ?, ?, ?) RETURNING id",
			issue, author, body, moment(now)).Scan(&c.ID)
		if err != nil {
			return err
		}
		if err := index(ctx, tx, textComment, c.ID, i.Title, body, i.URL()); err != nil {
			return err
		}
		return publish(ctx, tx, Event{Kind: "issue.commented", URL: i.URL(), Title: i.Title, User: author, Created: c.Created})
	})
	return i, c, err
}

// SetState moves an issue to another state, to the top of its column on the board.
func (s *Store) SetState(ctx context.Context, issue int64, state, user string, now time.Time) (Issue, error) {
	if !slices.Contains(issueStates[:], state) {
		return Issue{}, refusal{http.StatusBadRequest, fmt.Sprintf("there is no state %q", state)}
	}
	var i Issue
	err := s.change(ctx, func(tx *sql.Tx) (err error) {
		_, err = tx.ExecContext(ctx, `UPDATE issues SET state = ?1,
			rank = (SELECT coalesce(max(rank), 0) + 1 FROM issues WHERE state = ?1) WHERE id = ?2`, state, issue)
		if err != nil {
			return err
		}
		if i, err = touchIssue(ctx, tx, issue, now); err != nil {
			return err
		}
		return publish(ctx, tx, Event{Kind: "issue." + state, URL: i.URL(), Title: i.Title, User: user, Created: i.Updated})
	})
	return i, err
}

func touchIssue(ctx context.Context, tx *sql.Tx, issue int64, now time.Time) (Issue, error) {
	i, err := scanIssue(tx.QueryRowContext(ctx, "UPDATE issues SET updated = ? WHERE id = ? RETURNING "+issueColumns,
		moment(now), issue).Scan)
	return i, found(err)
}
