// Package admin serves what operators and machines need of a running yadokari: the API, metrics and
// probes, on a port of its own with callers told apart by token or client certificate.
package admin

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"

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
	case !isLoopback(host) && c.TokenFile == "" && c.ClientCA == "":
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

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// ValidateFiles reads the files that the settings name and says what is wrong with them, as
// *setting.Problem, joined.
func (c *Config) ValidateFiles() error {
	var problems []error
	if c.TLS != nil {
		problems = append(problems, setting.Under(c.TLS.ValidateFiles(), "tls"))
	}
	if c.ClientCA != "" {
		if _, err := certs.LoadPool(c.ClientCA); err != nil {
			problems = append(problems, &setting.Problem{Path: setting.Path{"clientCA"}, What: err.Error(), Remedy: "name a PEM file of authorities"})
		}
	}
	if c.TokenFile != "" {
		text, err := os.ReadFile(c.TokenFile)
		if err == nil && len(bytes.TrimSpace(text)) == 0 {
			err = fmt.Errorf("%s names no caller", c.TokenFile)
		}
		if err != nil {
			problems = append(problems, &setting.Problem{Path: setting.Path{"tokenFile"}, What: err.Error(), Remedy: "write lines of NAME ROLE TOKEN into it"})
		}
	}
	return errors.Join(problems...)
}
