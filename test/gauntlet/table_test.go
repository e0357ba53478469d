package gauntlet

import (
	"fmt"
	"testing"

	"yadokari/test/gauntlet/stack"
)

// table is what all trials have come to.
type table struct {
	rows []row
}

type row struct {
	app      string
	breakage *stack.Breakage // nil: equal sides
	results  [2]result       // in mirror, at a share
}

func (b *table) add(app string, breakage *stack.Breakage, two [2]result) {
	b.rows = append(b.rows, row{app, breakage, two})
}

// score counts the rows in which something was seen.
type score struct {
	of, mirror, share, either int
}

func (b *table) score(control bool) (s score) {
	for _, r := range b.rows {
		if control != (r.breakage == nil) {
			continue
		}
		s.of++
		s.mirror += one(r.results[0].condemned)
		s.share += one(r.results[1].condemned)
		s.either += one(r.results[0].condemned || r.results[1].condemned)
	}
	return s
}

func one(is bool) int {
	if is {
		return 1
	}
	return 0
}

func (r result) cell() string {
	if !r.condemned {
		return "–"
	}
	signal := r.signal
	if signal == "" {
		signal = "yes"
	}
	return fmt.Sprintf("%s, %d", signal, r.requests)
}

// print writes the table, and what was found, as Markdown.
func (b *table) print() {
	fmt.Println("\n| | breakage | what users get | in mirror: signal, requests | at 25 % | ")
	fmt.Println("| --- | --- | --- | --- | --- |")
	for _, r := range b.rows {
		name, what := "none", "equal sides"
		if r.breakage != nil {
			name, what = r.breakage.Name, r.breakage.What
		}
		fmt.Printf("| %s | `%s` | %s | %s | %s |\n", r.app, name, what, r.results[0].cell(), r.results[1].cell())
	}
	s, c := b.score(false), b.score(true)
	fmt.Printf("\n%d breakages: %d noticed in mirror, %d at 25 %%, %d in either. %d shifts between equal sides: %d condemned.\n",
		s.of, s.mirror, s.share, s.either, c.of, c.either)
}

// judge holds the table against what was promised.
func (b *table) judge(t *testing.T) {
	t.Helper()
	s, c := b.score(false), b.score(true)
	if c.either > 0 {
		t.Errorf("%d of %d shifts between equal sides were condemned", c.either, c.of)
	}
	if 100*s.mirror < 80*s.of || 100*s.share < 80*s.of || 100*s.either < 95*s.of {
		t.Errorf("noticed %d in mirror, %d at a share, %d in either, of %d", s.mirror, s.share, s.either, s.of)
	}
}
