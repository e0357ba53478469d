package gateway

import (
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// secureServer is a server that speaks TLS with a certificate for 127.0.0.1 that is its own authority.
func secureServer(t *testing.T) (s *httptest.Server, ca string, connections *atomic.Int64) {
	t.Helper()
	connections = new(atomic.Int64)
	s = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.TLS == nil {
			panic("no TLS")
		}
		_, _ = io.WriteString(w, "secure ")
		_, _ = io.Copy(w, q.Body)
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	ca = filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(ca, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return s, ca, connections
}

// TestTLSToBackends: requests go to a server whose certificate the CA file vouches for, over connections that
// are kept; one that it does not vouch for, or that is another server's, gets none, and the old side answers.
func TestTLSToBackends(t *testing.T) {
	server, ca, connections := secureServer(t)
	otherName := strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
	otherCA := filepath.Join("testdata", "other-ca.pem")
	for name, test := range map[string]struct {
		url, ca, want string
	}{
		"its own CA":             {server.URL, ca, "secure "},
		"another CA":             {server.URL, otherCA, ""},
		"the system's CAs":       {server.URL, "", ""},
		"the certificate's name": {otherName, ca, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(c *Config) {
				b := backendAt(test.url)
				b.Upstream.CA = test.ca
				c.Backends["containers"] = b
			})
			r.share(1)
			before := connections.Load()
			for _, text := range []string{"one", "two", "three"} {
				a := r.do("POST", "/", text)
				want := test.want + text
				if test.want == "" {
					want = "vm"
				}
				if a.err != nil || a.body != want {
					t.Errorf("got %+v, want %q", a, want)
				}
			}
			w := r.window()
			if test.want == "" && (w.New.Failures != 3 || w.Fallbacks != 3) {
				t.Errorf("counted %+v", w)
			}
			if made := connections.Load() - before; test.want != "" && (made != 1 || w.New.Failures > 0) {
				t.Errorf("%d connections for three requests; counted %+v", made, w)
			}
		})
	}
}
