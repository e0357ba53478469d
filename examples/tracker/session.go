package tracker

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode"
)

// SessionCookie is the name of the cookie that carries a session.
const SessionCookie = "SESSION"

const sessionAge = 30 * 24 * time.Hour

// userKey is the context key of the name of the logged-in user.
type userKey struct{}

// userOf is the name of the request's user, or empty.
func userOf(ctx context.Context) string {
	name, _ := ctx.Value(userKey{}).(string)
	return name
}

// NewSession begins a session of the named user; the token is the cookie's value. Only a hash of it is
// stored, so that who reads the database cannot take a session over.
func (s *Store) NewSession(ctx context.Context, user string, now time.Time) (token string, err error) {
	token = rand.Text()
	hash := sha256.Sum256([]byte(token))
	_, err = s.write.ExecContext(ctx, "INSERT INTO sessions (token, user, created) VALUES (?, ?, ?)",
		hash[:], user, moment(now))
	return token, err
}

// SessionUser is whose session the token is of.
func (s *Store) SessionUser(ctx context.Context, token string, now time.Time) (string, error) {
	hash := sha256.Sum256([]byte(token))
	var user string
	err := s.read.QueryRowContext(ctx, "SELECT user FROM sessions WHERE token = ? AND created > ?",
		hash[:], moment(now.Add(-sessionAge))).Scan(&user)
	return user, found(err)
}

// EndSession forgets the token.
func (s *Store) EndSession(ctx context.Context, token string) error {
	hash := sha256.Sum256([]byte(token))
	_, err := s.write.ExecContext(ctx, "DELETE FROM sessions WHERE token = ?", hash[:])
	return err
}

// identify finds the user of a request by its cookie. A session that cannot be looked up is an error
// and not an anonymous user: a page without its user is what a user calls "logged out for no reason".
func (s *Server) identify(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		cookie, err := r.Cookie(SessionCookie)
		if err != nil {
			next.ServeHTTP(w, r)
			return
		}
		user, err := s.store.SessionUser(r.Context(), cookie.Value, time.Now())
		if err != nil && !errors.Is(err, errNotFound) {
			s.fail(w, r, fmt.Errorf("session: %w", err))
			return
		}
		if user != "" {
			w.Header().Set(HeaderUser, user)
			r = r.WithContext(context.WithValue(r.Context(), userKey{}, user))
		}
		next.ServeHTTP(w, r)
	})
}

// loggedIn lets only users with a session through; others are sent to log in, or refused when they
// are programs or write.
func (s *Server) loggedIn(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if userOf(r.Context()) != "" {
			next(w, r)
			return
		}
		if r.Method == http.MethodGet && !wantsJSON(r) {
			http.Redirect(w, r, "/login", http.StatusSeeOther)
			return
		}
		s.fail(w, r, refusal{http.StatusUnauthorized, "log in first"})
	}
}

func (s *Server) loginPage(w http.ResponseWriter, r *http.Request) {
	s.render(w, r, "login", "Log in", nil)
}

func (s *Server) login(w http.ResponseWriter, r *http.Request) {
	name, err := userName(r.FormValue("name"))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	token, err := s.store.NewSession(r.Context(), name, time.Now())
	if err != nil {
		s.fail(w, r, fmt.Errorf("new session: %w", err))
		return
	}
	http.SetCookie(w, &http.Cookie{
		Name: SessionCookie, Value: token, Path: "/", MaxAge: int(sessionAge / time.Second),
		HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
	w.Header().Set(HeaderUser, name)
	s.audit.write(name, "session.begin", "/login", "")
	http.Redirect(w, r, "/board", http.StatusSeeOther)
}

func (s *Server) logout(w http.ResponseWriter, r *http.Request) {
	if cookie, err := r.Cookie(SessionCookie); err == nil {
		if err := s.store.EndSession(r.Context(), cookie.Value); err != nil {
			s.fail(w, r, fmt.Errorf("end session: %w", err))
			return
		}
	}
	http.SetCookie(w, &http.Cookie{Name: SessionCookie, Path: "/", MaxAge: -1})
	s.audit.write(userOf(r.Context()), "session.end", "/logout", "")
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

// userName checks a name: it goes into headers, mail addresses and logs.
func userName(text string) (string, error) {
	name := strings.TrimSpace(text)
	if name == "" || len(name) > 40 {
		return "", refusal{http.StatusBadRequest, "a name has 1 to 40 bytes"}
	}
	for _, r := range name {
		if r > unicode.MaxASCII || (!unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_.", r)) {
			return "", refusal{http.StatusBadRequest, "a name has letters a-z, digits, and - _ . only"}
		}
	}
	return name, nil
}
