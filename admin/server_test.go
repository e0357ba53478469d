package admin_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"yadokari/admin"
	"yadokari/certs"
)

const (
	viewerToken   = "viewer-token-0123456789"
	operatorToken = "operator-token-0123456789"
)

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func tokenFile(t *testing.T) string {
	return write(t, "tokens", "# who may call\nann viewer "+viewerToken+"\n\nbob operator "+operatorToken+"\n")
}

// start serves cfg on loopback with a few handlers and returns the base URL.
func start(t *testing.T, cfg admin.Config, options admin.Options) string {
	t.Helper()
	if cfg.Listen == "" {
		cfg.Listen = "127.0.0.1:0"
	}
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	options.Registry = prometheus.NewRegistry()
	s, err := admin.New(cfg, options)
	if err != nil {
		t.Fatal(err)
	}
	who := admin.JSON(func(r *http.Request) (any, error) {
		caller := admin.Caller(r.Context())
		return caller.Name + " " + caller.Role.String(), nil
	})
	s.Handle("GET /look", admin.Viewer, who)
	s.Handle("POST /change", admin.Operator, who)
	s.Handle("GET /nothing", admin.Viewer, admin.JSON(func(*http.Request) (any, error) { return nil, nil }))
	s.Handle("GET /fail", admin.Viewer, admin.JSON(func(*http.Request) (any, error) { return nil, errors.New("the disk is full") }))
	s.Handle("POST /read", admin.Operator, admin.JSON(func(r *http.Request) (any, error) {
		var in struct{ Share string }
		return in, admin.ReadJSON(r, &in)
	}))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, listener) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return "http://" + listener.Addr().String()
}

// call sends one request; set gives header pairs. It returns the status and the error's code or the body.
func call(t *testing.T, client *http.Client, method, url, body string, set ...string) (int, string, http.Header) {
	t.Helper()
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(set); i += 2 {
		if set[i] == "Host" {
			r.Host = set[i+1]
		}
		r.Header.Set(set[i], set[i+1])
	}
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	var told struct{ Error admin.Error }
	if json.Unmarshal(text, &told) == nil && told.Error.Code != "" {
		return answer.StatusCode, told.Error.Code, answer.Header
	}
	return answer.StatusCode, strings.Trim(string(text), "\"\n"), answer.Header
}

func TestWhoMayDoWhat(t *testing.T) {
	open := start(t, admin.Config{}, admin.Options{})
	closed := start(t, admin.Config{TokenFile: tokenFile(t)}, admin.Options{})
	bearer := func(token string) []string { return []string{"Authorization", "Bearer " + token} }
	for _, c := range []struct {
		name, method, url string
		set               []string
		status            int
		says              string
	}{
		{"loopback", "GET", open + "/look", nil, 200, "local operator"},
		{"loopback with a name", "POST", open + "/change", []string{admin.ActorHeader, "kim"}, 200, "kim operator"},
		{"loopback with a bad name", "POST", open + "/change", []string{admin.ActorHeader, "kim lee"}, 400, "bad-name"},
		{"no token", "GET", closed + "/look", nil, 401, "no-token"},
		{"no token but a name", "GET", closed + "/look", []string{admin.ActorHeader, "bob"}, 401, "no-token"},
		{"wrong token", "GET", closed + "/look", bearer("wrong-token-0123456789"), 401, "unknown-token"},
		{"token cut short", "GET", closed + "/look", bearer(viewerToken[:20]), 401, "unknown-token"},
		{"basic", "GET", closed + "/look", []string{"Authorization", "Basic " + viewerToken}, 401, "no-token"},
		{"viewer looks", "GET", closed + "/look", bearer(viewerToken), 200, "ann viewer"},
		{"viewer changes", "POST", closed + "/change", bearer(viewerToken), 403, "not-allowed"},
		{"operator looks", "GET", closed + "/look", bearer(operatorToken), 200, "bob operator"},
		{"operator changes", "POST", closed + "/change", bearer(operatorToken), 200, "bob operator"},
		{"token wins over name", "POST", closed + "/change", append(bearer(operatorToken), admin.ActorHeader, "eve"), 200, "bob operator"},
		{"metrics without token", "GET", closed + "/metrics", nil, 401, "no-token"},
		{"probe without token", "GET", closed + "/livez", nil, 200, "ok"},
		{"unknown path", "GET", closed + "/nowhere", nil, 404, "not-found"},
		{"wrong method", "DELETE", closed + "/look", nil, 405, "wrong-method"},
		{"no content", "GET", open + "/nothing", nil, 204, ""},
		{"internal", "GET", open + "/fail", nil, 500, "internal"},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, says, header := call(t, http.DefaultClient, c.method, c.url, "", c.set...)
			if status != c.status || says != c.says {
				t.Errorf("got %d %q, want %d %q", status, says, c.status, c.says)
			}
			for name, want := range map[string]string{"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Content-Security-Policy": "frame-ancestors 'none'"} {
				if header.Get(name) != want {
					t.Errorf("%s: %q", name, header.Get(name))
				}
			}
			if status == 401 && header.Get("WWW-Authenticate") == "" {
				t.Error("401 without WWW-Authenticate")
			}
		})
	}
}

