package console

import (
	"encoding/json"
	"os"
	"testing"

	"yadokari/shift"
)

// pages are all there are, each with what shows that it is drawn.
var pages = map[string]string{
	"overview":    `#/`,
	"shifting":    `#/route/issues`,
	"rolled back": `#/route/json-api`,
	"idle":        `#/route/search`,
	"no shift":    `#/route/rest`,
	"no route":    `#/route/nobody`,
	"ledger":      `#/ledger`,
	"entry":       `#/ledger/1`,
	"backends":    `#/backends`,
}

// drawn is true when nothing of a page is still to come.
const drawn = `document.querySelector("main").innerText.length > 30 && document.getElementById("who").textContent !== "Who?" && (!location.hash.startsWith("#/route/") || document.querySelector(".pill b, .empty")) && !document.querySelector("main").innerText.includes("Reading…") &&
	(!location.hash.startsWith("#/route/issues") || document.querySelector(".uplot") && document.querySelector(".distribution") && document.querySelector(".signals")) &&
	(!location.hash.startsWith("#/route/json-api") || document.querySelector(".example"))`

// TestAccessibility runs axe-core on every page and dialog, in light, dark and on a phone, and looks for
// a page that is wider than its window.
func TestAccessibility(t *testing.T) {
	axe, err := os.ReadFile("node_modules/axe-core/axe.min.js")
	if err != nil {
		t.Fatalf("%v: run ./install", err)
	}
	s := newSite(t, usualRoutes)
	s.load(150)
	s.put("issues", "25%", "as agreed")
	s.post("routes/issues/resume", nil)
	s.faults("/api/:wrong:p=0.5")
	s.post("routes/json-api/start", nil)
	s.post("routes/wiki/start", nil)
	s.expect("json-api", shift.RolledBack, "")
	for _, look := range []struct {
		name, scheme  string
		width, height int64
	}{{"light", "light", 1280, 900}, {"dark", "dark", 1280, 900}, {"phone", "light", 390, 844}, {"dark phone", "dark", 320, 640}} {
		t.Run(look.name, func(t *testing.T) {
			b := open(t, look.width, look.height)
			b.setDeaf(true) // 404 of the route that is none
			b.scheme(look.scheme)
			check := func(name string) {
				t.Helper()
				if wide := evaluate[float64](b, `document.documentElement.scrollWidth - innerWidth`); wide > 0 {
					t.Errorf("%s: the page is %g px wider than the window", name, wide)
				}
				b.inspect(string(axe), name)
			}
			for name, hash := range pages {
				b.visit(s.page() + "?" + name + hash)
				b.wait(drawn)
				check(name)
			}
			b.visit(s.page() + "?dialogs#/route/issues")
			b.wait(`document.querySelector("[data-action]")`)
			for _, selector := range []string{"[data-action=rollback]", "[data-action=share]", "[data-action=promote]", "#help", "#rollback-all"} {
				b.click(selector)
				b.wait(`document.querySelector("dialog")`)
				check("dialog " + selector)
				b.press("\x1b")
				b.wait(`!document.querySelector("dialog")`)
			}
		})
	}
}

// inspect runs axe-core and reports what it finds; serious and critical findings fail the test.
func (b *browser) inspect(axe, where string) {
	b.t.Helper()
	b.do("axe", evaluateOnly("if (!globalThis.axe) {"+axe+"}"))
	found := evaluate[string](b, `axe.run(document, {resultTypes: ["violations"]}).then((r) => JSON.stringify(r.violations.map((v) =>
		({id: v.id, impact: v.impact, help: v.help, nodes: v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160) + " " + (n.any[0]?.message ?? ""))}))))`)
	var violations []struct {
		ID, Impact, Help string
		Nodes            []string
	}
	if err := json.Unmarshal([]byte(found), &violations); err != nil {
		b.t.Fatal(err)
	}
	for _, v := range violations {
		if v.Impact == "serious" || v.Impact == "critical" {
			b.t.Errorf("%s: %s: %s (%s)\n%q", where, v.Impact, v.Help, v.ID, v.Nodes)
		} else {
			b.t.Logf("%s: %s: %s (%s) %q", where, v.Impact, v.Help, v.ID, v.Nodes)
		}
	}
}
