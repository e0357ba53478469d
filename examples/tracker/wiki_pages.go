package tracker

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	pagesShown   = 500
	historyShown = 100
)

// pageNames are the names a wiki page can have; they need no escaping anywhere.
var pageNames = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$`)

func pageName(r *http.Request) (string, error) {
	name := r.PathValue("page")
	if !pageNames.MatchString(name) {
		return "", refusal{http.StatusNotFound, "a page's name has letters a-z, digits, and - _ . only"}
	}
	return name, nil
}

func (s *Server) wikiIndex(w http.ResponseWriter, r *http.Request) {
	pages, err := s.store.Pages(r.Context(), pagesShown)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.render(w, r, "wiki_index", "Wiki", pages)
}

func (s *Server) wikiPage(w http.ResponseWriter, r *http.Request) {
	name, err := pageName(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	page, err := s.store.Page(r.Context(), name)
	if errors.Is(err, errNotFound) {
		s.renderStatus(w, r, http.StatusNotFound, "wiki_missing", name, name)
		return
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.render(w, r, "wiki_page", name, map[string]any{"Page": page, "HTML": markup(page.Body), "Newest": true})
}

func (s *Server) wikiRevision(w http.ResponseWriter, r *http.Request) {
	name, err := pageName(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	number, err := strconv.Atoi(r.PathValue("number"))
	if err != nil {
		s.fail(w, r, errNotFound)
		return
	}
	page, err := s.store.PageAt(r.Context(), name, number)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.render(w, r, "wiki_page", name, map[string]any{"Page": page, "HTML": markup(page.Body), "Newest": false})
}

func (s *Server) wikiHistory(w http.ResponseWriter, r *http.Request) {
	name, err := pageName(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	revisions, err := s.store.History(r.Context(), name, historyShown)
	if err == nil && len(revisions) == 0 {
		err = errNotFound
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.render(w, r, "wiki_history", "History of "+name, revisions)
}

func (s *Server) wikiForm(w http.ResponseWriter, r *http.Request) {
	name, err := pageName(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	page, err := s.store.Page(r.Context(), name)
	if err != nil && !errors.Is(err, errNotFound) {
		s.fail(w, r, err)
		return
	}
	page.Page = name
	s.render(w, r, "wiki_edit", "Edit "+name, map[string]any{"Page": page})
}

// wikiSave stores what the form sent, when nobody else has in between.
func (s *Server) wikiSave(w http.ResponseWriter, r *http.Request) {
	name, err := pageName(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	base, err := strconv.Atoi(r.FormValue("base"))
	if err != nil || base < 0 {
		s.fail(w, r, refusal{http.StatusBadRequest, "the form lacks the revision it was made from"})
		return
	}
	body := strings.ReplaceAll(r.FormValue("body"), "\r\n", "\n")
	page, err := s.edit(r, name, base, body)
	if errors.Is(err, errConflict) {
		s.conflict(w, r, name, body)
		return
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	w.Header().Set("Location", page.URL())
	w.WriteHeader(http.StatusSeeOther)
}

// conflict shows both texts, so that nothing the user wrote is lost.
func (s *Server) conflict(w http.ResponseWriter, r *http.Request, name, mine string) {
	theirs, err := s.store.Page(r.Context(), name)
	if err != nil && !errors.Is(err, errNotFound) {
		s.fail(w, r, err)
		return
	}
	theirs.Page = name
	s.renderStatus(w, r, http.StatusConflict, "wiki_edit", "Edit "+name, map[string]any{"Page": theirs, "Mine": mine})
}

func (s *Server) edit(r *http.Request, name string, base int, body string) (Revision, error) {
	if len(body) > maxText {
		return Revision{}, refusal{http.StatusRequestEntityTooLarge, "the page is longer than 256 KiB"}
	}
	user := userOf(r.Context())
	page, err := s.store.Edit(r.Context(), name, base, body, user, time.Now())
	if err == nil {
		s.written(user, "wiki.edit", page.URL(), strconv.Itoa(page.Number))
	}
	return page, err
}

// wikiRaw answers a page's text as it was written, with the revision as its entity tag.
func (s *Server) wikiRaw(w http.ResponseWriter, r *http.Request) {
	name, err := pageName(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	page, err := s.store.Page(r.Context(), name)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("ETag", revisionTag(page.Number))
	w.Header().Set("Cache-Control", "private, no-cache")
	http.ServeContent(w, r, "", page.Created, strings.NewReader(page.Body))
}

// wikiPut replaces a page's text: the idempotent way to write. If-Match and If-None-Match: * make it
// conditional (RFC 9110, section 13.1).
func (s *Server) wikiPut(w http.ResponseWriter, r *http.Request) {
	name, err := pageName(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	base, err := putBase(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxText))
	if err != nil {
		s.fail(w, r, badBody(err))
		return
	}
	page, err := s.edit(r, name, base, string(body))
	if errors.Is(err, errConflict) {
		err = refusal{http.StatusPreconditionFailed, err.Error()}
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	w.Header().Set("ETag", revisionTag(page.Number))
	if page.Number == 1 {
		w.WriteHeader(http.StatusCreated)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func putBase(r *http.Request) (int, error) {
	if r.Header.Get("If-None-Match") == "*" {
		return 0, nil
	}
	tag := r.Header.Get("If-Match")
	if tag == "" || tag == "*" {
		return anyRevision, nil
	}
	number, err := strconv.Atoi(strings.Trim(tag, `"`))
	if err != nil || number < 1 {
		return 0, refusal{http.StatusPreconditionFailed, "If-Match names no revision of this page"}
	}
	return number, nil
}

func revisionTag(number int) string { return fmt.Sprintf(`"%d"`, number) }