func TestPagesOfOthersAreRefused(t *testing.T) {
	url := start(t, admin.Config{}, admin.Options{})
	port := url[strings.LastIndexByte(url, ':'):]
	for _, c := range []struct {
		name, method, path string
		set                []string
		status             int
	}{
		{"cross-site post", "POST", "/change", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"same-site post", "POST", "/change", []string{"Sec-Fetch-Site", "same-site"}, 403},
		{"same-origin post", "POST", "/change", []string{"Sec-Fetch-Site", "same-origin"}, 200},
		{"old browser, other origin", "POST", "/change", []string{"Origin", "http://evil.example"}, 403},
		{"old browser, this origin", "POST", "/change", []string{"Origin", url}, 200},
		{"cross-site look", "GET", "/look", []string{"Sec-Fetch-Site", "cross-site"}, 200},
		{"rebinding", "GET", "/look", []string{"Host", "evil.example" + port}, 421},
		{"rebinding post", "POST", "/change", []string{"Host", "evil.example" + port}, 421},
		{"rebinding metrics", "GET", "/metrics", []string{"Host", "evil.example"}, 421},
		{"a name that begins right", "GET", "/look", []string{"Host", "localhost.evil.example"}, 421},
		{"an address that begins right", "GET", "/look", []string{"Host", "127.0.0.1.evil.example"}, 421},
		{"localhost", "GET", "/look", []string{"Host", "LocalHost" + port}, 200},
		{"IPv6", "GET", "/look", []string{"Host", "[::1]" + port}, 200},
		{"IPv6 without port", "GET", "/look", []string{"Host", "[::1]"}, 200},
		{"probe of any host", "GET", "/livez", []string{"Host", "10.1.2.3:8081"}, 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			if status, says, _ := call(t, http.DefaultClient, c.method, url+c.path, "", c.set...); status != c.status {
				t.Errorf("got %d %q, want %d", status, says, c.status)
			}
		})
	}
	// where a token is demanded, a host name is no secret
	url = start(t, admin.Config{TokenFile: tokenFile(t)}, admin.Options{})
	if status, _, _ := call(t, http.DefaultClient, "GET", url+"/look", "", "Host", "gateway.internal", "Authorization", "Bearer "+viewerToken); status != 200 {
		t.Errorf("a name with a token: %d", status)
	}
}

