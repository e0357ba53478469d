package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"yadokari/api"
	"yadokari/gateway"
	"yadokari/shift"
)

// cli is a running gateway and the command line that speaks to it.
type cli struct {
	*testing.T
	config string
}

// gateway runs one with a route that moves through 5 %, 50 % and 100 %, and ends it with the test.
func (c *cli) gateway() {
	c.Helper()
	site := httptest.NewServer(http.NotFoundHandler())
	c.Cleanup(site.Close)
	c.config = file(c.T, fmt.Sprintf(`gateway:
  listen: %q
  admin: %q
  state: %q
  accessLog: "off"
  shutdown: {deregister: 0s}
  backends:
    vm: {servers: [%[4]q]}
    containers: {servers: [%[4]q]}
    lost: {servers: ["http://%[5]s:80"]}
  routes:
    - {name: wiki, match: [/wiki/], shift: {stages: [5%%, 50%%, 100%%], hold: 1h}}
    - {name: board, match: [/board/], shift: {stages: [5%%, 100%%], hold: 1h}}
    - {name: rest, match: [/]}
`, unused(c.T), unused(c.T), filepath.Join(c.TempDir(), "state"), site.URL, neverFound))
	ctx, cancel := context.WithCancel(c.Context())
	var out, err bytes.Buffer
	ended := make(chan int)
	go func() {
		env := &environment{in: strings.NewReader(""), out: &out, err: &err, getenv: func(string) string { return "" }}
		ended <- run(ctx, env, []string{"gateway", "-c", c.config})
	}()
	c.Cleanup(func() {
		cancel()
		if code := <-ended; code != 0 {
			c.Errorf("gateway: exit %d, %s", code, err.String())
		}
	})
	waitFor(c.T, func() bool { code, _, _ := c.run("shift", "status"); return code == 0 })
}

// neverFound is a name that is refused before anybody is asked: a label has 63 bytes at most.
var neverFound = strings.Repeat("a", 64)

