package demo

import (
	"strings"
	"testing"
	"time"

	"yadokari/shift"
)

// TestBroken: each promise that is not kept is named, and nothing else.
func TestBroken(t *testing.T) {
	kept := func() Sums {
		return Sums{Requests: 1000, Fallbacks: 4, RolledBackAfter: 400 * time.Millisecond, Routes: map[string]shift.State{
			fineRoute: shift.Done, brokenRoute: shift.RolledBack, slowRoute: shift.RolledBack}}
	}
	if err := kept().Broken(); err != nil {
		t.Errorf("every promise was kept: %v", err)
	}
	for name, test := range map[string]struct {
		breaks func(*Sums)
		want   string
	}{
		"a failure":         {func(s *Sums) { s.Failures = 2 }, "2 requests failed for a user"},
		"a lost write":      {func(s *Sums) { s.WritesLost = 1 }, "1 writes were lost"},
		"a doubled write":   {func(s *Sums) { s.WritesDoubled = 3 }, "3 writes were done twice"},
		"nothing broke":     {func(s *Sums) { s.RolledBackAfter = 0 }, "the new side of issues never failed"},
		"a late rollback":   {func(s *Sums) { s.RolledBackAfter = 2 * time.Second }, "the rollback took 2s, promised is 1s"},
		"a route that hung": {func(s *Sums) { s.Routes[fineRoute] = shift.Shifting }, "wiki ended shifting, expected done"},
		"a slow route kept": {func(s *Sums) { s.Routes[slowRoute] = shift.Done }, "board ended done, expected rolled-back"},
		"a route not there": {func(s *Sums) { delete(s.Routes, brokenRoute) }, "issues ended "},
	} {
		t.Run(name, func(t *testing.T) {
			s := kept()
			test.breaks(&s)
			err := s.Broken()
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Count(err.Error(), "\n") != 0 {
				t.Errorf("got %v, want %q alone", err, test.want)
			}
		})
	}
}
