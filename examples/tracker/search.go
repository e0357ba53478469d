package tracker

import (
	"context"
	"database/sql"
	"net/http"
	"strings"
)

// textKind says what a searched text belongs to. Together with that thing's number it makes the row's
// number, so that the text is found again when it changes.
type textKind int64

const (
	textIssue textKind = iota
	textComment
	textPage
	textKinds
)

func (k textKind) String() string { return [...]string{"issue", "comment", "page"}[k] }

// Hit is one text that a search found.
type Hit struct {
	Kind  string `json:"kind"`
	URL   string `json:"url"`
	Title string `json:"title"`
	Text  string `json:"text"` // the part around the first word found
}

const (
	hitsShown   = 30
	searchWords = 8
)

// index puts a text into the search, in place of what it was before.
func index(ctx context.Context, tx *sql.Tx, kind textKind, id int64, title, body, url string) error {
	_, err := tx.ExecContext(ctx, "REPLACE INTO texts (rowid, title, body, url, kind) VALUES (?, ?, ?, ?, ?)",
		id*int64(textKinds)+int64(kind), title, body, url, kind.String())
	return err
}

// Search finds texts that contain words beginning with each of the query's words, newest first: an
// order that needs no look at every text, however common the words.
func (s *Store) Search(ctx context.Context, query string, limit int) ([]Hit, error) {
	match := matchOf(query)
	if match == "" {
		return []Hit{}, nil
	}
	return list(ctx, s.read, func(scan func(...any) error) (h Hit, err error) {
		err = scan(&h.Kind, &h.URL, &h.Title, &h.Text)
		return h, err
	}, `SELECT kind, url, title, snippet(texts, 1, '', '', '…', 16) FROM texts
		WHERE texts MATCH ? ORDER BY rowid DESC LIMIT ?`, match, limit)
}

// matchOf makes an FTS5 query that means the words alone: quoted, they have no operators.
func matchOf(query string) string {
	words := strings.Fields(strings.ReplaceAll(query, "\x00", " "))
	var quoted []string
	for _, word := range words[:min(len(words), searchWords)] {
		quoted = append(quoted, `"`+strings.ReplaceAll(word, `"`, `""`)+`"*`)
	}
	return strings.Join(quoted, " ")
}

func (s *Server) searchPage(w http.ResponseWriter, r *http.Request) {
	query := r.FormValue("q")
	if len(query) > maxTitle {
		s.fail(w, r, refusal{http.StatusBadRequest, "the query is longer than 200 bytes"})
		return
	}
	hits, err := s.store.Search(r.Context(), query, hitsShown)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if wantsJSON(r) {
		s.sendJSON(w, r, http.StatusOK, hits)
		return
	}
	s.render(w, r, "search", "Search", map[string]any{"Query": query, "Hits": hits})
}
