package tracker

import (
	"net/http"
)

const healthPath = "/healthz"

// routes maps every URL of the application to what answers it.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+healthPath, s.health)
	mux.HandleFunc("GET /static/{name}", s.static)
	mux.Handle("GET /{$}", http.RedirectHandler("/board", http.StatusSeeOther))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { s.fail(w, r, errNotFound) })

	mux.HandleFunc("GET /login", s.loginPage)
	mux.HandleFunc("POST /login", form(s.login))
	mux.HandleFunc("POST /logout", form(s.logout))

	mux.HandleFunc("GET /issues", s.issueList)
	mux.HandleFunc("GET /issues/new", s.loggedIn(s.issueForm))
	mux.HandleFunc("GET /issues/{id}", s.issuePage)
	mux.HandleFunc("POST /issues", s.loggedIn(form(s.createIssue)))
	mux.HandleFunc("POST /issues/{id}/comments", s.loggedIn(form(s.createComment)))
	mux.HandleFunc("POST /issues/{id}/state", s.loggedIn(form(s.changeState)))

	mux.HandleFunc("GET /board", s.boardPage)
	mux.HandleFunc("POST /board/{id}/move", s.loggedIn(form(s.moveCard)))

	mux.HandleFunc("GET /wiki/{$}", s.wikiIndex)
	mux.HandleFunc("GET /wiki/{page}", s.wikiPage)
	mux.HandleFunc("GET /wiki/{page}/edit", s.loggedIn(s.wikiForm))
	mux.HandleFunc("GET /wiki/{page}/history", s.wikiHistory)
	mux.HandleFunc("GET /wiki/{page}/history/{number}", s.wikiRevision)
	mux.HandleFunc("GET /wiki/{page}/raw", s.wikiRaw)
	mux.HandleFunc("PUT /wiki/{page}/raw", s.loggedIn(s.wikiPut))
	mux.HandleFunc("POST /wiki/{page}", s.loggedIn(form(s.wikiSave)))

	mux.HandleFunc("GET /files", s.filesPage)
	mux.HandleFunc("GET /files/{id}", s.download)
	mux.HandleFunc("POST /files", s.loggedIn(s.upload))

	mux.HandleFunc("GET /search", s.searchPage)
	mux.HandleFunc("GET /notify", s.notify)
	mux.HandleFunc("GET /events", s.eventStream)

	mux.HandleFunc("GET /api/issues", s.apiIssues)
	mux.HandleFunc("POST /api/issues", s.loggedIn(s.apiCreate))
	mux.HandleFunc("GET /api/issues/{id}", s.apiIssue)
	mux.HandleFunc("GET /api/comments", s.apiComments)
	mux.HandleFunc("GET /api/counts", s.apiCounts)
	return s.byRoute(mux)
}

// byRoute counts requests by the pattern that they matched.
func (s *Server) byRoute(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() { s.stats.route(r.Pattern) }()
		mux.ServeHTTP(w, r)
	})
}

// form bounds and reads a form before its handler runs, so that a body that was cut off is an error
// and not a form with fields missing.
func form(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxFormBytes)
		if err := r.ParseForm(); err != nil {
			http.Error(w, "the form cannot be read: "+err.Error(), http.StatusBadRequest)
			return
		}
		next(w, r)
	}
}

// health says whether this copy should get requests: it can reach its data and is not stopping.
func (s *Server) health(w http.ResponseWriter, r *http.Request) {
	if s.stopping.Load() {
		s.sendJSON(w, r, http.StatusServiceUnavailable, map[string]string{"build": s.config.Version, "status": "stopping"})
		return
	}
	if _, err := s.store.LastEvent(r.Context()); err != nil {
		s.log.Error("health", "error", err)
		s.sendJSON(w, r, http.StatusServiceUnavailable, map[string]string{"build": s.config.Version, "status": "no data"})
		return
	}
	s.sendJSON(w, r, http.StatusOK, map[string]string{"build": s.config.Version, "status": "ok"})
}
