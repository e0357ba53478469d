package console

import (
	"fmt"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"

	"yadokari/shift"
)

// cutOff makes calls of the page fail, or hang until they are given up, by parts of their addresses.
const cutOff = `window.cut = []; window.hang = []; window.calls = {}; window.through = window.fetch;
	window.fetch = (url, options) => {
		const has = (list) => list.some((part) => String(url).includes(part));
		for (const part of ["series", "latencies", "differences", "ledger", "backends", "gateway"]) if (String(url).includes("/" + part)) window.calls[part] = (window.calls[part] ?? 0) + 1;
		if (has(window.cut)) return Promise.reject(new TypeError("cut off by the test"));
		if (has(window.hang)) return new Promise((go, fail) => options.signal.addEventListener("abort", () => fail(options.signal.reason)));
		return window.through(url, options);
	};`

// old is true when a panel says that it was not read, and since when, or says nothing of it.
func old(panel string, is bool) string {
	said := fmt.Sprintf(`/^Not read since \d\d:\d\d:\d\d/.test(document.querySelector(".%s .unread:not([hidden])")?.textContent) && document.querySelector(".%[1]s.old")`, panel)
	if !is {
		return fmt.Sprintf(`!document.querySelector(".%s .unread:not([hidden])") && !document.querySelector(".%[1]s.old")`, panel)
	}
	return said
}

// TestAPanelThatIsNotReadSaysSo: each panel for itself, whether its call fails or is not answered, and it
// recovers by itself.
func TestAPanelThatIsNotReadSaysSo(t *testing.T) {
	s := newSite(t, usualRoutes)
	s.load(60)
	s.faults("/api/:wrong:p=0.02")
	s.post("routes/json-api/start", nil)
	b := open(t, 1280, 900)
	b.visit(s.page() + "#/route/json-api")
	b.wait(`document.querySelector(".uplot") && document.querySelector(".distribution") && document.querySelector(".signals") && document.querySelector(".entry") && document.querySelector(".serverlist li") && document.querySelector(".numbers")`)
	b.do("a gateway that answers in part", evaluateOnly(cutOff))
	panels := map[string]string{"charts": "/series", "spread": "/latencies", "differences": "/differences", "servers": "/backends", "moves": "/ledger", "evidence": "routes/json-api"}
	for _, panel := range []string{"charts", "spread", "differences", "servers"} {
		b.do("cut "+panel, evaluateOnly(fmt.Sprintf(`window.cut = [%q]`, panels[panel])))
		b.wait(old(panel, true))
		for other := range panels {
			if other != panel {
				b.wait(old(other, false)) // one that was cut off before is itself again
			}
		}
	}
	b.do("cut the ledger", evaluateOnly(`window.cut = ["/ledger"]`))
	s.put("json-api", "5%", "seen later")
	b.wait(old("moves", true))
	b.do("all is well", evaluateOnly(`window.cut = []`))
	b.says("seen later")
	b.wait(old("moves", false))

	b.do("calls hang", evaluateOnly(`window.hang = ["/series"]`))
	b.wait(old("charts", true))
	b.do("all is well", evaluateOnly(`window.hang = []`))
	b.wait(old("charts", false))

	b.do("what the gateway says of itself", evaluateOnly(`window.cut = ["/gateway"]`))
	b.wait(`/^What the gateway says of itself .* was not read since \d\d:/.test(document.querySelector("#alarms .alarm")?.textContent)`)
	b.do("all is well", evaluateOnly(`window.cut = []`))
	b.wait(`!document.querySelector("#alarms .alarm")`)

	for _, page := range []struct{ hash, call, cls string }{{"#/backends", "/backends", "backends"}, {"#/ledger", "/ledger", "panel"}} {
		b.do("another page", evaluateOnly(fmt.Sprintf(`location.hash = %q`, page.hash)))
		b.wait(`document.querySelector(".serverlist li, .entry")`)
		b.do("cut", evaluateOnly(fmt.Sprintf(`window.cut = [%q]`, page.call)))
		b.wait(`/^Not read since \d\d:\d\d:\d\d/.test(document.querySelector("main .unread:not([hidden])")?.textContent)`)
		b.do("all is well", evaluateOnly(`window.cut = []`))
		b.wait(`!document.querySelector("main .unread:not([hidden])")`)
	}
}