// unused is an address where nobody listens.
func unused(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func (c *cli) run(args ...string) (int, string, string) {
	return yadokari(c.T, nil, append(args, "-c", c.config)...)
}

// moved runs a verb that answers with one route, and holds it against what is wanted.
func (c *cli) moved(state shift.State, stage string, args ...string) {
	c.Helper()
	code, out, err := c.run(append([]string{"shift"}, append(args, "-o", "json")...)...)
	var s shift.Status
	if code != 0 || json.Unmarshal([]byte(out), &s) != nil || s.State != state || s.Stage != stage {
		c.Errorf("shift %s: exit %d, state %q, stage %q, want %q, %q; %s", strings.Join(args, " "), code, s.State, s.Stage, state, stage, err)
	}
}

// refused runs a verb that must exit with code and say want in one line.
func (c *cli) refused(code int, want string, args ...string) {
	c.Helper()
	got, out, err := c.run(args...)
	if got != code || out != "" || !strings.Contains(err, want) || strings.Count(err, "\n") != 1 {
		c.Errorf("%q: exit %d, out %q, err %q, want %d and %q", args, got, out, err, code, want)
	}
}

func TestShiftVerbs(t *testing.T) {
	c := &cli{T: t}
	c.gateway()
	c.moved(shift.Shifting, "5%", "start", "wiki", "--why", "ticket OPS-12")
	c.refused(1, "wiki", "shift", "start", "wiki")
	c.moved(shift.Paused, "5%", "pause", "wiki")
	c.moved(shift.Shifting, "5%", "resume", "wiki")
	c.moved(shift.Shifting, "50%", "promote", "wiki")
	c.moved(shift.Paused, "25%", "set", "wiki", "25%")
	c.moved(shift.RolledBack, "", "rollback", "wiki", "--why", "ticket OPS-13")
	c.moved(shift.Shifting, "5%", "start", "wiki")
	c.moved(shift.Done, "100%", "set", "board", "100%")
	c.refused(2, "name one route, or --all", "shift", "rollback")
	c.refused(2, "name one route, or --all", "shift", "rollback", "wiki", "--all")
	c.refused(2, "share", "shift", "set", "wiki", "105%")
	c.refused(1, "rest", "shift", "start", "rest")
	c.refused(1, `"wikis"`, "shift", "pause", "wikis")

	var list []shift.Status
	if _, out, err := c.run("shift", "rollback", "--all", "--why", "bad night", "-o", "json"); json.Unmarshal([]byte(out), &list) != nil || len(list) != 2 {
		t.Errorf("rollback --all: %s%s", out, err)
	}
	if _, out, err := c.run("shift", "status", "-o", "json"); json.Unmarshal([]byte(out), &list) != nil || len(list) != 3 {
		t.Errorf("status: %s%s", out, err)
	}
	for _, s := range list {
		if s.Share != 0 || (s.State != shift.RolledBack) != (s.Route == "rest") {
			t.Errorf("after rollback --all %s is %s at %s", s.Route, s.State, s.Share)
		}
	}
	_, out, _ := c.run("shift", "history", "wiki")
	for _, want := range []string{"ticket OPS-12", "ticket OPS-13", "bad night", "promote", "pause", "resume"} {
		if !strings.Contains(out, want) {
			t.Errorf("the history of wiki lacks %q:\n%s", want, out)
		}
	}
}

func TestBackendVerbs(t *testing.T) {
	c := &cli{T: t}
	c.gateway()
	var list []api.Backend
	_, out, err := c.run("backend", "list", "vm", "-o", "json")
	if json.Unmarshal([]byte(out), &list) != nil || len(list) != 1 || len(list[0].Servers) != 1 {
		t.Fatalf("backend list: %s%s", out, err)
	}
	server := list[0].Servers[0].ID
	if _, out, _ := c.run("backend", "list"); strings.Count(out, server) != 2 {
		t.Errorf("backend list:\n%s", out)
	}
	if _, out, _ := c.run("backend", "list", "lost"); !strings.Contains(out, "unresolved") || !strings.Contains(out, neverFound) {
		t.Errorf("backend list of a name that is not found:\n%s", out)
	}
	c.refused(1, `no backend "vms"`, "backend", "list", "vms")
	c.refused(1, "10.9.9.9:1", "backend", "drain", "vm", "10.9.9.9:1")
	for _, step := range []struct {
		verb string
		want bool
	}{{"drain", true}, {"wait", true}, {"undrain", false}} {
		var s gateway.ServerStatus
		code, out, err := c.run("backend", step.verb, "vm", server, "-o", "json")
		if json.Unmarshal([]byte(out), &s) != nil || code != 0 || s.Drained != step.want || s.InFlight != 0 {
			t.Errorf("backend %s: exit %d, %s%s", step.verb, code, out, err)
		}
	}
}

// A file that cannot be used keeps nobody from acting, but is not passed over in silence: another gateway
// than the one that is meant may listen at the usual address.
func TestVerbsWithAFileThatCannotBeUsed(t *testing.T) {
	for name, path := range map[string]string{
		"faulty":           file(t, "gateway:\n  admin: 127.0.0.1:9999\n  lisen: x\n"),
		"named, not there": filepath.Join(t.TempDir(), "none.yaml"),
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := yadokari(t, nil, "shift", "status", "-c", path)
			if !strings.HasPrefix(err, path+":") || !strings.Contains(err, "http://127.0.0.1:8081 is asked") || !strings.Contains(err, "--admin") {
				t.Errorf("got %q", err)
			}
			if _, _, err := yadokari(t, nil, "shift", "status", "-c", path, "--admin", "http://127.0.0.1:1"); strings.Contains(err, path) {
				t.Errorf("the file is not needed, and yet: %q", err)
			}
		})
	}
	t.Chdir(t.TempDir())
	if _, _, err := yadokari(t, nil, "shift", "status"); strings.Contains(err, "yadokari.yaml") {
		t.Errorf("without any file: %q", err)
	}
}
