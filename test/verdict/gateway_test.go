package verdict

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"yadokari/test/process"
)

// gateway is yadokari gateway with one route, in front of two sides.
type gateway struct {
	*process.Process
	address, admin string
	log            *accessLog
}

// startGateway starts a gateway whose settings are the defaults, but for when the old side is asked early and a copy is given up, and
// waits until it serves. more are lines of its section: the first of the gateway, the second of the route's shift.
func startGateway(t *testing.T, timeout time.Duration, vm, containers []string, more ...string) *gateway {
	t.Helper()
	dir := t.TempDir()
	g := &gateway{address: process.FreeAddress(t), admin: process.FreeAddress(t)}
	g.log = &accessLog{path: filepath.Join(dir, "access.log")}
	more = append(more, "", "")
	file := process.WriteFile(t, dir, "yadokari.yaml", fmt.Sprintf(`app: shop
gateway:
  listen: %q
  admin: %q
  state: %q
  accessLog: %q
  shutdown: {deregister: 0s, drain: 1s}
  sticky: {cookie: SESSION}
  fallback: {timeout: %s}
%s
  backends:
    vm: {servers: [%s], slowStart: 0s}
    containers: {servers: [%s], slowStart: 0s}
  routes:
    - name: shop
      match: ["/"]
      shift:
          stages: [mirror, 5%%, 100%%]
          hold: 1h
          promote: manual
%s
      mirror: {timeout: %s}
`, g.address, g.admin, filepath.Join(dir, "state"), g.log.path, timeout, more[0], urls(vm), urls(containers), more[1], timeout))
	g.Process = process.Start(t, "gateway", exec.Command(yadokari(), "gateway", "-c", file))
	g.Listening(t, g.admin)
	process.Eventually(t, "the gateway is ready", func() bool {
		answer, err := http.Get("http://" + g.admin + "/readyz")
		if err != nil {
			return false
		}
		defer answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	})
	return g
}

func urls(addresses []string) string {
	list := make([]string, len(addresses))
	for i, a := range addresses {
		list[i] = fmt.Sprintf("%q", "http://"+a)
	}
	return strings.Join(list, ", ")
}

// status is what the tests want to know of the route.
type status struct {
	State  string `json:"state"`
	Reason string `json:"reason"`
}

const rolledBack = "rolled-back"

// call asks the admin API for something about the route.
func (g *gateway) call(method, path string, in any) (status, error) {
	body, err := json.Marshal(in)
	if err != nil {
		return status{}, err
	}
	r, err := http.NewRequest(method, "http://"+g.admin+"/api/v1/routes/shop"+path, bytes.NewReader(body))
	if err != nil {
		return status{}, err
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return status{}, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return status{}, err
	}
	if answer.StatusCode != http.StatusOK {
		return status{}, fmt.Errorf("%s %s: %s: %s", method, path, answer.Status, text)
	}
	var s status
	return s, json.Unmarshal(text, &s)
}

// status is how the route is now.
func (g *gateway) status(t *testing.T) status {
	t.Helper()
	return must[status](t)(g.call(http.MethodGet, "", nil))
}

// Stages to enter. Any share is one as well.
const (
	mirror = "mirror"
	done   = "done"
	last   = "100%" // after a stage with a share, whose requests are the measure
)

// enter begins a stage without anything that is known from an earlier one.
func (g *gateway) enter(t *testing.T, stage string) {
	t.Helper()
	g.set(t, "0%")
	switch stage {
	case mirror:
		must[status](t)(g.call(http.MethodPost, "/start", map[string]string{"why": "the next shift"}))
	case last:
		must[status](t)(g.call(http.MethodPost, "/start", map[string]string{"why": "the next shift"}))
		g.promote(t)
	case done:
		g.set(t, "100%")
	default:
		g.set(t, stage)
	}
}

func (g *gateway) set(t *testing.T, share string) {
	t.Helper()
	must[status](t)(g.call(http.MethodPut, "/share", map[string]string{"share": share}))
}

// promote goes on to the next stage.
func (g *gateway) promote(t *testing.T) {
	t.Helper()
	must[status](t)(g.call(http.MethodPost, "/promote", map[string]string{"why": "the next stage"}))
}
