package verdict

import (
	"strconv"
	"strings"
	"testing"
	"time"
)

// scene is what stands behind a gateway.
type scene struct {
	vm, containers []*server
	database       *database
}

func addresses(servers []*server) (list []string) {
	for _, s := range servers {
		list = append(list, s.address)
	}
	return list
}

// place is a scene, and the troubles that come to it one after the other.
type place struct {
	name     string
	scene    func(*testing.T, *database) *scene
	troubles []common
}

// pythonShop is the shop on both sides: NGINX, which serves the pictures, and Python behind it.
func pythonShop(t *testing.T, d *database) *scene {
	t.Helper()
	return &scene{
		database:   d,
		vm:         []*server{startNGINX(t, "vm", behind(startPython(t, d)))},
		containers: []*server{startNGINX(t, "containers", behind(startPython(t, d)))},
	}
}

// impatient lets a page of the Python shop fail that the database does not answer at once.
const impatient = "SHOP_PATIENCE=0.05"

// pythonPages is Python alone, on two servers a side.
func pythonPages(t *testing.T, d *database) *scene {
	t.Helper()
	return &scene{
		database:   d,
		vm:         []*server{startPython(t, d, impatient), startPython(t, d, impatient)},
		containers: []*server{startPython(t, d, impatient), startPython(t, d, impatient)},
	}
}

// jvmShop is a JVM on both sides.
func jvmShop(t *testing.T, d *database) *scene {
	t.Helper()
	return &scene{database: d, vm: []*server{startJVM(t, d, usual)}, containers: []*server{startJVM(t, d, usual)}}
}

// impatientJVM is a JVM on both sides that waits no longer than 50 ms for the database.
func impatientJVM(t *testing.T, d *database) *scene {
	t.Helper()
	const patience = 50 * time.Millisecond
	return &scene{database: d, vm: []*server{startJVM(t, d, patience)}, containers: []*server{startJVM(t, d, patience)}}
}

// staticSite is NGINX alone on both sides.
func staticSite(t *testing.T, _ *database) *scene {
	t.Helper()
	return &scene{vm: []*server{startNGINX(t, "vm", "")}, containers: []*server{startNGINX(t, "containers", "")}}
}

// oneHopMore has, on the new side, an NGINX more.
func oneHopMore(t *testing.T, _ *database) *scene {
	t.Helper()
	return &scene{
		vm:         []*server{startNGINX(t, "vm", "")},
		containers: []*server{startNGINX(t, "ingress", behind(startNGINX(t, "containers", "")))},
	}
}

// shareOf is the part of the users that a stage has on the new side, where a crawler is to be one of them.
func shareOf(stage string) float64 {
	percent, err := strconv.ParseFloat(strings.TrimSuffix(stage, "%"), 64)
	if err != nil {
		return 1
	}
	return percent / 100
}