// TestAGatewayThatFallsSilent stops the gateway's process without ending it: connections stay, and nothing
// comes.
func TestAGatewayThatFallsSilent(t *testing.T) {
	s := newSite(t, usualRoutes)
	s.load(60)
	s.put("issues", "25%", "")
	b := open(t, 1280, 900)
	b.visit(s.page() + "#/route/issues")
	b.wait(`document.getElementById("live").dataset.line === "live" && document.querySelector(".uplot") && document.querySelector(".distribution")`)
	b.setDeaf(true) // calls are given up
	if err := s.gateway.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.gateway.Process.Signal(syscall.SIGCONT) })
	stopped := time.Now()
	b.wait(old("charts", true))
	b.says("Connection lost since ")
	said := regexp.MustCompile(`\d\d:\d\d:\d\d`).FindString(b.text(`document.querySelector("#alarms .alarm").textContent`))
	if heard, err := time.ParseInLocation(time.TimeOnly, said, time.Local); err != nil || daytime(stopped)-daytime(heard) > 10*time.Second || daytime(heard)-daytime(stopped) > 2*time.Second {
		t.Errorf("the gateway fell silent at %s; the page says that nothing was heard since %s", stopped.Format(time.TimeOnly), said)
	}
	if !b.truth(`document.documentElement.classList.contains("stale") && document.getElementById("live").textContent === "Connection lost"`) {
		t.Error("old numbers look like new ones")
	}
	if err := s.gateway.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	b.wait(`document.getElementById("live").dataset.line === "live" && !document.querySelector("#alarms .alarm")`)
	for _, panel := range []string{"charts", "spread", "servers", "evidence", "moves"} {
		b.wait(old(panel, false))
	}
	s.put("issues", "50%", "")
	b.wait(`document.querySelector(".pill").textContent.includes("50%")`)
}

func daytime(at time.Time) time.Duration {
	return time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute + time.Duration(at.Second())*time.Second
}

// TestTheLedgerIsLive: entries come by themselves, of drains too, and filters and focus stay. What is
// read again by the clock alone is switched off.
func TestTheLedgerIsLive(t *testing.T) {
	s := newSite(t, usualRoutes)
	s.put("wiki", "5%", "the first one")
	b := open(t, 1280, 900)
	b.visit(s.page())
	b.do("no clock", evaluateOnly(`const every = window.setInterval; window.setInterval = (f, ms) => (ms === 15000 ? 0 : every(f, ms)); window.here = true`))
	b.do("the ledger", evaluateOnly(`location.hash = "#/ledger?actor=local"`))
	b.wait(`document.querySelectorAll(".entry").length === 1`)
	b.do("focus", evaluateOnly(`document.querySelector(".entry .seq").focus()`))
	for i := range 5 {
		s.put("wiki", fmt.Sprintf("%d%%", 6+i), "")
		b.wait(fmt.Sprintf(`document.querySelectorAll(".entry").length === %d`, 2+i))
	}
	s.post("backends/vm/servers/"+strings.TrimPrefix(s.vm.URL, "http://")+"/drain", nil)
	b.wait(`document.querySelectorAll(".entry").length === 7 && document.querySelector(".entry .did").textContent.includes("drained")`)
	if !b.truth(`window.here && location.hash === "#/ledger?actor=local" && document.activeElement.getAttribute("href") === "#/ledger/1"`) {
		t.Errorf("the page was loaded anew, or has lost its filter or its focus: %s", b.text(`document.activeElement.outerHTML`))
	}

	b.do("a route", evaluateOnly(`location.hash = "#/route/wiki"`))
	b.wait(`document.querySelectorAll(".entry").length === 6`)
	s.put("wiki", "50%", "seen at once")
	b.says("seen at once")
}

// TestAReloadIsSeen: routes that come, go, or get a journey with another configuration.
func TestAReloadIsSeen(t *testing.T) {
	s := newSite(t, usualRoutes)
	b := open(t, 1280, 900)
	b.visit(s.page())
	b.wait(`document.querySelector("[data-route=rest][data-kind=none]") && document.querySelector("[data-route=search]")`)
	other := open(t, 1280, 900)
	other.setDeaf(true) // 404 of a route that is none yet
	other.visit(s.page() + "#/route/archive")
	other.says("No such route")
	routes := strings.Replace(usualRoutes, "match: [\"/\"]\n", "match: [\"/\"]\n      shift: {stages: [5%, 100%]}\n", 1)
	routes = strings.Replace(routes, "name: search", "name: archive", 1)
	s.write(routes)
	if err := s.gateway.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	b.wait(`document.querySelector("[data-route=rest][data-kind=idle]") && !document.querySelector("[data-route=search]") && document.querySelector("[data-route=archive] .match").textContent === "GET /search"`)
	other.wait(`document.querySelector(".pill")?.textContent === "Not started" && document.querySelector("[data-action=start]")`)
	other.setDeaf(false)
}

