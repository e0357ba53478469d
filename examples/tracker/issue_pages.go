package tracker

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	issuesShown   = 25
	commentsShown = 50
	maxTitle      = 200
	maxText       = 256 << 10
)

func (s *Server) issueList(w http.ResponseWriter, r *http.Request) {
	state := r.FormValue("state")
	before, _ := strconv.ParseInt(r.FormValue("before"), 10, 64) // nonsense means from the newest
	issues, err := s.store.Issues(r.Context(), state, before, issuesShown)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	var next int64
	if len(issues) == issuesShown {
		next = issues[len(issues)-1].ID
	}
	s.render(w, r, "issues", "Issues", map[string]any{
		"Issues": issues, "State": state, "States": issueStates, "Next": next,
	})
}

func (s *Server) issueForm(w http.ResponseWriter, r *http.Request) {
	s.render(w, r, "issue_new", "New issue", nil)
}

func (s *Server) issuePage(w http.ResponseWriter, r *http.Request) {
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
	s.render(w, r, "issue", issue.Title, map[string]any{
		"Issue": issue, "Comments": comments, "Older": older, "States": issueStates,
	})
}

func (s *Server) createIssue(w http.ResponseWriter, r *http.Request) {
	title, body, err := issueText(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	user := userOf(r.Context())
	issue, err := s.store.NewIssue(r.Context(), title, body, user, time.Now())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.written(user, "issue.create", issue.URL(), title)
	s.mailAbout(issue, user, "created this issue", body)
	w.Header().Set("Location", issue.URL())
	if wantsJSON(r) {
		s.sendJSON(w, r, http.StatusCreated, issue)
		return
	}
	w.WriteHeader(http.StatusSeeOther)
}

// issueText reads title and body from a form.
func issueText(r *http.Request) (title, body string, err error) {
	title, body = strings.TrimSpace(r.FormValue("title")), r.FormValue("body")
	if title == "" || len(title) > maxTitle || strings.ContainsAny(title, "\r\n\x00") {
		return "", "", refusal{http.StatusBadRequest, "a title is one line of 1 to 200 bytes"}
	}
	if len(body) > maxText {
		return "", "", refusal{http.StatusRequestEntityTooLarge, "the text is longer than 256 KiB"}
	}
	return title, body, nil
}

func (s *Server) createComment(w http.ResponseWriter, r *http.Request) {
	id, err := idOf(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	body := strings.TrimSpace(r.FormValue("body"))
	if body == "" || len(body) > maxText {
		s.fail(w, r, refusal{http.StatusBadRequest, "a comment has 1 byte to 256 KiB"})
		return
	}
	user := userOf(r.Context())
	issue, comment, err := s.store.NewComment(r.Context(), id, user, body, time.Now())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.written(user, "issue.comment", issue.URL(), strconv.FormatInt(comment.ID, 10))
	s.mailAbout(issue, user, "commented", body)
	w.Header().Set("Location", issue.URL())
	if wantsJSON(r) {
		s.sendJSON(w, r, http.StatusCreated, comment)
		return
	}
	w.WriteHeader(http.StatusSeeOther)
}

func (s *Server) changeState(w http.ResponseWriter, r *http.Request) {
	s.moveIssue(w, r, r.FormValue("state"), "/issues/"+r.PathValue("id"))
}

func (s *Server) moveIssue(w http.ResponseWriter, r *http.Request, state, next string) {
	id, err := idOf(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	user := userOf(r.Context())
	issue, err := s.store.SetState(r.Context(), id, state, user, time.Now())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.written(user, "issue.state", issue.URL(), state)
	s.mailAbout(issue, user, "moved this issue to "+state, "")
	w.Header().Set("Location", next)
	w.WriteHeader(http.StatusSeeOther)
}

// idOf is the number in the request's path.
func idOf(r *http.Request) (int64, error) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil || id < 1 {
		return 0, errNotFound
	}
	return id, nil
}
