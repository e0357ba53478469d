package config

import (
	"fmt"
	"slices"
	"strings"

	"yadokari/gateway"
	"yadokari/setting"
	"yadokari/shift"
)

// wordsOnCopies says what is copied to the other side for comparing, and what is not asked.
func wordsOnCopies(g *gateway.Config) []string {
	var words, mirrored, silent []string
	back := map[setting.Share][]string{}
	for i := range g.Routes {
		r := &g.Routes[i]
		if r.Shift == nil {
			continue
		}
		if r.Shift.Stages[0] == shift.MirrorStage {
			mirrored = append(mirrored, r.Name)
		}
		if r.Mirror.Moved > 0 {
			back[r.Mirror.Moved] = append(back[r.Mirror.Moved], r.Name)
		}
		if r.Mirror.Noise == 0 {
			silent = append(silent, r.Name)
		}
	}
	if mirrored != nil {
		words = append(words, "In a mirror stage every user stays; safe requests (GET, HEAD, OPTIONS) are copied to the new side.")
	}
	shares := make([]setting.Share, 0, len(back))
	for share := range back {
		shares = append(shares, share)
	}
	slices.Sort(shares)
	for _, share := range shares {
		words = append(words, fmt.Sprintf("In later stages %s of moved users' safe requests are copied to the old side: %s.", share, strings.Join(back[share], ", ")))
	}
	if silent != nil {
		words = append(words, fmt.Sprintf("With mirror.noise 0%% the old side is not asked twice; what differs between two answers of one side counts, unless mirror.ignore names it: %s.",
			strings.Join(silent, ", ")))
	}
	return words
}

// skippedOf are the requests of a route that are never copied although they are safe; nil when none is copied.
func skippedOf(r *gateway.Route) []string {
	if r.Shift == nil || r.Mirror.Moved == 0 && r.Shift.Stages[0] != shift.MirrorStage {
		return nil
	}
	return r.Mirror.Skipped()
}
