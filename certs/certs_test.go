package certs

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"yadokari/setting"
)

// authority signs certificates for tests.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t testing.TB, name string) *authority {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{cert, key}
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// issue returns a certificate for localhost and its key in PEM form.
func (a *authority) issue(t testing.TB, name string, end time.Time) (cert, key []byte) {
	t.Helper()
	private := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: end,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, private.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
}

func (a *authority) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
}

// replace writes as deployments do: to another name, then renamed over.
func replace(t testing.TB, file string, text []byte) {
	t.Helper()
	if err := os.WriteFile(file+".new", text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
}

func nameOf(t testing.TB, c *Certificate) string {
	t.Helper()
	cert, err := c.GetCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	return cert.Leaf.Subject.CommonName
}

func TestCertificateFollowsItsFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		files := Files{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
		ca := newAuthority(t, "ca")
		put := func(cert, key []byte) { replace(t, files.Key, key); replace(t, files.Cert, cert) }
		put(ca.issue(t, "first", time.Now().Add(time.Hour)))

		var log bytes.Buffer
		c, err := files.Open(slog.New(slog.NewJSONHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		expect := func(name, said string) {
			t.Helper()
			if got := nameOf(t, c); got != name {
				t.Errorf("got %s, want %s", got, name)
			}
			if lines := strings.Count(log.String(), "\n"); said == "" && lines != 0 || said != "" && (lines != 1 || !strings.Contains(log.String(), said)) {
				t.Errorf("logged %q, want %q", log.String(), said)
			}
			log.Reset()
		}
		expect("first", "")

		cert, key := ca.issue(t, "second", time.Now().Add(time.Hour))
		put(cert, key)
		expect("first", "") // too soon to look again
		time.Sleep(lookEvery)
		expect("second", "changed TLS files are in force")

		time.Sleep(lookEvery)
		expect("second", "") // unchanged

		third, thirdKey := ca.issue(t, "third", time.Now().Add(time.Hour))
		replace(t, files.Cert, third) // the key has not arrived yet
		time.Sleep(lookEvery)
		expect("second", "stay in force")
		time.Sleep(lookEvery)
		expect("second", "") // said once
		replace(t, files.Key, thirdKey)
		time.Sleep(lookEvery)
		expect("third", "changed TLS files are in force")

		if err := os.Remove(files.Cert); err != nil {
			t.Fatal(err)
		}
		time.Sleep(lookEvery)
		expect("third", "cannot read "+files.Cert)
		replace(t, files.Cert, []byte("no certificate"))
		time.Sleep(lookEvery)
		expect("third", "stay in force")
		put(cert, key)
		time.Sleep(lookEvery)
		expect("second", "changed TLS files are in force")
	})
}

// TestCertificateFollowsALink is how Kubernetes renews a mounted secret: the link's target changes.
func TestCertificateFollowsALink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		ca := newAuthority(t, "ca")
		for _, name := range []string{"one", "two"} {
			cert, key := ca.issue(t, name, time.Now().Add(time.Hour))
			if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
				t.Fatal(err)
			}
			replace(t, filepath.Join(dir, name, "cert"), cert)
			replace(t, filepath.Join(dir, name, "key"), key)
		}
		link := func(to string) {
			t.Helper()
			if err := os.Symlink(to, filepath.Join(dir, "next")); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(filepath.Join(dir, "next"), filepath.Join(dir, "data")); err != nil {
				t.Fatal(err)
			}
		}
		link("one")
		c, err := Files{Cert: filepath.Join(dir, "data", "cert"), Key: filepath.Join(dir, "data", "key")}.Open(slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		link("two")
		time.Sleep(lookEvery)
		if got := nameOf(t, c); got != "two" {
			t.Errorf("got %s", got)
		}
	})
}

func TestManyHandshakesReadTheFilesOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "file")
		replace(t, file, []byte("1"))
		reads := 0
		f, err := newFollowing(func() (*int, error) { reads++; n := reads; return &n, nil }, slog.New(slog.DiscardHandler), file)
		if err != nil {
			t.Fatal(err)
		}
		replace(t, file, []byte("22"))
		time.Sleep(lookEvery)
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() { f.now() })
		}
		wg.Wait()
		if reads != 2 || *f.now() != 2 {
			t.Errorf("read %d times", reads)
		}
	})
}