func TestReadJSON(t *testing.T) {
	url := start(t, admin.Config{}, admin.Options{}) + "/read"
	for body, want := range map[string]int{
		`{"share":"5%"}`: 200, `{"share":"5%"} `: 200, `{"shares":"5%"}`: 400, `{"share":"5%"}{}`: 400, `{"share":"5%"}x`: 400, ``: 400, `{`: 400,
		`{"share":"` + strings.Repeat("x", admin.MaxBody) + `"}`: 413,
	} {
		if status, says, _ := call(t, http.DefaultClient, "POST", url, body, "Content-Type", "application/json"); status != want {
			t.Errorf("%.20q: got %d %s, want %d", body, status, says, want)
		}
	}
	if status, _, _ := call(t, http.DefaultClient, "POST", url, `{}`, "Content-Type", "text/plain"); status != 415 {
		t.Errorf("text/plain: %d", status) // what a form of another page can send
	}
}

func TestProbes(t *testing.T) {
	var unready error
	url := start(t, admin.Config{}, admin.Options{Ready: func() error { return unready }})
	if status, says, _ := call(t, http.DefaultClient, "GET", url+"/readyz?verbose", ""); status != 200 || says != "[+]ready\nok" {
		t.Errorf("ready: %d %q", status, says)
	}
	unready = errors.Join(errors.New("stopping"), errors.New("no server of vm is healthy"))
	if status, says, _ := call(t, http.DefaultClient, "GET", url+"/readyz", ""); status != 503 || says != "stopping\nno server of vm is healthy" {
		t.Errorf("not ready: %d %q", status, says)
	}
	if status, says, _ := call(t, http.DefaultClient, "GET", url+"/readyz?verbose", ""); status != 503 || says != "[-]ready: stopping\n[-]ready: no server of vm is healthy" {
		t.Errorf("not ready, verbose: %d %q", status, says)
	}
	if status, says, _ := call(t, http.DefaultClient, "GET", url+"/livez", ""); status != 200 || says != "ok" {
		t.Errorf("live: %d %q", status, says)
	}
}

func TestMetrics(t *testing.T) {
	url := start(t, admin.Config{}, admin.Options{})
	call(t, http.DefaultClient, "GET", url+"/look", "")
	_, text, header := call(t, http.DefaultClient, "GET", url+"/metrics", "", "Accept", "application/openmetrics-text;version=1.0.0")
	if kind := header.Get("Content-Type"); !strings.HasPrefix(kind, "application/openmetrics-text") || !strings.HasSuffix(text, "# EOF") {
		t.Errorf("not OpenMetrics: %q", kind)
	}
	_, text, _ = call(t, http.DefaultClient, "GET", url+"/metrics", "", "Accept", "text/plain;version=0.0.4")
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"go_goroutines", "process_open_fds", "yadokari_admin_in_flight_requests", "yadokari_admin_open_streams"} {
		if families[name] == nil {
			t.Errorf("%s is missing", name)
		}
	}
	requests := families["yadokari_admin_requests_total"]
	if requests == nil || len(requests.Metric) != 1 || requests.Metric[0].Counter.GetValue() != 2 {
		t.Errorf("requests: %v", requests)
	}
}

func TestServeRefusesAnOpenPort(t *testing.T) {
	s, err := admin.New(admin.Config{Listen: "localhost:0"}, admin.Options{Logger: slog.New(slog.DiscardHandler), Registry: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	// handed over by a supervisor that binds more than the file says
	if err := s.Serve(t.Context(), &elsewhere{}); err == nil || !strings.Contains(err.Error(), "nothing tells callers apart") {
		t.Errorf("got %v", err)
	}
}

type elsewhere struct{ net.Listener }

func (*elsewhere) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4zero, Port: 8081} }
func (*elsewhere) Close() error   { return nil }

