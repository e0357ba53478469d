package gauntlet

import (
	"crypto/rand"
	"flag"
	"fmt"
	"testing"

	"yadokari/test/gauntlet/mediawiki"
	"yadokari/test/gauntlet/stack"
	"yadokari/test/gauntlet/wordpress"
)

var (
	all      = flag.Bool("all", false, "try every breakage, in some hours")
	controls = flag.Int("controls", 20, "how many shifts of each application between equal sides")
	most     = flag.Uint64("requests", 700, "how many requests of the new side without a verdict are a miss")
	users    = flag.Int("users", 96, "how many people use an application")
	binary   = flag.String("binary", "", "another yadokari than the one of this tree, to compare with")
)

// key is a user's, as a balancer's cookie would have it.
func key() string { return rand.Text() }

// applications are installed by the subtest that needs them.
var applications = []struct {
	name    string
	install func(*testing.T, *stack.Database) application
}{
	{"wordpress", func(t *testing.T, d *stack.Database) application { return wordpress.Install(t, d) }},
	{"mediawiki", func(t *testing.T, d *stack.Database) application { return mediawiki.Install(t, d) }},
}

// TestGauntlet tries equal sides as often as is asked for, and every breakage, in mirror and at a share of 25 %. It
// prints a table. Subtests are named by application and breakage.
func TestGauntlet(t *testing.T) {
	if !*all {
		t.Skip("the whole gauntlet takes hours: -all")
	}
	sheet := &table{}
	defer sheet.print()
	for _, a := range applications {
		t.Run(a.name, func(t *testing.T) {
			app := a.install(t, stack.StartDatabase(t))
			old := app.Start(t, "old", nil)
			for i := range *controls {
				t.Run(fmt.Sprint("control-", i+1), func(t *testing.T) {
					sheet.add(a.name, nil, both(t, app, old, nil))
				})
			}
			for _, b := range app.Breakages() {
				t.Run(b.Name, func(t *testing.T) { sheet.add(a.name, b, both(t, app, old, b)) })
			}
		})
	}
	sheet.judge(t)
}

// both tries a new side in mirror and at a share.
func both(t *testing.T, app application, old *stack.Side, b *stack.Breakage) (two [2]result) {
	t.Helper()
	fresh := app.Start(t, "new", b)
	for i, stage := range []string{mirror, share} {
		two[i] = trial{app: app, old: old, fresh: fresh, stage: stage, most: *most}.run(t)
		t.Logf("%s: %s", stage, two[i])
	}
	return two
}