// TestTheFocusStays where it is while lists are drawn anew.
func TestTheFocusStays(t *testing.T) {
	s := newSite(t, usualRoutes)
	s.load(60)
	b := open(t, 1280, 900)
	b.visit(s.page())
	b.wait(`document.querySelector("[data-route=search]")`)
	b.do("focus", evaluateOnly(`document.querySelector("[data-route=search] .name").focus()`))
	for _, route := range []string{"wiki", "issues", "board", "search"} {
		s.put(route, "5%", "") // paused: it comes before those that are well
		b.wait(`document.querySelector("[data-route=` + route + `][data-kind=paused]")`)
		if got := b.text(`document.activeElement.textContent`); got != "search" {
			t.Fatalf("after %s has moved the focus is on %q", route, got)
		}
	}
	b.press("j")
	b.wait(`document.activeElement.classList.contains("name") && document.activeElement.textContent !== "search"`)
	b.do("one group", evaluateOnly(`document.querySelectorAll(".chip")[1].click(); document.querySelector("[data-route=issues] .name").focus()`))
	s.post("routes/issues/resume", nil)
	b.wait(`!document.querySelector("[data-route=issues]") && document.activeElement.classList.contains("name")`)

	b.do("a route", evaluateOnly(`location.hash = "#/route/wiki"`))
	b.wait(`document.querySelector(".serverlist button:not([hidden])")`)
	b.do("focus", evaluateOnly(cutOff+`document.querySelector(".serverlist button").focus(); document.activeElement.mine = true`))
	b.wait(`window.calls.backends > 2`)
	if !b.truth(`document.activeElement.mine && document.activeElement.isConnected`) {
		t.Errorf("the button was replaced under the finger; the focus is on %s", b.text(`document.activeElement.outerHTML`))
	}
}

// TestWhatIsStillMissing: in words, with times of the place where the browser is.
func TestWhatIsStillMissing(t *testing.T) {
	tokyo, err := time.LoadLocation("Asia/Tokyo")
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(t, usualRoutes)
	s.load(100)
	s.put("issues", "25%", "")
	s.post("routes/issues/resume", nil)
	s.expect("issues", shift.Shifting, "25%")
	b := asAnn(t, s, 1280, 900)
	call(b, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: tokyo.String()})
	b.visit(s.page() + "?tokyo#/route/issues")
	b.wait(`/at \d\d:\d\d:\d\d|at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d/.test(document.querySelector(".next").textContent)`)
	text := b.text(`document.querySelector(".next").textContent`)
	said := regexp.MustCompile(`at (?:\d{4}-\d\d-\d\d )?(\d\d:\d\d:\d\d)`).FindStringSubmatch(text)
	if said == nil {
		t.Fatalf("no time in %q", text)
	}
	at, err := time.ParseInLocation(time.TimeOnly, said[1], tokyo)
	if left := (daytime(at) - daytime(time.Now().In(tokyo)) + 24*time.Hour) % (24 * time.Hour); err != nil || left > time.Hour {
		t.Errorf("it is %s in Tokyo, and the page says %q", time.Now().In(tokyo).Format(time.TimeOnly), text)
	}
	b.says("more of the stage’s hold, however many requests come")
	b.wait(`/^[\d,]+ of [\d,]+ users are on containers$/.test(document.querySelector(".who").textContent)`)
	b.wait(`/^\d+ (more )?signals?: nothing speaks against containers$/.test(document.querySelector(".signals summary").textContent)`)
	b.wait(`/About [\d,]+ more requests on containers, .* at this rate \([\d.]+ a second\)/.test(document.querySelector(".needs").textContent)`)

	b.click(`[data-action=promote]`)
	b.says("The stage is not ready: ")
	b.says("of its hold are left; the verdict is “not enough traffic”: ")
	b.do("a click beside the question", evaluateOnly(`document.querySelector("dialog").dispatchEvent(new MouseEvent("click", {bubbles: true, clientX: 2, clientY: 2}))`))
	if !b.truth(`document.querySelector("dialog[open]")`) {
		t.Error("a click beside the question has closed it")
	}
	b.press("\x1b")
	b.wait(`!document.querySelector("dialog")`)
	s.expect("issues", shift.Shifting, "25%")
}

// TestAShortPastFillsTheCharts: what little is known takes the whole width, and quantiles are to be read
// without a mouse.
func TestAShortPastFillsTheCharts(t *testing.T) {
	s := newSite(t, usualRoutes)
	s.load(100)
	b := open(t, 390, 844)
	b.visit(s.page())
	b.wait(`[...document.querySelectorAll(".rows .row")].some((row) => /^vm[\d.]+\s\/\s[\d.]+\s\/\s[\d.]+ (ms|s|µs)$/.test(row.querySelectorAll(".pair")[2].querySelector(".value.vm").textContent))`)
	b.wait(`Math.min(...[...document.querySelectorAll(".spark .line.vm")].map((line) => Number(/^M([\d.]+)/.exec(line.getAttribute("d"))?.[1] ?? 999))) < 15`)
	if !b.truth(`document.getElementById("who").getBoundingClientRect().width > 20`) {
		t.Error("a phone does not show who is signed in")
	}
}
