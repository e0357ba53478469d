package tracker

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

const (
	apiIssuesMax   = 200
	apiCommentsMax = 10_000
)

// wantsJSON tells programs from people.
func wantsJSON(r *http.Request) bool {
	return strings.HasPrefix(r.URL.Path, "/api/") || strings.HasPrefix(r.Header.Get("Accept"), "application/json")
}

func (s *Server) sendJSON(w http.ResponseWriter, r *http.Request, status int, value any) {
	text, err := json.Marshal(value)
	if err != nil {
		s.fail(w, r, fmt.Errorf("encode: %w", err))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)+1))
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n')) // an error here is a client that has gone
}

// apiIssues answers GET /api/issues?state=&before=&limit=.
func (s *Server) apiIssues(w http.ResponseWriter, r *http.Request) {
	before, limit := int64(number(r, "before", 0)), number(r, "limit", issuesShown)
	issues, err := s.store.Issues(r.Context(), r.FormValue("state"), before, min(limit, apiIssuesMax))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.sendJSON(w, r, http.StatusOK, map[string]any{"issues": issues})
}

// apiIssue answers GET /api/issues/{id}.
func (s *Server) apiIssue(w http.ResponseWriter, r *http.Request) {
	id, err := idOf(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	issue, err := s.store.Issue(r.Context(), id)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	comments, older, err := s.store.Comments(r.Context(), id, commentsShown)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.sendJSON(w, r, http.StatusOK, map[string]any{"issue": issue, "comments": comments, "older": older})
}

// apiCreate answers POST /api/issues with the form's fields as a JSON object.
func (s *Server) apiCreate(w http.ResponseWriter, r *http.Request) {
	var in struct{ Title, Body string }
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxFormBytes))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&in); err != nil {
		s.fail(w, r, badBody(err))
		return
	}
	r.Form = map[string][]string{"title": {in.Title}, "body": {in.Body}}
	s.createIssue(w, r)
}

// apiComments answers GET /api/comments?prefix=&after=: comments by how their text begins, for who
// wants to know whether each of many was stored once.
func (s *Server) apiComments(w http.ResponseWriter, r *http.Request) {
	comments, err := s.store.CommentsLike(r.Context(), r.FormValue("prefix"), int64(number(r, "after", 0)), apiCommentsMax)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.sendJSON(w, r, http.StatusOK, map[string]any{"comments": comments})
}

// apiCounts answers GET /api/counts.
func (s *Server) apiCounts(w http.ResponseWriter, r *http.Request) {
	counts, err := s.store.Counts(r.Context())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.sendJSON(w, r, http.StatusOK, counts)
}

// number is a positive number in the query, or a default.
func number(r *http.Request, name string, otherwise int) int {
	n, err := strconv.Atoi(r.FormValue(name))
	if err != nil || n < 1 {
		return otherwise
	}
	return n
}

// badBody tells the client's mistakes in a body from our own failures.
func badBody(err error) error {
	var large *http.MaxBytesError
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	var known refusal
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &large):
		return refusal{http.StatusRequestEntityTooLarge, "the body is too large"}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF),
		errors.As(err, &syntax), errors.As(err, &kind), strings.HasPrefix(err.Error(), "json: unknown field"),
		strings.HasPrefix(err.Error(), "multipart: "):
		return refusal{http.StatusBadRequest, "the body cannot be read: " + err.Error()}
	}
	return err
}
