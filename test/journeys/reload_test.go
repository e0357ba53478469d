package journeys

import (
	"fmt"
	"strings"
	"testing"

	"yadokari/shift"
	"yadokari/test/process"
)

// TestReloads changes the file under load again and again: servers come and go, routes are added and taken
// away, stages and limits differ. Nobody notices, and a share stays where it was for as long as its route
// goes from and to the same backends.
func TestReloads(t *testing.T) {
	vm, other, containers := startSide(t, "vm"), startSide(t, "vm"), startSide(t, "containers")
	s := setUp{vm: []string{vm.address}, containers: []string{containers.address}}
	g := startGateway(t, s)
	g.set(t, "all", "25%")
	l := startLoad(t, g.url(), 200)
	route := func(shift string) string { return "\n    - {name: all, match: [/]" + shift + "}\n" }
	const stages = ", shift: {stages: [25%, 100%], hold: 1h, promote: manual}"
	for n := range 5 {
		for _, change := range []struct {
			what string
			setUp
			state shift.State
			share float64
		}{
			{"another VM", setUp{vm: []string{other.address}, routes: route(stages)}, shift.Paused, 0.25},
			{"both VMs", setUp{vm: []string{vm.address, other.address}, routes: route(stages)}, shift.Paused, 0.25},
			{"other stages", setUp{routes: route(strings.Replace(stages, "25%", "10%, 50%", 1))}, shift.Paused, 0.25},
			{"one more route", setUp{routes: route(stages) + fmt.Sprintf("    - {name: more-%d, match: [/more/], shift: {}}\n", n)}, shift.Paused, 0.25},
			{"other limits", setUp{routes: route(stages), extra: "  limits: {inFlight: 5000, requestTime: 15s}"}, shift.Paused, 0.25},
			{"no shift", setUp{routes: route("")}, shift.RolledBack, 0},
		} {
			now := change.setUp
			if now.vm == nil {
				now.vm = s.vm
			}
			now.containers = s.containers
			g.configure(t, now)
			g.reload(t, `"msg":"reloaded"`)
			if is := g.status(t, "all"); is.State != change.state || float64(is.Share) != change.share {
				t.Errorf("%s: the route is %s at %s", change.what, is.State, is.Share)
			}
			answered := l.from("containers") + l.from("vm")
			process.Eventually(t, "users are answered after "+change.what, func() bool { return l.from("containers")+l.from("vm") > answered+10 })
		}
		g.configure(t, s)
		g.reload(t, `"msg":"reloaded"`)
		g.set(t, "all", "25%")
	}
	if l.report(t) > 0 || l.resent.Load() > 0 {
		t.Errorf("requests failed, or had to be sent again (%d), at a reload", l.resent.Load())
	}
	if l.from("containers") == 0 {
		t.Error("nobody was on the new side")
	}
	g.MustStop(t)
}
