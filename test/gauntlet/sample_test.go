package gauntlet

import (
	"testing"

	"yadokari/test/gauntlet/stack"
)

// sample is what the suite tries of the gauntlet: what must be noticed within the requests given, far above what
// it takes, and equal sides, which must not.
var sample = []struct {
	app, breakage, stage string
	most                 uint64
}{
	{"wordpress", "", mirror, 200},
	{"wordpress", "", share, 150},
	{"wordpress", "missing-extension", share, 1500},
	{"wordpress", "fatal-half-page", share, 1500},
	{"wordpress", "missing-uploads", mirror, 1500},
	{"mediawiki", "", mirror, 150},
	{"mediawiki", "half-page", share, 1500},
}

// TestSample tries a few breakages, and equal sides.
func TestSample(t *testing.T) {
	for _, a := range applications {
		t.Run(a.name, func(t *testing.T) {
			app := a.install(t, stack.StartDatabase(t))
			old := app.Start(t, "old", nil)
			for _, s := range sample {
				if s.app != a.name {
					continue
				}
				name := s.breakage
				if name == "" {
					name = "control"
				}
				t.Run(name+" "+s.stage, func(t *testing.T) {
					b := find(t, app, s.breakage)
					r := trial{app: app, old: old, fresh: app.Start(t, "new", b), stage: s.stage, most: s.most}.run(t)
					t.Log(r)
					if r.condemned != (b != nil) {
						t.Errorf("condemned: %t: %s", r.condemned, r.reason)
					}
				})
			}
		})
	}
}

// find finds a breakage by its name; none for the name of none.
func find(t *testing.T, app application, name string) *stack.Breakage {
	t.Helper()
	if name == "" {
		return nil
	}
	for _, b := range app.Breakages() {
		if b.Name == name {
			return b
		}
	}
	t.Fatalf("there is no breakage %s", name)
	return nil
}
