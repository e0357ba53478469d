package console

import "testing"

// TestTokensAndRoles: the page asks who one is, keeps the token in the tab only, and offers a viewer nothing.
func TestTokensAndRoles(t *testing.T) {
	s := newSite(t, usualRoutes, func(s *site) {
		s.tokens = "vic viewer vic-0123456789abcdef\nolga operator olga-0123456789abcdef\n"
	})
	s.put("issues", "25%", "")
	b := open(t, 1280, 900)
	b.setDeaf(true) // 401 and 403 are what is tried here
	b.visit(s.page() + "#/route/issues")
	enterToken := func(text string) {
		t.Helper()
		b.wait(`document.querySelector("dialog input[type=password]") === document.activeElement`)
		for _, key := range text {
			b.press(string(key))
		}
		b.press(enter)
	}
	b.wait(`document.querySelector("dialog input[type=password]")`)
	b.press("\x1b")
	b.says("No access. Sign in, at the top, with a token.")
	asked := b.text(`performance.getEntriesByType("resource").filter((e) => e.name.includes("/api/")).length`)
	b.wait(`performance.getEntriesByType("resource").filter((e) => e.name.includes("/api/")).length > 10 + ` + asked)
	if b.truth(`document.querySelector("dialog")`) {
		t.Error("who gives no token is asked again and again")
	}
	b.click("#who")
	enterToken("not-a-token-of-anyone")
	b.says("The gateway refuses the token")
	enterToken("vic-0123456789abcdef")
	b.says("vic · viewer")
	b.says("You may look; acting takes an operator")
	if b.truth(`document.querySelector("[data-action]") || !document.getElementById("rollback-all").hidden`) {
		t.Error("a viewer is offered actions")
	}
	b.press("r", "R")
	if b.truth(`document.querySelector("dialog")`) {
		t.Error("a viewer's keys act")
	}
	status := evaluate[float64](b, `fetch("/api/v1/routes/issues/rollback", {method: "POST", headers: {Authorization: "Bearer vic-0123456789abcdef"}}).then((a) => a.status)`)
	if status != 403 {
		t.Errorf("the API answers a viewer %v", status)
	}
	if kept := b.text(`JSON.stringify(localStorage) + document.cookie + location.href`); len(kept) == 0 || b.truth(`(JSON.stringify(localStorage) + document.cookie + location.href).includes("0123456789")`) {
		t.Errorf("the token is kept: %s", kept)
	}
	b.do("the page before it forgets", evaluateOnly(`window.before = true`))
	b.click("#who")
	b.click("dialog button[type=submit]")
	b.wait(`!window.before`) // it is loaded anew: what is typed before that is lost with it
	enterToken("olga-0123456789abcdef")
	b.says("olga · operator")
	b.click("[data-action=rollback]")
	b.confirm()
	s.expect("issues", "rolled-back", "")
	if st := s.status("issues"); st.By != "olga" {
		t.Errorf("it was rolled back by %q", st.By)
	}
}
