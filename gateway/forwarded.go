package gateway

import (
	"net"
	"net/http"
	"net/netip"
	"strings"

	"yadokari/setting"
)

// peers are those whose word about the client is believed.
type peers []netip.Prefix

// parsePeers reads networks (10.0.0.0/8) and single addresses.
func parsePeers(list []string) (peers, error) {
	made := make(peers, 0, len(list))
	for i, text := range list {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			address, err := netip.ParseAddr(text)
			if err != nil {
				return nil, &setting.Problem{Path: setting.Path{"trustedPeers", i}, What: "\"" + text + "\" is neither a network nor an address", Remedy: "write it as 10.0.0.0/8 or 10.0.0.7"}
			}
			prefix = netip.PrefixFrom(address.Unmap(), address.Unmap().BitLen())
		}
		made = append(made, prefix.Masked())
	}
	return made, nil
}

func (p peers) include(a netip.Addr) bool {
	for _, prefix := range p {
		if prefix.Contains(a) {
			return true
		}
	}
	return false
}

// origin is where a request came from, as far as it can be believed.
type origin struct {
	client  string // the client's address, without port
	peer    string // the address of the other end of the connection
	trusted bool   // the peer is listed
}

// originOf finds the client: the peer, or, behind listed peers, the last address in X-Forwarded-For
// that is not itself a listed peer.
func (p peers) originOf(r *http.Request) origin {
	host := hostOf(r.RemoteAddr)
	o := origin{client: host, peer: host}
	if len(p) == 0 {
		return o
	}
	address, err := netip.ParseAddr(host)
	if err != nil || !p.include(address.Unmap()) {
		return o
	}
	o.trusted = true
	hops := strings.Split(strings.Join(r.Header["X-Forwarded-For"], ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		hop, err := netip.ParseAddr(hostOf(strings.TrimSpace(hops[i])))
		if err != nil {
			break // an entry that is no address: nothing before it can be believed
		}
		o.client = hop.Unmap().String()
		if !p.include(hop.Unmap()) {
			break
		}
	}
	return o
}

// hostOf takes the port, the brackets and the zone off an address.
func hostOf(address string) string {
	if host, _, err := net.SplitHostPort(address); err == nil {
		address = host
	}
	address = strings.Trim(address, "[]")
	host, _, _ := strings.Cut(address, "%")
	return host
}

// plain is a field's canonical name as CGI, and with it PHP and WSGI, would take it: they do not tell _
// from -, so that X_Forwarded_For would be X-Forwarded-For there.
func plain(name string) string {
	if strings.IndexByte(name, '_') < 0 {
		return name
	}
	return http.CanonicalHeaderKey(strings.ReplaceAll(name, "_", "-"))
}

// claims are the fields by which a client could pass for another. From peers that are not listed
// they are not passed on.
func claims(name string) bool {
	name = plain(name)
	return strings.HasPrefix(name, "X-Forwarded-") || name == "Forwarded" || name == "X-Real-Ip" || name == copyHeader
}

// appendForwarded writes the fields that tell a server about the client: RFC 7239's older cousins,
// which every server understands, and Forwarded where a listed peer used it.
func (o origin) appendForwarded(b []byte, r *http.Request, scheme string) []byte {
	if !o.trusted {
		b = field(b, "X-Forwarded-For", o.peer)
		b = field(b, "X-Forwarded-Host", r.Host)
		return field(b, "X-Forwarded-Proto", scheme)
	}
	b = field(b, "X-Forwarded-For", append(r.Header["X-Forwarded-For"][:len(r.Header["X-Forwarded-For"]):len(r.Header["X-Forwarded-For"])], o.peer)...)
	b = field(b, "X-Forwarded-Host", firstOr(r.Header["X-Forwarded-Host"], r.Host))
	b = field(b, "X-Forwarded-Proto", firstOr(r.Header["X-Forwarded-Proto"], scheme))
	if forwarded := r.Header["Forwarded"]; len(forwarded) > 0 {
		own := "for=" + o.peer
		if strings.Contains(o.peer, ":") {
			own = `for="[` + o.peer + `]"`
		}
		b = field(b, "Forwarded", append(forwarded[:len(forwarded):len(forwarded)], own+";proto="+scheme)...)
	}
	return b
}

// rewritten are the fields that appendForwarded writes anew for a listed peer, and the one that only a copy
// has.
func rewritten(name string) bool {
	switch plain(name) {
	case "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded", copyHeader:
		return true
	}
	return false
}

func firstOr(values []string, otherwise string) string {
	if len(values) > 0 {
		return values[0]
	}
	return otherwise
}

// field writes one field line, several values joined by commas.
func field(b []byte, name string, values ...string) []byte {
	b = append(append(b, name...), ": "...)
	for i, v := range values {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = append(b, v...)
	}
	return append(b, "\r\n"...)
}
