package lifecycle

import (
	"fmt"
	"slices"
	"strings"

	"yadokari/setting"
)

// places maps names to places in Phases.
func (p *Plan) places() map[string]int {
	at := make(map[string]int, len(p.Phases))
	for i := range p.Phases {
		at[p.Phases[i].Name] = i
	}
	return at
}

// sort returns the phases, each after those it waits for and else in the order they are written in. It
// goes depth first, so that a circle is on the path when it closes.
func (p *Plan) sort() ([]int, error) {
	if err := p.checkPhases(); err != nil {
		return nil, err
	}
	v := &visit{plan: p, at: p.places(), visited: make([]bool, len(p.Phases))}
	for i := range p.Phases {
		if err := v.phase(i); err != nil {
			return nil, err
		}
	}
	return v.order, nil
}

type visit struct {
	plan    *Plan
	at      map[string]int
	visited []bool
	path    []string // from the phase that was looked at first to the one that is
	order   []int
}

func (v *visit) phase(i int) error {
	f := &v.plan.Phases[i]
	if k := slices.Index(v.path, f.Name); k >= 0 {
		circle := append(slices.Clone(v.path[k:]), f.Name)
		return &PlanError{"phases wait for each other in a circle: " + strings.Join(circle, " after ")}
	}
	if v.visited[i] {
		return nil
	}
	v.path = append(v.path, f.Name)
	for _, name := range f.After {
		before, ok := v.at[name]
		if !ok {
			return v.unknown(f.Name, name)
		}
		if err := v.phase(before); err != nil {
			return err
		}
	}
	v.path = v.path[:len(v.path)-1]
	v.visited[i] = true
	v.order = append(v.order, i)
	return nil
}

func (v *visit) unknown(phase, name string) error {
	known := make([]string, len(v.plan.Phases))
	for i := range v.plan.Phases {
		known[i] = v.plan.Phases[i].Name
	}
	text := fmt.Sprintf("phase %q comes after %q, which there is not", phase, name)
	if near := setting.Nearest(name, known); near != "" {
		text += fmt.Sprintf(" (did you mean %s?)", near)
	}
	return &PlanError{text}
}
