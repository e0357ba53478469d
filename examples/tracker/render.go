package tracker

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"
)

//go:embed pages
var pageFiles embed.FS

func loadPages() (map[string]*template.Template, error) {
	layout, err := template.ParseFS(pageFiles, "pages/layout.html")
	if err != nil {
		return nil, err
	}
	entries, err := pageFiles.ReadDir("pages")
	if err != nil {
		return nil, err
	}
	pages := make(map[string]*template.Template, len(entries))
	for _, e := range entries {
		if e.Name() == "layout.html" {
			continue
		}
		page, err := layout.Clone()
		if err == nil {
			page, err = page.ParseFS(pageFiles, "pages/"+e.Name())
		}
		if err != nil {
			return nil, fmt.Errorf("page %s: %w", e.Name(), err)
		}
		pages[strings.TrimSuffix(e.Name(), ".html")] = page
	}
	return pages, nil
}

// view is what the layout shows around a page's content.
type view struct {
	Title, User, Path string
	Content           any
	begun             time.Time
}

// Took is how long the page has been in the making: the one thing in a page that differs each time.
func (v view) Took() time.Duration { return time.Since(v.begun).Round(10 * time.Microsecond) }

func (s *Server) render(w http.ResponseWriter, r *http.Request, page, title string, content any) {
	s.renderStatus(w, r, http.StatusOK, page, title, content)
}

// renderStatus makes the whole page before it sends the first byte, so that a page is whole or an error.
func (s *Server) renderStatus(w http.ResponseWriter, r *http.Request, status int, page, title string, content any) {
	v := view{Title: title, User: userOf(r.Context()), Path: r.URL.Path, Content: content, begun: time.Now()}
	var out bytes.Buffer
	if err := s.pages[page].ExecuteTemplate(&out, "layout", v); err != nil {
		s.log.Error("page", "page", page, "error", err)
		http.Error(w, "this page is broken", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "private, no-cache")
	w.Header().Set("Content-Length", strconv.Itoa(out.Len()))
	w.WriteHeader(status)
	_, _ = out.WriteTo(w) // an error here is a client that has gone
}

// refusal is an error that is the client's, with the status that says so.
type refusal struct {
	status int
	reason string
}

func (e refusal) Error() string { return e.reason }

// fail answers a request that cannot be done.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	status, words := http.StatusInternalServerError, "Something went wrong here. It has been logged."
	var known refusal
	switch {
	case errors.As(err, &known):
		status, words = known.status, known.reason
	case errors.Is(err, errNotFound):
		status, words = http.StatusNotFound, "There is no such page."
	case errors.Is(r.Context().Err(), context.Canceled):
		return // nobody is left to read an answer
	default:
		s.log.Error("request", "method", r.Method, "path", r.URL.Path, "error", err)
	}
	if wantsJSON(r) {
		s.sendJSON(w, r, status, map[string]string{"error": words})
		return
	}
	s.renderStatus(w, r, status, "error", http.StatusText(status), words)
}
