package gateway

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"yadokari/gateway/keys"
)

// identify finds out who sent the request and where he is, and takes what only the gateway is to see
// out of it.
func (x *exchange) identify() {
	t := x.table
	x.scheme = x.origin.schemeOf(x.r, x.gateway.scheme)
	x.user = t.sticky.user(x.r, x.origin.client, x.started)
	x.seats = seats{}
	for i, b := range [...]*backend{x.route.old, x.route.new} {
		if b != nil && b.affinity != nil {
			x.seats[i] = b.seat(x.r, &x.user, x.started)
		}
	}
	if lines := x.r.Header["Cookie"]; lines != nil && t.cut != nil {
		if lines = keys.Cut(lines, t.isOurs); lines == nil {
			delete(x.r.Header, "Cookie")
		} else {
			x.r.Header["Cookie"] = lines
		}
	}
}

// isOurs reports whether a cookie is the gateway's own.
func (t *table) isOurs(name string) bool {
	_, ours := t.cut[name]
	return ours
}

// schemeOf is the scheme that the user wrote, as far as it can be believed.
func (o origin) schemeOf(r *http.Request, own string) string {
	if !o.trusted {
		return own
	}
	first, _, _ := strings.Cut(firstOr(r.Header["X-Forwarded-Proto"], own), ",")
	return strings.ToLower(strings.TrimSpace(first))
}

// grant adds the gateway's own cookies to the head of the user's answer, which no shared cache may then
// keep: it would give one user's cookie to all.
func (x *exchange) grant(header http.Header) {
	if x.user.token != "" {
		own := x.table.sticky.own
		x.setCookie(header, own.name, x.user.token, own.lifetime)
	}
	if mark := x.served.moved; mark != 0 {
		s := x.seats.at(x.served.backend)
		a := x.table.backends[s.backend].affinity
		value := keys.Seat{User: s.user.Rank, Server: mark, Issued: x.started}.String()
		x.setCookie(header, a.cookie, value, a.lifetime)
	}
}

func (x *exchange) setCookie(header http.Header, name, value string, lifetime time.Duration) {
	line := name + "=" + value + "; Path=/; Max-Age=" + strconv.FormatInt(int64(lifetime/time.Second), 10) + "; HttpOnly; SameSite=Lax"
	if x.scheme == "https" {
		line += "; Secure"
	}
	add(header, "Set-Cookie", line)
	for _, directives := range header["Cache-Control"] {
		directives = strings.ToLower(directives)
		if strings.Contains(directives, "no-store") || strings.Contains(directives, "private") {
			return
		}
	}
	add(header, "Cache-Control", "private")
}

// add adds a value without touching the slice that is there: others read it.
func add(header http.Header, name, value string) {
	values := header[name]
	header[name] = append(values[:len(values):len(values)], value)
}

// observe tells how well the key holds that the app gives: what a request brought, and what its answer
// puts in its place.
func (x *exchange) observe(answer http.Header) {
	s := x.table.sticky
	if s.cookie == "" || s.own != nil {
		return
	}
	x.gateway.churn.Asked(x.user.key, x.started)
	if x.user.key == 0 {
		return
	}
	for _, line := range answer["Set-Cookie"] {
		pair, _, _ := strings.Cut(line, ";")
		name, value, _ := strings.Cut(pair, "=")
		if strings.TrimSpace(name) != s.cookie {
			continue
		}
		value = strings.Trim(strings.TrimSpace(value), `"`)
		if by := point(value); value != "" && by != x.user.key {
			x.gateway.churn.Replaced(x.user.key, by, x.started)
		}
	}
}
