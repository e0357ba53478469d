package tracker

import (
	"context"
	"net/http"
)

// Column is one column of the board: the issues of one state.
type Column struct {
	State    string  `json:"state"`
	Previous string  `json:"-"`
	Next     string  `json:"-"`
	Cards    []Issue `json:"cards"`
	Total    int     `json:"total"`
}

// cardsShown bounds a column; a board with more cards than this is no board any more.
const cardsShown = 20

// Board reads the columns, each with its first cards and how many there are in all.
func (s *Store) Board(ctx context.Context) ([]Column, error) {
	columns := make([]Column, len(issueStates))
	for i, state := range issueStates {
		c := &columns[i]
		c.State = state
		if i > 0 {
			c.Previous = issueStates[i-1]
		}
		if i+1 < len(issueStates) {
			c.Next = issueStates[i+1]
		}
		var err error
		c.Cards, err = list(ctx, s.read, scanIssue, "SELECT "+issueColumns+` FROM issues
			WHERE state = ? ORDER BY rank DESC, id LIMIT ?`, state, cardsShown)
		if err != nil {
			return nil, err
		}
		err = s.read.QueryRowContext(ctx, "SELECT count(*) FROM issues WHERE state = ?", state).Scan(&c.Total)
		if err != nil {
			return nil, err
		}
	}
	return columns, nil
}

func (s *Server) boardPage(w http.ResponseWriter, r *http.Request) {
	columns, err := s.store.Board(r.Context())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.render(w, r, "board", "Board", columns)
}

// moveCard moves a card to another column.
func (s *Server) moveCard(w http.ResponseWriter, r *http.Request) {
	s.moveIssue(w, r, r.FormValue("column"), "/board")
}
