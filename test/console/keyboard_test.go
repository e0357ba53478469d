package console

import (
	"fmt"
	"strings"
	"testing"

	"yadokari/shift"
)

// TestAWholeShiftByKeyboard never touches the mouse.
func TestAWholeShiftByKeyboard(t *testing.T) {
	s := newSite(t, usualRoutes)
	s.load(120)
	b := asAnn(t, s, 1280, 900)
	b.wait(`document.querySelector("[data-route=board]")`)

	b.press("/")
	b.wait(`document.activeElement.id === "filter"`)
	b.press("b", "o", "a", "r", "d", "\x1b")
	b.wait(`document.querySelectorAll(".rows .row").length === 1`)
	b.press("j")
	b.wait(`document.activeElement.textContent === "board"`)
	if outline := b.text(`getComputedStyle(document.activeElement).outlineStyle + getComputedStyle(document.activeElement).outlineWidth`); outline != "solid2px" {
		t.Errorf("the focus is not to be seen: %s", outline)
	}
	b.press(enter)
	b.wait(`location.hash === "#/route/board"`)

	b.press("s")
	b.wait(`document.querySelector("dialog input") === document.activeElement`)
	for _, key := range "by hand" {
		b.press(string(key))
	}
	b.press(enter)
	s.expect("board", shift.Shifting, "mirror")
	for _, stage := range []string{"5%", "50%", "100%"} {
		b.wait(`!document.querySelector("dialog") && document.querySelector("[data-action=promote]")`)
		b.press("n")
		b.wait(`document.querySelector("dialog")`)
		b.press(enter)
		s.expect("board", shift.Shifting, stage)
		b.wait(`document.querySelector(".stages .here")?.textContent.includes("` + stage + `")`)
	}
	b.wait(`!document.querySelector("dialog")`)
	b.press("p")
	b.wait(`document.querySelector("dialog")`)
	b.press(enter)
	s.expect("board", shift.Paused, "100%")
	b.wait(`!document.querySelector("dialog") && document.querySelector("[data-action=resume]")`)
	b.press("p")
	b.wait(`document.querySelector("dialog")`)
	b.press(enter)
	s.expect("board", shift.Shifting, "100%")
	b.wait(`!document.querySelector("dialog") && document.querySelector("[data-action=promote]")`)
	b.press("n")
	b.says("Finish board?")
	b.press(enter)
	s.expect("board", shift.Done, "100%")
	b.wait(`!document.querySelector("dialog") && document.querySelector(".pill").textContent === "Done"`)
	if seen := s.builds("/board", 100); seen["containers"] != 100 {
		t.Errorf("at the end of the journey users are served so: %v", seen)
	}
	b.press("r")
	b.wait(`document.activeElement.textContent === "Roll back" && document.activeElement.closest("dialog")`)
	b.press(enter)
	s.expect("board", shift.RolledBack, "")
	if st := s.status("board"); st.By != "ann" {
		t.Errorf("it was rolled back by %q", st.By)
	}

	// With Tab alone: every stop is visible, and the actions are among them.
	b.visit(s.page() + "?again#/route/board")
	b.wait(`document.querySelector("[data-action=start]")`)
	reached := map[string]bool{}
	for range 25 {
		b.press(tab)
		if b.truth(`document.activeElement === document.body`) {
			break // all were visited
		}
		reached[b.text(`document.activeElement.dataset.action ?? document.activeElement.textContent`)] = true
		if !b.truth(`(() => { const r = document.activeElement.getBoundingClientRect(); return r.width > 0 && r.bottom > 0 && r.top < innerHeight && getComputedStyle(document.activeElement).outlineStyle !== "none"; })()`) {
			t.Errorf("the focus is on something that is not to be seen: %s", b.text(`document.activeElement.outerHTML.slice(0, 200)`))
		}
	}
	for _, want := range []string{"Skip to the content", "Ledger", "start", "share"} {
		if !reached[want] {
			t.Errorf("Tab never reaches %q: %v", want, reached)
		}
	}

	b.press("?")
	b.says("Keyboard")
	b.press("\x1b")
	b.wait(`!document.querySelector("dialog")`)
	b.press("g", "l")
	b.wait(`document.querySelector(".entry")`)
	b.press("t")
	b.wait(`document.documentElement.dataset.theme === "light"`)
}

// TestTheFocusStaysWhileTheListMoves: a dozen rows come into sight at once, above one that has the focus.
func TestTheFocusStaysWhileTheListMoves(t *testing.T) {
	var routes strings.Builder
	for i := range 80 {
		fmt.Fprintf(&routes, "\n    - {name: part-%02d, match: [/part-%02d/], shift: {stages: [100%%]}}", i, i)
	}
	s := newSite(t, routes.String())
	b := open(t, 1280, 900)
	b.visit(s.page())
	b.wait(`document.querySelectorAll(".rows .row").length > 8`)
	b.do("scroll down", evaluateOnly(`scrollTo(0, 40 * document.querySelector(".rows .row").offsetHeight)`))
	b.wait(`!document.querySelector("[data-route=part-08]") && document.querySelectorAll(".rows .row").length > 8`)
	b.do("focus a row and follow it", evaluateOnly(`
		window.row = document.querySelectorAll(".rows .row")[4];
		window.name = row.dataset.route;
		row.querySelector("a").focus();
		window.lost = 0;
		new MutationObserver((all) => { for (const one of all) for (const gone of one.removedNodes) if (gone === row) lost++; })
			.observe(document.querySelector(".rows"), { childList: true });`))
	b.do("scroll up", evaluateOnly(`
		window.first = document.querySelector(".rows .row").dataset.route;
		scrollBy(0, -10 * row.offsetHeight)`))
	b.wait(`[...document.querySelectorAll(".rows .row")].findIndex((one) => one.dataset.route === first) >= 9`)
	if got := b.text(`(document.activeElement.textContent === name) + " " + lost`); got != "true 0" {
		t.Errorf("the focus is on its row, which was taken away so often: %s", got)
	}
}
