// Package admin serves what operators and machines need of a running yadokari: the API, metrics and
// probes, on a port of its own with callers told apart by token or client certificate.
package admin

import "yadokari/certs"

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
