package verdict

import "testing"

func TestZZ(t *testing.T) {
	d := startDatabase(t)
	vm := startNGINX(t, "vm", behind(startPython(t, d)))
	for _, r := range regressions {
		if r.settings != "SHOP_SLOWER=0.15" { continue }
		g := startGateway(t, patient, []string{vm.address}, []string{r.start(t, d).address})
		first := 1
		for _, stage := range []string{"5%", "25%", "50%", mirror} {
			f := r.shift(t, g, stage, first)
			first += people
			t.Logf("%s: %d requests, %d users", stage, f.requests, f.users)
		}
	}
}
