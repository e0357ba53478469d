// Package admin serves what operators and machines need of a running yadokari: the API, metrics and
// probes, on a port of its own with callers told apart by token or client certificate.
package admin

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"yadokari/certs"
	"yadokari/setting"
)

// Config is where the API, metrics and probes are served. In the file it is an address, or a
// mapping with these keys.
type Config struct {
	// Listen is host:port. Other than a loopback address it demands TokenFile or ClientCA.
	Listen string `yaml:"listen" default:"127.0.0.1:8081"`
	// TokenFile holds one caller a line: NAME ROLE TOKEN, the role being viewer or operator.
	TokenFile string `yaml:"tokenFile"`
	// TLS serves the admin port over HTTPS.
	TLS *certs.Files `yaml:"tls"`
	// ClientCA is a PEM file; callers must show a certificate it signed (mTLS) and act as operators
	// under the certificate's common name.
	ClientCA string `yaml:"clientCA"`
}

// UnmarshalText reads the short form: the address alone.
func (c *Config) UnmarshalText(text []byte) error {
	c.Listen = string(text)
	return nil
}

// Validate says what is wrong with the settings, as *setting.Problem, joined. It reads no file.
func (c *Config) Validate() error {
	var problems []error
	add := func(key, what, remedy string) {
		problems = append(problems, &setting.Problem{Path: setting.Path{key}, What: what, Remedy: remedy})
	}
	host, port, err := net.SplitHostPort(c.Listen)
	switch n, bad := strconv.Atoi(port); {
	case err != nil || bad != nil || n < 0 || n > 65535:
		add("listen", fmt.Sprintf("%q is not an address", c.Listen), "write host:port, as in 127.0.0.1:8081")
	case !IsLoopback(host) && c.open():
		add("listen", fmt.Sprintf("%q can be reached from other machines, and nothing says who may call", c.Listen),
			"listen on 127.0.0.1, or set tokenFile or clientCA")
	}
	if c.TLS != nil {
		problems = append(problems, setting.Under(c.TLS.Validate(), "tls"))
	}
	if c.ClientCA != "" && c.TLS == nil {
		add("clientCA", "client certificates need HTTPS", "set tls with cert and key")
	}
	return errors.Join(problems...)
}

// open tells whether callers need to prove nothing.
func (c *Config) open() bool { return c.TokenFile == "" && c.ClientCA == "" }

// IsLoopback tells whether host, a name or an address, is this machine to itself alone. An empty host
// is every address.
func IsLoopback(host string) bool {
	if strings.EqualFold(strings.TrimSuffix(host, "."), "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
