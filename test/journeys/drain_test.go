package journeys

import (
	"testing"

	"yadokari/test/process"
)

// TestDrainForADeployment takes one of two hosts out, restarts its server and puts it back, as a deploy
// script does, under load.
func TestDrainForADeployment(t *testing.T) {
	first, second, containers := startSide(t, "vm"), startSide(t, "vm"), startSide(t, "containers")
	g := startGateway(t, setUp{vm: []string{first.address, second.address}, containers: []string{containers.address}})
	l := startLoad(t, g.url(), 300)
	for range 3 {
		for _, host := range []*side{first, second} {
			g.mustCLI(t, "backend", "drain", "vm", host.address)
			g.mustCLI(t, "backend", "wait", "vm", host.address, "--timeout", "20s")
			host.Kill() // the deployment: nothing may be under way any more
			before := len(host.received(t))
			host.run(t)
			if after := len(host.received(t)); after != before {
				t.Errorf("%d requests reached a drained host", after-before)
			}
			g.mustCLI(t, "backend", "undrain", "vm", host.address)
			process.Eventually(t, "the host serves again", func() bool { return len(host.received(t)) > before+20 })
		}
	}
	if l.report(t) > 0 {
		t.Error("requests failed during deployments")
	}
	if twice := sentTwice(t, "POST", first, second, containers); len(twice) > 0 {
		t.Errorf("sent twice though not safe to: %q", twice)
	}
	g.MustStop(t)
}
