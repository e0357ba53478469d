package gateway

import (
	"net/http"
	"slices"
	"strings"

	"yadokari/gateway/upstream"
	"yadokari/judge"
)

// asked is what of a request its answer is classified by.
type asked struct {
	method string
	target string // in origin form
	host   string
	known  string // another name by which a listed peer calls the host; empty: none
}

// failedAnswer is that of a side that could not answer.
var failedAnswer = judge.Answer{Failed: true, First: -1, Last: -1, Size: -1}

// asked is the exchange's request.
func (x *exchange) asked() asked {
	q := asked{method: x.r.Method, target: x.request.Target, host: x.r.Host}
	if x.origin.trusted {
		q.known = firstOr(x.r.Header["X-Forwarded-Host"], "")
	}
	return q
}

// classOf is the class of an answer as far as its head tells.
func (q *asked) classOf(status int, h http.Header) judge.Class {
	switch {
	case status < 200:
		return 0
	case status < 300:
		if changes(q.method) {
			return judge.Form
		}
	case status < 400:
		if location := h["Location"]; status != http.StatusNotModified && len(location) > 0 {
			return judge.Redirect | q.redirect(location[0])
		}
	case status == http.StatusUnauthorized:
		return judge.Unauthorized
	case status == http.StatusForbidden:
		return judge.Forbidden
	case status == http.StatusNotFound, status == http.StatusGone:
		return judge.NotFound
	case status < 500:
		return judge.ClientError
	}
	return 0
}

// changes reports whether the method is one that changes something.
func changes(method string) bool {
	switch method {
	case http.MethodPut, http.MethodDelete:
		return true
	}
	return safetyOf(method) == unsafe
}

// redirect is where a redirect leads, as far as that is judged.
func (q *asked) redirect(location string) (class judge.Class) {
	host, path := cutURL(location)
	if host != "" && !sameHost(host, q.host) && (q.known == "" || !sameHost(host, q.known)) {
		class |= judge.OtherHost
	}
	_, own := cutURL(q.target)
	if looksLikeLogin(path) && !strings.EqualFold(pathOf(path), pathOf(own)) {
		class |= judge.Login
	}
	return class
}

// cutURL is the host of a URL, empty when it has none, and what follows it.
func cutURL(url string) (host, rest string) {
	if url = strings.TrimSpace(url); !strings.HasPrefix(url, "//") {
		scheme, after, ok := strings.Cut(url, "://")
		if !ok || strings.ContainsAny(scheme, "/?#") {
			return "", url
		}
		url = after
	} else {
		url = url[2:]
	}
	end := len(url)
	if at := strings.IndexAny(url, "/?#"); at >= 0 {
		end = at
	}
	host, rest = url[:end], url[end:]
	return host[strings.LastIndexByte(host, '@')+1:], rest
}

// pathOf is a target's path without a slash at its end.
func pathOf(target string) string {
	if at := strings.IndexAny(target, "?#"); at >= 0 {
		target = target[:at]
	}
	return strings.TrimSuffix(target, "/")
}

// sameHost reports whether two hosts are one, however they are written: letter case, a default port and the dot
// at the end do not count.
func sameHost(a, b string) bool { return strings.EqualFold(bareHost(a), bareHost(b)) }

func bareHost(host string) string {
	host = strings.TrimSuffix(strings.TrimSuffix(host, ":443"), ":80")
	return strings.TrimSuffix(host, ".")
}

// logins are the words of a path that leads to a login. A word is letters; what stands between words, and digits
// at their end, does not count.
var logins = []string{"login", "signin", "logon", "signon", "sso", "auth", "authenticate", "authorize", "cas", "saml", "oauth", "oidc",
	"openid", "userlogin", "loginpage"}

// pairsOfLogin are two words that mean it when one follows the other.
var pairsOfLogin = []string{"sign in", "log in", "sign on", "log on", "session new", "sessions new"}

// pageNames are the query parameters in which some apps have the name of the page.
var pageNames = []string{"title", "action", "page", "do", "view", "route", "r", "mode"}

