package balance

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// Address is where one server is.
type Address struct {
	// URL is the base URL as configured; its host may be a name. It must not be changed.
	URL *url.URL
	// HostPort is the IP address and port to dial.
	HostPort string
	// ServerName is the host of URL without its port: what a TLS certificate is checked against.
	ServerName string
	// ID names the server in the API, the CLI and logs: its HostPort. A server is one IP address and
	// port, however many names lead to it.
	ID string
}

// key tells servers apart that must not share connections.
func (a Address) key() string {
	if a.URL.Scheme == "https" {
		return "https " + a.ServerName + " " + a.HostPort
	}
	return "http " + a.HostPort
}

// parseServer parses the base URL of a server and adds the scheme's own port where there is none.
func parseServer(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil {
		// url.Error repeats the text; its cause says the rest.
		if cause, ok := err.(*url.Error); ok {
			err = cause.Err
		}
		return nil, fmt.Errorf("%q is not a URL: %w", text, err)
	}
	u.Scheme = strings.ToLower(u.Scheme)
	ports := map[string]string{"http": "80", "https": "443"}
	host := u.Hostname()
	switch {
	case ports[u.Scheme] == "":
		return nil, fmt.Errorf("%q has no scheme http or https", text)
	case u.User != nil:
		return nil, fmt.Errorf("a server's URL has no user name or password, this one has")
	case u.Path != "" && u.Path != "/", u.RawQuery != "" || u.ForceQuery, strings.Contains(text, "#"):
		return nil, fmt.Errorf("%q has a path, query or fragment", text)
	case host == "" || strings.ContainsFunc(host, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`/\[]<>"`, r) }):
		return nil, fmt.Errorf("%q has no valid host", text)
	case strings.Contains(host, ":"):
		if ip, err := netip.ParseAddr(host); err != nil || !ip.Is6() {
			return nil, fmt.Errorf("%q has no valid IPv6 address", text)
		}
	}
	port := u.Port()
	if port == "" {
		port = ports[u.Scheme]
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return nil, fmt.Errorf("%q has no valid port: it must be 1 to 65535", text)
	}
	return &url.URL{Scheme: u.Scheme, Host: net.JoinHostPort(strings.ToLower(host), strconv.FormatUint(n, 10))}, nil
}

// addressOf is the server at ip that base leads to.
func addressOf(base *url.URL, ip netip.Addr) Address {
	hostPort := net.JoinHostPort(ip.Unmap().String(), base.Port())
	return Address{URL: base, HostPort: hostPort, ServerName: base.Hostname(), ID: hostPort}
}
