package console

import (
	"syscall"
	"testing"
	"time"

	"yadokari/shift"
)

// TestARollbackIsSeenWithinASecond breaks the new side and compares the time in the ledger with the
// moment at which the page shows it; both are of this machine's clock.
func TestARollbackIsSeenWithinASecond(t *testing.T) {
	s := newSite(t, usualRoutes)
	s.load(200)
	b := open(t, 1280, 900)
	b.visit(s.page())
	for range 3 {
		s.faults()
		s.put("issues", "50%", "")
		s.until("the new side serves", func() bool { return s.status("issues").New.Requests > 30 })
		b.wait(`document.querySelector('[data-route=issues][data-kind=paused]')`)
		b.do("watch", evaluateOnly(`window.seen = new Promise((go) => { const look = () => {
			if (document.querySelector('[data-route=issues][data-kind=rolled-back]')) go(Date.now()); else requestAnimationFrame(look); }; look(); })`))
		s.faults("/issues:error:p=1")
		s.expect("issues", shift.RolledBack, "")
		seen := time.UnixMilli(int64(evaluate[float64](b, `window.seen`)))
		var entries []shift.Entry
		if err := s.client.Do(t.Context(), "GET", "/api/v1/ledger?route=issues&action=rollback&limit=1", nil, &entries); err != nil || len(entries) != 1 {
			t.Fatal(entries, err)
		}
		late := seen.Sub(entries[0].Time)
		t.Logf("seen %s after the decision: %s", late.Round(time.Millisecond), entries[0].Why)
		if late > time.Second {
			t.Errorf("the rollback was seen %s after it happened", late)
		}
	}
	if got := b.text(`document.title`); got[:3] != "(1)" {
		t.Errorf("the title is %q", got)
	}
}

// TestTheLineIsLostAndComesBack kills the gateway under the page.
func TestTheLineIsLostAndComesBack(t *testing.T) {
	s := newSite(t, usualRoutes)
	s.load(60)
	s.put("issues", "25%", "")
	b := open(t, 1280, 900)
	b.visit(s.page())
	b.wait(`document.getElementById("live").dataset.line === "live" && document.querySelector("[data-route=issues] .value b").textContent > "0"`)

	b.setDeaf(true)
	s.kill(syscall.SIGKILL)
	b.says("Connection lost since ")
	b.says("The numbers below are from then")
	before := b.text(`document.querySelector("#alarms .alarm").textContent`)
	if !b.truth(`document.documentElement.classList.contains("stale") && document.querySelector('#alarms [role=alert]')`) {
		t.Error("old numbers look like new ones")
	}
	b.do("an action without a gateway", evaluateOnly(`location.hash = "#/route/issues"`))
	b.click(`[data-action=rollback]`)
	b.click(`dialog button[type=submit]`)
	b.says("The gateway does not answer.")
	b.press("\x1b")
	if after := b.text(`document.querySelector("#alarms .alarm").textContent`); after != before {
		t.Errorf("the line was lost twice: %q, then %q", before, after)
	}

	s.start()
	b.wait(`document.getElementById("live").dataset.line === "live"`)
	b.wait(`!document.documentElement.classList.contains("stale") && !document.querySelector("#alarms .alarm")`)
	b.setDeaf(false)
	s.put("issues", "50%", "")
	b.wait(`document.querySelector(".pill").textContent.includes("50%")`)
}