// looksLikeLogin reports whether a URL's path, or the page that its query names, is that of a login.
func looksLikeLogin(url string) bool {
	url, _, _ = strings.Cut(url, "#")
	path, query, _ := strings.Cut(url, "?")
	if hasLogin(path) {
		return true
	}
	for query != "" {
		var part string
		part, query, _ = strings.Cut(query, "&")
		if name, value, _ := strings.Cut(part, "="); slices.Contains(pageNames, name) && hasLogin(value) {
			return true
		}
	}
	return false
}

func hasLogin(path string) bool {
	before := ""
	for word := range strings.FieldsFuncSeq(strings.ToLower(path), func(r rune) bool { return r < 'a' || r > 'z' }) {
		if slices.Contains(logins, word) || before != "" && slices.Contains(pairsOfLogin, before+" "+word) {
			return true
		}
		before = word
	}
	return false
}

// measure notes what only the whole body of an answer tells of it.
func (r *result) measure(q *asked, h http.Header, body *sizer) {
	size := body.size()
	if q.method == http.MethodGet && r.status == http.StatusOK && (body.n == 0 || size == 0) {
		r.class |= judge.Empty
	}
	if q.measured(r.status, h) {
		r.size = size
	}
}

// measured reports whether the length of an answer is judged: a whole page or JSON.
func (q *asked) measured(status int, h http.Header) bool {
	if q.method != http.MethodGet || status != http.StatusOK {
		return false
	}
	kinds := h["Content-Type"]
	if len(kinds) == 0 {
		return false
	}
	kind, _, _ := strings.Cut(kinds[0], ";")
	kind = strings.ToLower(strings.TrimSpace(kind))
	return kind == "text/html" || kind == "application/json" || strings.HasPrefix(kind, "application/") && strings.HasSuffix(kind, "+json")
}

// sizer is the length of a body as it comes, before its content coding was applied.
type sizer struct {
	n      int64
	packed bool    // gzip: the length stands in the last four bytes (RFC 1952, section 2.3.1)
	opaque bool    // another coding, which does not tell
	end    [4]byte // the last bytes so far
}

func newSizer(h http.Header) sizer {
	switch codings := h["Content-Encoding"]; {
	case len(codings) == 0 || len(codings) == 1 && (codings[0] == "" || strings.EqualFold(codings[0], "identity")):
		return sizer{}
	case len(codings) == 1 && strings.EqualFold(codings[0], "gzip"):
		return sizer{packed: true}
	}
	return sizer{opaque: true}
}

func (s *sizer) add(p []byte) {
	s.n += int64(len(p))
	if !s.packed || len(p) == 0 {
		return
	}
	if len(p) >= len(s.end) {
		copy(s.end[:], p[len(p)-len(s.end):])
		return
	}
	copy(s.end[:], s.end[len(p):])
	copy(s.end[len(s.end)-len(p):], p)
}

// size is the length of the whole body; -1: not known.
func (s *sizer) size() int64 {
	switch {
	case s.opaque:
		return -1
	case !s.packed || s.n == 0:
		return s.n
	case s.n < 18: // no gzip is shorter
		return -1
	}
	return int64(s.end[0]) | int64(s.end[1])<<8 | int64(s.end[2])<<16 | int64(s.end[3])<<24
}

// answer is what one attempt tells the verdict.
func (r *result) answer() judge.Answer {
	if r.failed() {
		return failedAnswer
	}
	a := judge.Answer{Class: r.class, First: -1, Last: -1, Size: -1}
	if r.status != 0 && !r.early {
		a.First = int16(judge.Bucket(r.head))
	}
	switch {
	case r.outcome == upstream.Canceled:
		a.Class |= judge.Left
		if r.status == 0 {
			a.Last = int16(judge.Bucket(r.took)) // how long nothing came, at the least
		}
	case !r.endless && !r.early:
		a.Last, a.Size = a.First, r.size
		if r.took != r.head {
			a.Last = int16(judge.Bucket(r.took))
		}
	}
	return a
}
