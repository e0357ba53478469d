package gauntlet

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"yadokari/test/process"
)

// gateway is yadokari gateway in front of two sides.
type gateway struct {
	*process.Process
	address, admin string
}

const configuration = `app: gauntlet
gateway:
  listen: %q
  admin: %q
  state: %q
  accessLog: %q
  shutdown: {deregister: 0s, drain: 1s}
  sticky: {cookie: VISITOR}
  backends:
    vm: {servers: ["http://%s"], slowStart: 0s}
    containers: {servers: ["http://%s"], slowStart: 0s}
  routes:
    - name: site
      match: ["/"]
      shift: {stages: [%s], hold: 1h, promote: manual}
`

// startGateway starts a gateway whose route is idle.
func startGateway(t *testing.T, vm, containers, stages string) *gateway {
	t.Helper()
	dir := t.TempDir()
	g := &gateway{address: process.FreeAddress(t), admin: process.FreeAddress(t)}
	file := process.WriteFile(t, dir, "yadokari.yaml", fmt.Sprintf(configuration, g.address, g.admin,
		filepath.Join(dir, "state"), filepath.Join(dir, "access.log"), vm, containers, stages))
	g.Process = process.Start(t, "gateway", exec.Command(gatewayProgram(), "gateway", "-c", file))
	g.Listening(t, g.address)
	g.Listening(t, g.admin)
	return g
}

// status is what a gateway of any version says of its route.
type status struct {
	State      string `json:"state"`
	Verdict    string `json:"verdict"`
	Reason     string `json:"reason"`
	Containers struct {
		Requests uint64 `json:"requests"`
	} `json:"containers"`
	Evidence json.RawMessage `json:"evidence"`
}

func (s status) rolledBack() bool { return s.State == "rolled-back" }

// call asks the admin port for the route's status, or for a change of it.
func (g *gateway) call(t *testing.T, method, path string) (s status) {
	t.Helper()
	g.ask(t, method, path, &s)
	return s
}

// differences are what comparing answers has found, the most frequent first, in one line each.
func (g *gateway) differences(t *testing.T) (list []string) {
	t.Helper()
	type example struct {
		Count                                uint64
		Method, Target, Kind, Path, Old, New string
		Noise                                bool
	}
	var found struct{ Examples []example }
	g.ask(t, http.MethodGet, "/differences", &found)
	slices.SortStableFunc(found.Examples, func(a, b example) int { return cmp.Compare(b.Count, a.Count) })
	for _, e := range found.Examples {
		if !e.Noise {
			list = append(list, fmt.Sprintf("%d × %s %.60s: %s %.40q: %.60q, %.60q", e.Count, e.Method, e.Target, e.Kind, e.Path, e.Old, e.New))
		}
	}
	return list
}

func (g *gateway) ask(t *testing.T, method, path string, into any) {
	t.Helper()
	r, err := http.NewRequest(method, "http://"+g.admin+"/api/v1/routes/site"+path, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %s %s %v", method, path, answer.Status, text, err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatal(err)
	}
}
