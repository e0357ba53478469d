package console

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"yadokari/admin/client"
	"yadokari/examples/tracker"
	"yadokari/examples/tracker/browse"
	"yadokari/shift"
)

// patience is how long anything may take that is not measured.
const patience = 2 * time.Minute

// site is the tracker in two builds behind a gateway.
type site struct {
	t              *testing.T
	dir            string
	vm, containers *tracker.Child
	listen, admin  string // addresses
	backends       string // the section, in place of the two builds
	tokens         string // the token file's text
	osaka          string // the page of the other service cluster
	gateway        *exec.Cmd
	client         *client.Client
}

// usualRoutes are the routes of most tests; ROUTES in the file.
const usualRoutes = `
    - name: wiki
      match: ["/wiki/"]
      shift: {stages: [mirror, 1%, 5%, 25%, 50%, 100%], hold: 20s, minRequests: 400, promote: manual}
      mirror: {rate: 40%}
    - name: issues
      match: ["/issues", "/issues/"]
      shift: {stages: [5%, 25%, 50%, 100%], hold: 5m, minRequests: 3000, tolerate: {errors: 0.1%, p95: 30%}}
    - name: board
      match: ["/board", "/board/"]
      shift: {stages: [mirror, 5%, 50%, 100%], hold: 2s, minRequests: 60, promote: manual, tolerate: {p50: 100%}}
      mirror: {rate: 40%}
    - name: files
      match: ["/files", "/files/"]
      shift: {stages: [5%, 50%, 100%], hold: 2s, minRequests: 60}
    - name: json-api
      match: ["/api/"]
      shift: {stages: [mirror, 5%, 25%, 50%, 100%], hold: 2s, minRequests: 60}
      mirror: {rate: 100%}
    - name: search
      match: ["GET /search"]
      shift: {stages: [5%, 100%], hold: 10m, minRequests: 500}
    - name: rest
      match: ["/"]
`

// newSite starts both builds and a gateway with routes.
func newSite(t *testing.T, routes string, change ...func(*site)) *site {
	t.Helper()
	s := &site{t: t, dir: t.TempDir()}
	s.listen, s.admin = freeAddress(t), freeAddress(t)
	for _, f := range change {
		f(s)
	}
	if s.backends == "" {
		s.vm, s.containers = s.build("vm"), s.build("containers")
		s.backends = fmt.Sprintf("vm: {servers: [%q]}\n    containers: {servers: [%q], slowStart: 3s}", s.vm.URL, s.containers.URL)
	}
	s.write(routes)
	s.start()
	t.Cleanup(func() { s.kill(syscall.SIGTERM) })
	return s
}

// build starts one build of the app on the data that both share.
func (s *site) build(version string) *tracker.Child {
	s.t.Helper()
	c, err := tracker.Start(s.t.Context(), exec.Command(program("tracker")), tracker.Config{
		Listen: "127.0.0.1:0", Control: "127.0.0.1:0", Data: filepath.Join(s.dir, "data"), Version: version,
		Think: tracker.Think{Median: 3 * time.Millisecond, P99: 15 * time.Millisecond},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = c.Kill() })
	return c
}

func (s *site) file() string { return filepath.Join(s.dir, "yadokari.yaml") }

