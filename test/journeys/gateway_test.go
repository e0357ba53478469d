package journeys

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"yadokari/api"
	"yadokari/shift"
	"yadokari/test/process"
)

// gateway is yadokari gateway, over the restarts of its process.
type gateway struct {
	*process.Process
	dir, file, address, admin, state, log string
}

// setUp is what differs from test to test.
type setUp struct {
	vm, containers []string // host:port
	routes         string   // YAML below routes:; empty: one route "all" with stages 25%, 100%
	extra          string   // YAML lines below gateway:, indented by two
	backend        string   // more keys of the backend containers, in flow style, with a comma before
	old            string   // more keys of the backend vm, likewise
	sticky         string   // empty: the cookie SESSION
	noLog          bool     // no access log
}

const oneRoute = `
    - name: all
      match: ["/"]
      shift: {stages: [25%, 100%], hold: 1h, minRequests: 100, promote: manual}
      mirror: {moved: 0%} # the two sides of these tests say who they are
`

// startGateway starts a gateway in front of two sides and waits until it serves.
func startGateway(t *testing.T, s setUp) *gateway {
	t.Helper()
	dir := t.TempDir()
	g := &gateway{
		dir: dir, file: filepath.Join(dir, "yadokari.yaml"), address: process.FreeAddress(t), admin: process.FreeAddress(t),
		state: filepath.Join(dir, "state"), log: filepath.Join(dir, "access.log"),
	}
	g.configure(t, s)
	g.run(t)
	return g
}

// configure writes the configuration file.
func (g *gateway) configure(t *testing.T, s setUp) {
	t.Helper()
	if s.routes == "" {
		s.routes = oneRoute
	}
	if s.sticky == "" {
		s.sticky = "{cookie: SESSION}"
	}
	log := g.log
	if s.noLog {
		log = "off"
	}
	process.WriteFile(t, g.dir, "yadokari.yaml", fmt.Sprintf(`app: journey
gateway:
  listen: %q
  admin: %q
  state: %q
  accessLog: %q
  shutdown: {deregister: 200ms, drain: 20s}
  sticky: %s
  fallback: {timeout: 1s}
%s
  backends:
    vm: {servers: [%s], slowStart: 0s, connect: 15s, response: 15s%s}
    containers: {servers: [%s], slowStart: 0s, response: 3s%s}
  routes:%s`, g.address, g.admin, g.state, log, s.sticky, s.extra, urls(s.vm), s.old, urls(s.containers), s.backend, s.routes))
}

func urls(addresses []string) string {
	list := make([]string, len(addresses))
	for i, a := range addresses {
		list[i] = fmt.Sprintf("%q", "http://"+a)
	}
	return strings.Join(list, ", ")
}

// command is the gateway's command line.
func (g *gateway) command() *exec.Cmd {
	return exec.Command(program("yadokari"), "gateway", "-c", g.file)
}

// run starts the process, or starts it again, and waits until it is ready.
func (g *gateway) run(t *testing.T) {
	t.Helper()
	g.Process = process.Start(t, "gateway", g.command())
	g.Listening(t, g.admin)
	process.Eventually(t, "the gateway is ready", func() bool {
		answer, err := http.Get("http://" + g.admin + "/readyz")
		if err != nil {
			return false
		}
		_ = answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	})
}

func (g *gateway) url() string { return "http://" + g.address }

// call asks the admin API.
func (g *gateway) call(method, path string, in, out any) error {
	body := ""
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = string(text)
	}
	r, err := http.NewRequestWithContext(context.Background(), method, "http://"+g.admin+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s: %s", method, path, answer.Status, text)
	}
	return json.Unmarshal(text, out)
}

// status is how a route is now.
func (g *gateway) status(t *testing.T, route string) shift.Status {
	t.Helper()
	var s shift.Status
	if err := g.call(http.MethodGet, "/api/v1/routes/"+route, nil, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// set sets a route's share by hand.
func (g *gateway) set(t *testing.T, route, share string) {
	t.Helper()
	if err := g.call(http.MethodPut, "/api/v1/routes/"+route+"/share", map[string]string{"share": share}, new(shift.Status)); err != nil {
		t.Fatal(err)
	}
}

// inFlight is how many requests a backend's servers have under way.
func (g *gateway) inFlight(t *testing.T, backend string) (n int) {
	t.Helper()
	var all []api.Backend
	if err := g.call(http.MethodGet, "/api/v1/backends", nil, &all); err != nil {
		t.Fatal(err)
	}
	for _, b := range all {
		if b.Name != backend {
			continue
		}
		for _, server := range b.Servers {
			n += server.InFlight
		}
	}
	return n
}

// cli runs a verb of the program against this gateway.
func (g *gateway) cli(args ...string) (stdout, stderr string, exit int) {
	command := exec.Command(program("yadokari"), append(args, "--admin", "http://"+g.admin)...)
	var out, problem strings.Builder
	command.Stdout, command.Stderr = &out, &problem
	err := command.Run()
	var status *exec.ExitError
	if err != nil && !errors.As(err, &status) {
		return "", err.Error(), -1
	}
	return out.String(), problem.String(), command.ProcessState.ExitCode()
}

// mustCLI runs a verb that has to succeed.
func (g *gateway) mustCLI(t *testing.T, args ...string) string {
	t.Helper()
	out, problem, exit := g.cli(args...)
	if exit != 0 {
		t.Fatalf("yadokari %s: exit %d: %s", strings.Join(args, " "), exit, problem)
	}
	return out
}

// ledger is the ledger file, oldest entry first.
func (g *gateway) ledger(t *testing.T) []shift.Entry {
	t.Helper()
	return readLines[shift.Entry](t, filepath.Join(g.state, "ledger.jsonl"))
}

// access is one line of the access log.
type access struct {
	Time         time.Time `json:"time"`
	Route        string    `json:"route"`
	Side         string    `json:"side"`
	Status       int       `json:"status"`
	Duration     float64   `json:"duration_ms"`
	FirstSide    string    `json:"first_side"`
	FirstOutcome string    `json:"first_outcome"`
	FirstStatus  int       `json:"first_status"`
	First        float64   `json:"first_ms"`
	Fallback     bool      `json:"fallback"`
}

// failedAt is when the gateway learnt that the new side had failed the request; ok is false when it
// had not.
func (a access) failedAt() (at time.Time, ok bool) {
	if a.FirstSide != "containers" || (a.FirstOutcome == "ok" || a.FirstOutcome == "canceled") && a.FirstStatus < 500 {
		return time.Time{}, false
	}
	return a.Time.Add(time.Duration(a.First * float64(time.Millisecond))), true
}

func readLines[T any](t *testing.T, path string) []T {
	t.Helper()
	file := must[*os.File](t)(os.Open(path))
	defer file.Close()
	var list []T
	lines := bufio.NewScanner(file)
	for lines.Buffer(nil, 4<<20); lines.Scan(); {
		var v T
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			t.Fatalf("%s: %q: %v", path, lines.Text(), err)
		}
		list = append(list, v)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}

// reload sends SIGHUP and waits until the gateway says what came of it.
func (g *gateway) reload(t *testing.T, says string) {
	t.Helper()
	before := strings.Count(g.Out.String(), says)
	g.Signal(syscall.SIGHUP)
	process.Eventually(t, "the gateway says "+says, func() bool { return strings.Count(g.Out.String(), says) > before })
}
