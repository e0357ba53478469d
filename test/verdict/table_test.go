package verdict

import (
	"strings"
	"testing"
)

// table is what the tests have found, in Markdown.
type table struct{ lines []string }

func newTable(heads ...string) *table {
	t := &table{}
	t.add(heads...)
	t.add(strings.Split(strings.Repeat("---,", len(heads)-1)+"---", ",")...)
	return t
}

func (r *table) add(cells ...string) {
	r.lines = append(r.lines, "| "+strings.Join(cells, " | ")+" |")
}

func (r *table) print(t *testing.T) {
	t.Helper()
	t.Logf("\n%s", strings.Join(r.lines, "\n"))
}