func TestNewNamesTheFault(t *testing.T) {
	for name, c := range map[string]struct {
		cfg  admin.Config
		want string
	}{
		"open":           {admin.Config{Listen: ":8081"}, "can be reached from other machines"},
		"no token file":  {admin.Config{Listen: "127.0.0.1:0", TokenFile: "/nonexistent/tokens"}, "/nonexistent/tokens"},
		"bad token file": {admin.Config{Listen: "127.0.0.1:0", TokenFile: write(t, "bad", "ann viewer short\n")}, "line 1: the token has 5 characters"},
		"no certificate": {admin.Config{Listen: "127.0.0.1:0", TLS: &certs.Files{Cert: "/nonexistent/c.pem", Key: "/nonexistent/k.pem"}}, "/nonexistent/"},
	} {
		_, err := admin.New(c.cfg, admin.Options{Logger: slog.New(slog.DiscardHandler), Registry: prometheus.NewRegistry()})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

// authority signs certificates for tests.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

func newAuthority(t *testing.T) *authority {
	a := &authority{}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign}
	a.key, a.cert, a.pem = sign(t, template, nil)
	return a
}

func sign(t *testing.T, template *x509.Certificate, by *authority) (*ecdsa.PrivateKey, *x509.Certificate, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	parent, signer := template, key
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return key, cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// issue writes a certificate and its key and returns their paths.
func (a *authority) issue(t *testing.T, name string) (cert, key string) {
	t.Helper()
	k, _, text := sign(t, &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}}, a)
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return write(t, "cert.pem", string(text)), write(t, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
}

func TestClientCertificates(t *testing.T) {
	ours, theirs := newAuthority(t), newAuthority(t)
	cert, key := ours.issue(t, "gateway")
	ca := write(t, "ca.pem", string(ours.pem))
	url := start(t, admin.Config{TLS: &certs.Files{Cert: cert, Key: key}, ClientCA: ca, TokenFile: tokenFile(t)}, admin.Options{})
	url = strings.Replace(url, "http:", "https:", 1)
	with := func(by *authority, name string) *http.Client {
		roots := x509.NewCertPool()
		roots.AddCert(ours.cert)
		settings := &tls.Config{RootCAs: roots}
		if by != nil {
			pair, err := tls.LoadX509KeyPair(by.issue(t, name))
			if err != nil {
				t.Fatal(err)
			}
			settings.Certificates = []tls.Certificate{pair}
		}
		return &http.Client{Transport: &http.Transport{TLSClientConfig: settings}}
	}
	if status, says, _ := call(t, with(ours, "deploy@ci"), "POST", url+"/change", ""); status != 200 || says != "deploy@ci operator" {
		t.Errorf("our certificate: %d %q", status, says)
	}
	if status, says, _ := call(t, with(ours, "deploy@ci"), "POST", url+"/change", "", "Authorization", "Bearer "+viewerToken); status != 403 {
		t.Errorf("our certificate with a viewer's token: %d %q", status, says)
	}
	if status, says, _ := call(t, with(ours, "two words"), "POST", url+"/change", ""); status != 403 || says != "bad-name" {
		t.Errorf("a name the ledger cannot hold: %d %q", status, says)
	}
	for name, client := range map[string]*http.Client{"none": with(nil, ""), "another authority's": with(theirs, "eve")} {
		if answer, err := client.Get(url + "/look"); err == nil {
			answer.Body.Close()
			t.Errorf("%s: %s", name, answer.Status)
		}
	}
}

func TestWritesAreLogged(t *testing.T) {
	var log bytes.Buffer
	url := start(t, admin.Config{TokenFile: tokenFile(t)}, admin.Options{Logger: slog.New(slog.NewJSONHandler(&log, nil))})
	call(t, http.DefaultClient, "POST", url+"/change", "", "Authorization", "Bearer "+operatorToken)
	call(t, http.DefaultClient, "GET", url+"/look", "", "Authorization", "Bearer "+operatorToken) // the first one's line is out by now
	lines := bufio.NewScanner(strings.NewReader(log.String()))
	var last struct {
		Msg, Caller, Method, Path string
		Status                    int
	}
	for lines.Scan() {
		if err := json.Unmarshal(lines.Bytes(), &last); err != nil {
			t.Fatal(err)
		}
	}
	if got := fmt.Sprint(last); got != "{admin request bob POST /change 200}" {
		t.Errorf("got %s", got)
	}
	if strings.Contains(log.String(), operatorToken) {
		t.Error("a token is in the log")
	}
}
