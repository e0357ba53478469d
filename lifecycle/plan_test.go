package lifecycle

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

func nothing(context.Context) error { return nil }

func TestCheck(t *testing.T) {
	for name, c := range map[string]struct {
		plan Plan
		want string // part of the error; "": none
	}{
		"empty": {Plan{Grace: time.Second}, ""},
		"exactly": {Plan{Grace: 10 * time.Second, Reserve: 0.1, Phases: []Phase{
			{Name: "a", Time: 4 * time.Second, Do: nothing}, {Name: "b", After: []string{"a"}, Share: 0.5, Do: nothing}}}, ""},
		"side by side": {Plan{Grace: 10 * time.Second, Phases: []Phase{
			{Name: "a", Share: 0.9, Do: nothing}, {Name: "b", Share: 0.9, Do: nothing}}}, ""},
		"too much": {Plan{Grace: 40 * time.Second, Reserve: 0.1, Phases: []Phase{
			{Name: "deregister", Time: 15 * time.Second, Do: nothing},
			{Name: "app", After: []string{"deregister"}, Share: 0.35, Do: nothing},
			{Name: "mail", After: []string{"app"}, Share: 0.2, Do: nothing},
			{Name: "beside", Share: 0.5, Do: nothing}}},
			"the stop does not fit: deregister 15s + app 14s (35%) + mail 8s (20%) + reserve 4s (10%) = 41s, but the grace period is 40s"},
		"pod": {Plan{Grace: 60 * time.Second, Pod: 60 * time.Second},
			"grace 1m0s + 2s before the kubelet kills = 1m2s, but terminationGracePeriodSeconds is 60: make it 62, or the grace period 58s"},
		"pod fits":  {Plan{Grace: 58 * time.Second, Pod: 60 * time.Second}, ""},
		"pod small": {Plan{Grace: 58 * time.Second, Pod: time.Second}, "make it 60, or the grace period 0s"},
		"no grace":  {Plan{}, "more than 0s"},
		"circle": {Plan{Grace: time.Second, Phases: []Phase{
			{Name: "z", After: []string{"a"}, Do: nothing}, {Name: "a", After: []string{"b"}, Do: nothing},
			{Name: "b", After: []string{"c"}, Do: nothing}, {Name: "c", After: []string{"a"}, Do: nothing}}},
			"in a circle: a after b after c after a"},
		"itself":   {Plan{Grace: time.Second, Phases: []Phase{{Name: "a", After: []string{"a"}, Do: nothing}}}, "a after a"},
		"unknown":  {Plan{Grace: time.Second, Phases: []Phase{{Name: "mail", Do: nothing}, {Name: "logs", After: []string{"mial"}, Do: nothing}}}, `phase "logs" comes after "mial", which there is not (did you mean mail?)`},
		"twice":    {Plan{Grace: time.Second, Phases: []Phase{{Name: "a", Do: nothing}, {Name: "a", Do: nothing}}}, `two phases are called "a"`},
		"nameless": {Plan{Grace: time.Second, Phases: []Phase{{Do: nothing}}}, "phase 1 has no name"},
		"nothing":  {Plan{Grace: time.Second, Phases: []Phase{{Name: "a"}}}, `phase "a" does nothing`},
		"negative": {Plan{Grace: time.Second, Phases: []Phase{{Name: "a", Time: -1, Do: nothing}}}, "has a budget of -1ns"},
		"share":    {Plan{Grace: time.Second, Phases: []Phase{{Name: "a", Share: 1.5, Do: nothing}}}, "150%"},
		"reserve":  {Plan{Grace: time.Second, Reserve: 1}, "leaves no time"},
	} {
		err := c.plan.Check()
		var planned *PlanError
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || !errors.As(err, &planned)):
			t.Errorf("%s:\ngot  %v\nwant %s", name, err, c.want)
		}
		if c.want != "" && c.plan.Run(context.Background()) != nil {
			t.Errorf("%s: was run", name)
		}
	}
}

func TestOrderAndLatestFinish(t *testing.T) {
	p := Plan{Grace: 100 * time.Second, Reserve: 0.1, Phases: []Phase{
		{Name: "receipt", After: []string{"logs", "mail"}, Share: 0.05, Do: nothing},
		{Name: "logs", After: []string{"app"}, Share: 0.3, Do: nothing},
		{Name: "mail", After: []string{"app"}, Share: 0.2, Do: nothing},
		{Name: "app", After: []string{"off"}, Share: 0.25, Do: nothing},
		{Name: "off", Time: 5 * time.Second, Do: nothing},
	}}
	s, err := p.schedule()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(s.order, []int{4, 3, 1, 2, 0}) {
		t.Errorf("order %v", s.order)
	}
	// 90 s in all but the reserve; off and app may have what receipt and the longer of logs and mail leave.
	for i, want := range []time.Duration{90, 85, 85, 55, 30} {
		if s.latest[i] != want*time.Second {
			t.Errorf("%s: latest %v, want %v", p.Phases[i].Name, s.latest[i], want*time.Second)
		}
	}
	for i := range p.Phases { // nobody's promise is broken by those before it
		for _, before := range p.Phases[i].After {
			if k := p.places()[before]; s.latest[i]-s.latest[k] < s.budget[i] {
				t.Errorf("%s has %v after %s, not its %v", p.Phases[i].Name, s.latest[i]-s.latest[k], before, s.budget[i])
			}
		}
	}
}