func TestOpenNamesTheFile(t *testing.T) {
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad.pem")
	replace(t, bad, []byte("no PEM"))
	log := slog.New(slog.DiscardHandler)
	for _, file := range []string{bad, filepath.Join(dir, "none.pem")} {
		if _, err := (Files{Cert: file, Key: file}).Open(log); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("certificate: %v", err)
		}
		if _, err := OpenPool(file, log); err == nil || strings.Count(err.Error(), file) != 1 {
			t.Errorf("authorities: %v", err)
		}
	}
}

func TestValidate(t *testing.T) {
	for _, f := range []Files{{Cert: "c"}, {Key: "k"}} {
		problems := setting.Problems(f.Validate())
		if len(problems) != 1 || (f.Cert == "") != (problems[0].Path.String() == "cert") {
			t.Errorf("%+v: %v", f, problems)
		}
	}
	if err := (&Files{Cert: "c", Key: "k"}).Validate(); err != nil {
		t.Error(err)
	}
	dir := t.TempDir()
	ca := newAuthority(t, "ca")
	f := Files{Cert: filepath.Join(dir, "cert"), Key: filepath.Join(dir, "key")}
	for end, want := range map[time.Duration]string{time.Hour: "", -time.Hour: "ran out on"} {
		cert, key := ca.issue(t, "x", time.Now().Add(end))
		replace(t, f.Cert, cert)
		replace(t, f.Key, key)
		if err := f.ValidateFiles(); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", end, err)
		}
	}
}

// TestClientAuthority shakes hands for real: with an authority in the file, and after it was taken out.
func TestClientAuthority(t *testing.T) {
	dir := t.TempDir()
	old, renewed := newAuthority(t, "old"), newAuthority(t, "renewed")
	files := Files{Cert: filepath.Join(dir, "cert"), Key: filepath.Join(dir, "key")}
	cert, key := old.issue(t, "server", time.Now().Add(time.Hour))
	replace(t, files.Cert, cert)
	replace(t, files.Key, key)
	caFile := filepath.Join(dir, "ca")
	replace(t, caFile, old.pem())
	log := slog.New(slog.DiscardHandler)
	server, err := files.Open(log)
	if err != nil {
		t.Fatal(err)
	}
	clients, err := OpenPool(caFile, log)
	if err != nil {
		t.Fatal(err)
	}
	roots, err := LoadPool(caFile)
	if err != nil {
		t.Fatal(err)
	}
	config := ServerConfig(server, clients)
	cache := tls.NewLRUClientSessionCache(4)
	dial := func(by *authority) error {
		certPEM, keyPEM := by.issue(t, "client", time.Now().Add(time.Hour))
		pair, err := tls.X509KeyPair(certPEM, keyPEM)
		if err != nil {
			t.Fatal(err)
		}
		return handshake(t, config, &tls.Config{RootCAs: roots, ServerName: "localhost", ClientSessionCache: cache,
			GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }})
	}
	if err := dial(old); err != nil {
		t.Errorf("the authority's own: %v", err)
	}
	if err := dial(renewed); err == nil {
		t.Error("a stranger's certificate was taken")
	}
	if err := handshake(t, config, &tls.Config{RootCAs: roots, ServerName: "localhost"}); err == nil {
		t.Error("a caller without a certificate was let in")
	}
	replace(t, caFile, renewed.pem())
	clients.next.Store(0) // it is time to look
	if err := dial(renewed); err != nil {
		t.Errorf("the renewed authority's: %v", err)
	}
	if err := dial(old); err == nil {
		t.Error("the authority that was taken out is still trusted")
	}
	if err := handshake(t, ServerConfig(server, nil), &tls.Config{RootCAs: roots, ServerName: "localhost"}); err != nil {
		t.Errorf("without client certificates: %v", err)
	}
}

// handshake returns what the server made of the client, after a byte has come back.
func handshake(t *testing.T, serve, call *tls.Config) error {
	t.Helper()
	there, here := net.Pipe()
	defer here.Close()
	done := make(chan error, 1)
	go func() {
		defer there.Close()
		conn := tls.Server(there, serve)
		err := conn.HandshakeContext(context.Background())
		if err == nil {
			_, err = conn.Write([]byte("x"))
		}
		done <- err
	}()
	conn := tls.Client(here, call)
	_, readErr := io.ReadFull(conn, make([]byte, 1))
	here.Close()
	if err := <-done; err != nil {
		return err
	}
	return readErr
}
