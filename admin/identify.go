package admin

import (
	"net"
	"net/http"
	"strings"
)

// ActorHeader names the person behind a call where nobody has to prove a name: on a loopback port
// without tokens.
const ActorHeader = "X-Yadokari-Actor"

// defaultActor is who calls on loopback without saying who.
const defaultActor = "local"

// identify tells who sent r. A token in Authorization decides; else the client certificate, which TLS
// has verified; else, where nothing is demanded, the caller is on this machine and believed.
func (s *Server) identify(r *http.Request) (Identity, *Error) {
	if s.tokens != nil {
		if scheme, secret, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "Bearer") {
			if who, ok := s.tokens.who(strings.TrimSpace(secret)); ok {
				return who, nil
			}
			return Identity{}, &Error{http.StatusUnauthorized, "unknown-token", "the token is not in the token file", "use a token of the gateway's tokenFile"}
		}
	}
	if s.cfg.ClientCA != "" && r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		name := r.TLS.VerifiedChains[0][0].Subject.CommonName
		if !validName(name) {
			return Identity{}, &Error{http.StatusForbidden, "bad-name", "the client certificate's common name cannot go into the ledger", "use 1 to 64 letters, digits and . _ - @ +"}
		}
		return Identity{name, Operator}, nil
	}
	if !s.cfg.open() {
		return Identity{}, &Error{http.StatusUnauthorized, "no-token", "who calls is not known", "send Authorization: Bearer TOKEN, or a client certificate"}
	}
	name := r.Header.Get(ActorHeader)
	if name == "" {
		name = defaultActor
	}
	if !validName(name) {
		return Identity{}, &Error{http.StatusBadRequest, "bad-name", ActorHeader + " cannot go into the ledger", "use 1 to 64 letters, digits and . _ - @ +"}
	}
	return Identity{name, Operator}, nil
}

// guardHost refuses requests whose Host is neither this machine nor the configured host, where being
// on this machine is all that is asked of callers: else any web page could make its own name resolve
// to 127.0.0.1 and speak to the port through the browser of an operator (DNS rebinding).
func (s *Server) guardHost(r *http.Request) *Error {
	if !s.cfg.open() {
		return nil // a page knows no token, and no certificate fits its name
	}
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if IsLoopback(host) || host != "" && strings.EqualFold(host, s.host) {
		return nil
	}
	return &Error{http.StatusMisdirectedRequest, "wrong-host", "the request is meant for another host", "call the admin port as localhost or 127.0.0.1"}
}
