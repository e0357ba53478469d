// Package certs reads TLS certificates, keys and authorities from PEM files and reads them again when
// the files change, so that a renewed certificate needs no restart.
package certs

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"yadokari/setting"
)

// Files are a certificate and its key, read again when the files change.
type Files struct {
	// Cert is the PEM file of the certificate, followed by its chain.
	Cert string `yaml:"cert" required:"true"`
	// Key is the PEM file of the private key.
	Key string `yaml:"key" required:"true"`
}

// Validate says which of the two files is not named, as *setting.Problem, joined. It reads nothing.
func (f *Files) Validate() error {
	var problems []error
	for key, other := range map[string][2]string{"cert": {f.Cert, "key"}, "key": {f.Key, "cert"}} {
		if other[0] == "" {
			problems = append(problems, &setting.Problem{
				Path: setting.Path{key}, What: "no file is named", Remedy: "name a PEM file, or leave " + other[1] + " out as well",
			})
		}
	}
	return errors.Join(problems...)
}

// ValidateFiles reads both files and says what is wrong with them, or that the certificate has run
// out, as *setting.Problem.
func (f *Files) ValidateFiles() error {
	if f.Cert == "" || f.Key == "" {
		return nil // Validate's
	}
	pair, err := f.load()
	if err != nil {
		return &setting.Problem{Path: setting.Path{"cert"}, What: err.Error(), Remedy: "name the PEM files of one certificate and its key"}
	}
	if end := pair.Leaf.NotAfter; time.Now().After(end) {
		return &setting.Problem{
			Path: setting.Path{"cert"}, What: fmt.Sprintf("the certificate ran out on %s", end.UTC().Format(time.DateOnly)), Remedy: "renew it",
		}
	}
	return nil
}

func (f *Files) load() (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(f.Cert, f.Key)
	if err != nil {
		return nil, describe(err, f.Cert+" with "+f.Key)
	}
	return &pair, nil
}

// describe names the file at fault once: errors of the file system name it already.
func describe(err error, file string) error {
	if e := (*fs.PathError)(nil); errors.As(err, &e) {
		return fmt.Errorf("cannot read %s: %w", e.Path, e.Err)
	}
	return fmt.Errorf("%s: %w", file, err)
}

// Certificate is a certificate that follows its files. It is safe for concurrent use.
type Certificate struct{ *following[tls.Certificate] }

// Open reads the certificate and its key. Later they are looked at again at most every few seconds,
// when a handshake asks. Files that changed and cannot be used leave the former certificate in force;
// log gets a line about every change, good or bad.
func (f Files) Open(log *slog.Logger) (*Certificate, error) {
	follow, err := newFollowing(f.load, log.With("cert", f.Cert, "key", f.Key), f.Cert, f.Key)
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	return &Certificate{follow}, nil
}

// GetCertificate is for tls.Config.GetCertificate.
func (c *Certificate) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return c.now(), nil
}

// Pool is a set of authorities that follows its file. It is safe for concurrent use.
type Pool struct{ *following[x509.CertPool] }

// OpenPool reads the authorities in the PEM file ca, and follows it as Files.Open does.
func OpenPool(ca string, log *slog.Logger) (*Pool, error) {
	follow, err := newFollowing(func() (*x509.CertPool, error) { return LoadPool(ca) }, log.With("ca", ca), ca)
	if err != nil {
		return nil, fmt.Errorf("authorities: %w", err)
	}
	return &Pool{follow}, nil
}

// Now returns the authorities of the moment. The caller must not change them.
func (p *Pool) Now() *x509.CertPool { return p.now() }

// LoadPool reads the authorities in the PEM file ca once.
func LoadPool(ca string) (*x509.CertPool, error) {
	text, err := os.ReadFile(ca)
	if err != nil {
		return nil, describe(err, ca)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no certificate in PEM form", ca)
	}
	return pool, nil
}

// ServerConfig returns the TLS settings of a server that shows cert (HTTP/2 and HTTP/1.1, TLS 1.2 or
// later). With clients, callers must show a certificate that one of these authorities signed; then
// sessions are not resumed, so that an authority taken out of the file is out for everyone.
func ServerConfig(cert *Certificate, clients *Pool) *tls.Config {
	config := &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: cert.GetCertificate,
		NextProtos:     []string{"h2", "http/1.1"},
	}
	if clients == nil {
		return config
	}
	config.ClientAuth = tls.RequireAndVerifyClientCert
	config.SessionTicketsDisabled = true
	config.ClientCAs = clients.Now()
	base := config.Clone()
	config.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		current := base.Clone()
		current.ClientCAs = clients.Now()
		return current, nil
	}
	return config
}
