package kube

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"strings"
	"time"
)

// users are who may call the API server: by name, the user and group that its token stands for. These
// are the names a real cluster uses, so that RBAC and the node authorizer are what they are there.
var users = map[string][2]string{
	"admin":                   {"admin", "system:masters"},
	"kube-controller-manager": {"system:kube-controller-manager", ""},
	"kube-scheduler":          {"system:kube-scheduler", ""},
	"kube-proxy":              {"system:kube-proxy", ""},
	"kubelet":                 {"system:node:" + Node, "system:nodes"},
}

// writeSecrets writes the authority, the API server's certificate, the key that signs service
// accounts, the tokens, and a kubeconfig for every user. It returns the admin's token and the
// authority's certificate.
func writeSecrets(f *folder) (token string, authority []byte, err error) {
	authority, err = writeCertificates(f)
	if err != nil {
		return "", nil, err
	}
	var tokens strings.Builder
	for name, who := range users {
		random := make([]byte, 16)
		rand.Read(random) // never fails
		t := hex.EncodeToString(random)
		if name == "admin" {
			token = t
		}
		fmt.Fprintf(&tokens, "%s,%s,%s,%q\n", t, who[0], name, who[1])
		config := fmt.Sprintf(kubeconfig, authority64(authority), apiServer, t)
		if err := os.WriteFile(f.file(name+".kubeconfig"), []byte(config), 0o600); err != nil {
			return "", nil, err
		}
	}
	return token, authority, os.WriteFile(f.file("tokens.csv"), []byte(tokens.String()), 0o600)
}

// writeCertificates writes ca.crt, apiserver.crt, apiserver.key and service-accounts.key.
func writeCertificates(f *folder) (authority []byte, err error) {
	caKey, err := writeKey(f.file("ca.key"))
	if err != nil {
		return nil, err
	}
	ca := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "yadokari test cluster"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(7 * 24 * time.Hour),
		KeyUsage:              x509.KeyUsageCertSign,
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	authority, err = writeCertificate(f.file("ca.crt"), ca, ca, caKey.Public(), caKey)
	if err != nil {
		return nil, err
	}
	serverKey, err := writeKey(f.file("apiserver.key"))
	if err != nil {
		return nil, err
	}
	server := &x509.Certificate{
		SerialNumber: big.NewInt(2),
		Subject:      pkix.Name{CommonName: "kube-apiserver"},
		NotBefore:    ca.NotBefore,
		NotAfter:     ca.NotAfter,
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:     []string{"kubernetes", "kubernetes.default", "kubernetes.default.svc"},
		IPAddresses:  []net.IP{net.ParseIP(NodeIP), net.ParseIP(kubernetesIP)},
	}
	if _, err := writeCertificate(f.file("apiserver.crt"), server, ca, serverKey.Public(), caKey); err != nil {
		return nil, err
	}
	_, err = writeKey(f.file("service-accounts.key"))
	return authority, err
}

func writeKey(path string) (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	return key, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), 0o600)
}

func writeCertificate(path string, c, issuer *x509.Certificate, public crypto.PublicKey, signer crypto.Signer) ([]byte, error) {
	der, err := x509.CreateCertificate(rand.Reader, c, issuer, public, signer)
	if err != nil {
		return nil, fmt.Errorf("certificate %s: %w", path, err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return text, os.WriteFile(path, text, 0o644)
}
