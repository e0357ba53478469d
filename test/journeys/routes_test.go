package journeys

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"yadokari/api"
	"yadokari/shift"
)

// mostMemory is what a gateway with ten thousand routes may ever use, in KiB.
const mostMemory = 100 << 10

// TestTenThousandRoutes starts a gateway with ten thousand routes that can all move.
func TestTenThousandRoutes(t *testing.T) {
	vm, containers := startSide(t, "vm"), startSide(t, "containers")
	var routes strings.Builder
	routes.WriteString("\n")
	for n := range 10_000 {
		fmt.Fprintf(&routes, "    - {name: r%d, match: [\"/space-%d/\", \"POST /api/space-%d/{page}\"], shift: {}}\n", n, n, n)
	}
	g := startGateway(t, setUp{vm: []string{vm.address}, containers: []string{containers.address}, routes: routes.String()})
	t.Logf("resident after the start: %d KiB", resident(t, g))
	client := &http.Client{}
	for n := range 3000 {
		r := must[*http.Request](t)(http.NewRequest(http.MethodGet, fmt.Sprintf("%s/space-%d/page", g.url(), n*3), nil))
		if err := get(client, r); err != nil {
			t.Fatal(err)
		}
	}
	for _, share := range []string{"50%", "100%", "0%"} {
		g.set(t, "r4711", share)
	}
	var all []shift.Status
	if err := g.call(http.MethodGet, "/api/v1/routes", nil, &all); err != nil || len(all) != 10_000 {
		t.Fatalf("%d routes, %v", len(all), err)
	}
	most := memory(t, g, "VmHWM")
	t.Logf("resident after some traffic, three flips and a list of all: %d KiB (most ever: %d KiB)", resident(t, g), most)
	if most > mostMemory {
		t.Errorf("%d KiB were resident, at most %d are promised", most, mostMemory)
	}
	var about struct{ api.About }
	if err := g.call(http.MethodGet, "/api/v1/gateway", nil, &about); err != nil {
		t.Error(err)
	}
	g.MustStop(t)
}

func resident(t *testing.T, g *gateway) int { return memory(t, g, "VmRSS") }

// memory reads one of the kernel's figures, in KiB.
func memory(t *testing.T, g *gateway, figure string) (kib int) {
	t.Helper()
	text := string(must[[]byte](t)(os.ReadFile(fmt.Sprintf("/proc/%d/status", g.Process.Process.Pid))))
	_, rest, found := strings.Cut(text, figure+":")
	if _, err := fmt.Sscan(rest, &kib); !found || err != nil {
		t.Fatalf("%s: %v", figure, err)
	}
	return kib
}