func (s *site) write(routes string) {
	s.t.Helper()
	admin := fmt.Sprintf("%q", s.admin)
	if s.tokens != "" {
		path := filepath.Join(s.dir, "tokens")
		if err := os.WriteFile(path, []byte(s.tokens), 0o600); err != nil {
			s.t.Fatal(err)
		}
		admin = fmt.Sprintf("{listen: %q, tokenFile: %q}", s.admin, path)
	}
	text := fmt.Sprintf(`app: tracker
gateway:
  listen: %q
  admin: %s
  state: %q
  accessLog: "off"
  shutdown: {deregister: 0s, drain: 2s}
  backends:
    %s
  sticky: {cookie: SESSION}
  routes: %s
clusters:
  osaka-1: {gateway: {page: %q}}
  tokyo-2: {}
  tokyo-3: {}
`, s.listen, admin, filepath.Join(s.dir, "state"), s.backends, routes, s.osaka)
	if err := os.WriteFile(s.file(), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// start starts the gateway and returns when its API answers.
func (s *site) start() {
	s.t.Helper()
	log, err := os.OpenFile(filepath.Join(s.dir, "gateway.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = log.Close() }() // the process has its own
	s.gateway = exec.Command(program("yadokari"), "gateway", "-c", s.file(), "--cluster", "tokyo-2")
	s.gateway.Stdout, s.gateway.Stderr = log, log
	s.gateway.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.gateway.Start(); err != nil {
		s.t.Fatal(err)
	}
	token := ""
	for line := range strings.Lines(s.tokens) {
		token = strings.Fields(line)[2] // the last one is an operator's
	}
	if s.client, err = client.New(client.Options{URL: s.admin, Token: token}); err != nil {
		s.t.Fatal(err)
	}
	s.until("the gateway answers", func() bool {
		return s.client.Do(s.t.Context(), "GET", "/api/v1/gateway", nil, &struct{}{}) == nil
	})
}

// kill ends the gateway; it may have ended already.
func (s *site) kill(how os.Signal) {
	_ = s.gateway.Process.Signal(how)
	_ = s.gateway.Wait()
}

// until waits for something that comes about in another process.
func (s *site) until(what string, done func() bool) {
	s.t.Helper()
	for end := time.Now().Add(patience); !done(); time.Sleep(20 * time.Millisecond) {
		if s.gateway.ProcessState != nil || time.Now().After(end) {
			log, _ := os.ReadFile(filepath.Join(s.dir, "gateway.log"))
			s.t.Fatalf("waited in vain: %s\n%s", what, log[max(0, len(log)-3000):])
		}
	}
}

func (s *site) page() string { return "http://" + s.admin + "/" }

func (s *site) status(route string) shift.Status {
	s.t.Helper()
	var st shift.Status
	if err := s.client.Do(s.t.Context(), "GET", "/api/v1/routes/"+route, nil, &st); err != nil {
		s.t.Fatal(err)
	}
	return st
}

// post is an action without the page.
func (s *site) post(path string, body any) {
	s.t.Helper()
	if err := s.client.Do(s.t.Context(), "POST", "/api/v1/"+path, body, nil); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) put(route, share, why string) {
	s.t.Helper()
	if err := s.client.Do(s.t.Context(), "PUT", "/api/v1/routes/"+route+"/share", map[string]string{"share": share, "why": why}, nil); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) faults(list ...string) {
	s.t.Helper()
	var faults []tracker.Fault
	for _, text := range list {
		f, err := tracker.ParseFault(text)
		if err != nil {
			s.t.Fatal(err)
		}
		faults = append(faults, f)
	}
	if err := tracker.SetFaults(s.t.Context(), s.containers.ControlURL, faults...); err != nil {
		s.t.Fatal(err)
	}
}

// load lets people browse until the test ends.
func (s *site) load(rate float64) *browse.Load {
	s.t.Helper()
	ctx, stop := context.WithCancel(s.t.Context())
	l, err := browse.Start(ctx, browse.Config{URL: "http://" + s.listen, Users: 40, Rate: rate})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { stop(); l.Wait() })
	return l
}

// builds asks a route as many users and counts which build answers.
func (s *site) builds(path string, users int) map[string]int {
	s.t.Helper()
	seen := map[string]int{}
	for i := range users {
		r, err := http.NewRequestWithContext(s.t.Context(), "GET", "http://"+s.listen+path, nil)
		if err != nil {
			s.t.Fatal(err)
		}
		r.AddCookie(&http.Cookie{Name: "SESSION", Value: fmt.Sprintf("user-%d-of-many", i)})
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			s.t.Fatal(err)
		}
		_ = answer.Body.Close()
		seen[answer.Header.Get("X-Tracker-Build")]++
	}
	return seen
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}
