package config

import (
	"fmt"
	"strings"

	"yadokari/gateway"
)

// wordsOnSignals says what is counted elsewhere.
func wordsOnSignals(g *gateway.Config) []string {
	var words []string
	for i := range g.Routes {
		r := &g.Routes[i]
		if r.Shift == nil || len(r.Shift.Signals) == 0 || g.Prometheus == nil {
			continue
		}
		names := make([]string, len(r.Shift.Signals))
		for j, s := range r.Shift.Signals {
			names[j] = fmt.Sprintf("%s %s", s.Worse, s.Name)
		}
		words = append(words, fmt.Sprintf("Besides, %s is rolled back for %s, by what %s says every %s.",
			r.Name, strings.Join(names, ", "), g.Prometheus.URL, g.Prometheus.Every))
	}
	return words
}
