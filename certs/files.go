// Package certs reads TLS certificates, keys and authorities from PEM files and reads them again when
// the files change, so that a renewed certificate needs no restart.
package certs

// Files are a certificate and its key, read again when the files change.
type Files struct {
	// Cert is the PEM file of the certificate, followed by its chain.
	Cert string `yaml:"cert"`
	// Key is the PEM file of the private key.
	Key string `yaml:"key"`
}
