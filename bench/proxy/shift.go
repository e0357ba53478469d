package main

import (
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
