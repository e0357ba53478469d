package main

import (
	"encoding/json"
	"fmt"
	"os/exec"
)

// shiftRoute begins the journey of a route, so that the measured path is the one with everything on.
func shiftRoute(binary, admin, route string) error {
	out, err := exec.Command(binary, "shift", "start", route, "--admin", "http://"+admin).CombinedOutput()
	if err != nil {
		return fmt.Errorf("shift start: %w: %s", err, out)
	}
	return nil
}

// checkShare fails unless the route has the share still.
func checkShare(binary, admin, route, share string) error {
	out, err := exec.Command(binary, "shift", "status", route, "-o", "json", "--admin", "http://"+admin).Output()
	if err != nil {
		return fmt.Errorf("shift status: %w", err)
	}
	var list []struct{ Stage, State, Reason string }
	if err := json.Unmarshal(out, &list); err != nil || len(list) != 1 {
		return fmt.Errorf("shift status was not understood: %s", out)
	}
	if list[0].Stage != share {
		return fmt.Errorf("route %s is %s, not at %s any more, so that the figures are not those of a shift: %s", route, list[0].State, share, list[0].Reason)
	}
	return nil
}
