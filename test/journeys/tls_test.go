package journeys

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"yadokari/test/process"
)

// newCertificate writes a certificate for 127.0.0.1 with the given number, by renaming as renewal
// programs do.
func newCertificate(t *testing.T, dir string, number int64, trusted *x509.CertPool) {
	t.Helper()
	key := must[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{
		SerialNumber: big.NewInt(number), Subject: pkix.Name{CommonName: "gateway"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	certificate := must[[]byte](t)(x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key))
	secret := must[[]byte](t)(x509.MarshalPKCS8PrivateKey(key))
	for name, block := range map[string]*pem.Block{"key.pem": {Type: "PRIVATE KEY", Bytes: secret}, "cert.pem": {Type: "CERTIFICATE", Bytes: certificate}} {
		process.WriteFile(t, dir, name+".new", string(pem.EncodeToMemory(block)))
		if err := os.Rename(filepath.Join(dir, name+".new"), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	trusted.AddCert(must[*x509.Certificate](t)(x509.ParseCertificate(certificate)))
}

// TestRenewedCertificate replaces the certificate on disk while users come with HTTP/1.1 and HTTP/2.
func TestRenewedCertificate(t *testing.T) {
	vm, containers := startSide(t, "vm"), startSide(t, "containers")
	dir, trusted := t.TempDir(), x509.NewCertPool()
	newCertificate(t, dir, 1, trusted)
	g := startGateway(t, setUp{vm: []string{vm.address}, containers: []string{containers.address},
		extra: fmt.Sprintf("  tls: {cert: %q, key: %q}\n", dir+"/cert.pem", dir+"/key.pem")})
	g.set(t, "all", "25%")
	// All three are trusted from the start: a pool in use must not change.
	newCertificate(t, t.TempDir(), 99, trusted)
	serials := map[int64]bool{}
	for number := range int64(3) {
		if number > 0 {
			trusted = x509.NewCertPool()
			newCertificate(t, dir, number+1, trusted)
		}
		process.Eventually(t, fmt.Sprintf("certificate %d is served", number+1), func() bool {
			conn, err := tls.Dial("tcp", g.address, &tls.Config{RootCAs: trusted})
			if err != nil {
				return false
			}
			defer conn.Close()
			serial := conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
			serials[serial] = true
			return serial == number+1
		})
		for major := 1; major <= 2; major++ {
			requestsOver(t, g, trusted, major)
		}
	}
	t.Logf("certificates seen: %v", serials)
	g.MustStop(t)
}

// requestsOver makes some requests in the given version of HTTP.
func requestsOver(t *testing.T, g *gateway, trusted *x509.CertPool, major int) {
	t.Helper()
	protocols := new(http.Protocols)
	protocols.SetHTTP1(major == 1)
	protocols.SetHTTP2(major == 2)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted}, Protocols: protocols}
	defer transport.CloseIdleConnections()
	l := &load{url: "https://" + g.address, users: 100, client: &http.Client{Transport: transport}}
	for n := range 50 {
		if err := l.send(methods[n%len(methods)], fmt.Sprintf("%d-%d", major, n), n); err != nil {
			t.Errorf("HTTP/%d: %v", major, err)
		}
	}
	if l.from("vm") == 0 || l.from("containers") == 0 {
		t.Errorf("HTTP/%d: %d answers from the old side, %d from the new one", major, l.from("vm"), l.from("containers"))
	}
}

// TestCleartextHTTP2 speaks HTTP/2 without TLS, and HTTP/1.1 on the same port, over flips.
func TestCleartextHTTP2(t *testing.T) {
	vm, containers := startSide(t, "vm"), startSide(t, "containers")
	g := startGateway(t, setUp{vm: []string{vm.address}, containers: []string{containers.address}, extra: "  h2c: true\n"})
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: protocols}
	l, plain := startLoad(t, g.url(), 1), startLoad(t, g.url(), 100)
	l.end()
	l.client = &http.Client{Transport: transport, Timeout: 20 * time.Second}
	var sent atomic.Int64
	for n := range 300 {
		if n%30 == 0 {
			g.set(t, "all", []string{"0%", "50%", "100%"}[n/30%3])
		}
		if err := l.send(methods[n%len(methods)], fmt.Sprint("h2c-", n), n); err != nil {
			t.Errorf("request %d: %v", n, err)
		}
		sent.Add(1)
	}
	if plain.report(t) > 0 {
		t.Error("HTTP/1.1 requests failed beside HTTP/2 without TLS")
	}
	answer := must[*http.Response](t)(l.client.Get(g.url() + "/page"))
	_ = answer.Body.Close()
	if answer.ProtoMajor != 2 {
		t.Errorf("the protocol is %s", answer.Proto)
	}
	g.MustStop(t)
}
