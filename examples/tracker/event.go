package tracker

import (
	"context"
	"database/sql"
	"time"
)

// Event says that something changed. Events are stored with the change they tell of, so every copy
// sees the events of all copies, in one order and without a gap.
type Event struct {
	ID      int64     `json:"id"`
	Kind    string    `json:"kind"`
	URL     string    `json:"url"`
	Title   string    `json:"title"`
	User    string    `json:"user"`
	Created time.Time `json:"created"`
}

// eventsKept is how many events a subscriber may have missed and still catch up with.
const eventsKept = 10_000

// publish stores an event in the transaction of its change.
func publish(ctx context.Context, tx *sql.Tx, e Event) error {
	var id int64
	err := tx.QueryRowContext(ctx, "INSERT INTO events (kind, url, title, user, created) VALUES (?, ?, ?, ?, ?) RETURNING id",
		e.Kind, e.URL, e.Title, e.User, moment(e.Created)).Scan(&id)
	if err != nil || id%(eventsKept/10) != 0 {
		return err
	}
	_, err = tx.ExecContext(ctx, "DELETE FROM events WHERE id <= ?", id-eventsKept)
	return err
}

// Events lists the events after one, oldest first.
func (s *Store) Events(ctx context.Context, after int64, limit int) ([]Event, error) {
	return list(ctx, s.read, func(scan func(...any) error) (e Event, err error) {
		var created int64
		err = scan(&e.ID, &e.Kind, &e.URL, &e.Title, &e.User, &created)
		e.Created = fromMoment(created)
		return e, err
	}, "SELECT id, kind, url, title, user, created FROM events WHERE id > ? ORDER BY id LIMIT ?", after, limit)
}

// LastEvent is the number of the newest event.
func (s *Store) LastEvent(ctx context.Context) (int64, error) {
	var id int64
	err := s.read.QueryRowContext(ctx, "SELECT coalesce(max(id), 0) FROM events").Scan(&id)
	return id, err
}
