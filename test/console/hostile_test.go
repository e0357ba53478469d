package console

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

const attack = `<img src=x onerror="window.owned=1"><script>window.owned=1</script><svg/onload=window.owned=1>'"--></textarea>{{7*7}}`

// TestHostileTexts lets users' bodies, header values, targets, reasons and a server's errors hold markup.
func TestHostileTexts(t *testing.T) {
	answer := func(text string) *httptest.Server {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Location", text)
			_ = json.NewEncoder(w).Encode(map[string]string{"title": text, text: "a field"})
		}))
		t.Cleanup(server.Close)
		return server
	}
	routes := `
    - name: wiki
      match: ["/"]
      shift: {stages: [mirror, 50%, 100%], minRequests: 5000, tolerate: {differences: 100%}}
      mirror: {rate: 100%, headers: [Location]}
`
	s := newSite(t, routes, func(s *site) {
		s.backends = fmt.Sprintf("vm: {servers: [%q]}\n    containers: {servers: [%q, %q]}", answer("plain").URL, answer(attack).URL, "http://127.0.0.1:1")
	})
	s.put("wiki", "50%", attack)
	s.post("routes/wiki/rollback", map[string]string{"why": attack})
	s.post("routes/wiki/start", map[string]string{"why": attack})
	for i := range 60 {
		r, err := http.NewRequestWithContext(t.Context(), "GET", fmt.Sprintf("http://%s/page?q=%%3Cscript%%3Ewindow.owned=%d%%3C/script%%3E", s.listen, i), nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = got.Body.Close()
	}
	b := open(t, 1280, 900)
	for page, shows := range map[string]string{
		"#/":                       `document.querySelector(".row .verdict")`,
		"#/route/wiki":             `[...document.querySelectorAll(".example")].some((x) => x.textContent.includes("<script>window.owned"))`,
		"#/ledger":                 `document.querySelector(".entry .why").textContent.includes("onerror=")`,
		"#/ledger/2":               `document.querySelector(".facts").textContent.includes("<img src=x onerror=")`,
		"#/backends":               `document.querySelector(".lasterror")`,
		"#/route/%3Cimg%20src%3Dx": `document.body.innerText.includes("No such route") && document.body.innerText.includes("<img src=x")`,
		"#/ledger/%3Cscript%3E":    `document.body.innerText.includes("is not the number of an entry")`,
	} {
		b.setDeaf(strings.HasPrefix(page, "#/route/%3C")) // the API answers 404 for it
		b.visit(s.page() + "?" + page)
		b.wait(shows)
		if b.truth(`window.owned`) {
			t.Errorf("%s: what a stranger wrote was run", page)
		}
		if n := b.text(`document.querySelectorAll("img:not([src='/console/icon.svg']), main script, iframe, object, [onerror], [onload]").length`); n != "0" {
			t.Errorf("%s: %s elements were made of what a stranger wrote", page, n)
		}
	}
}

// TestThePolicyHolds tries to run code that is not the page's own.
func TestThePolicyHolds(t *testing.T) {
	s := newSite(t, usualRoutes)
	b := open(t, 1280, 900)
	b.visit(s.page())
	b.wait(`document.querySelector(".row")`)
	broken := evaluate[[]string](b, `new Promise((go) => {
		const found = [];
		document.addEventListener("securitypolicyviolation", (e) => { found.push(e.effectiveDirective); if (found.length === 3) go(found.sort()); });
		const script = document.createElement("script"); script.textContent = "window.owned=1"; document.body.append(script);
		document.body.append(Object.assign(document.createElement("img"), {src: "http://127.0.0.1:9/x.png"}));
		fetch("http://127.0.0.1:9/").catch(() => {});
	})`)
	if fmt.Sprint(broken) != "[connect-src img-src script-src-elem]" || b.truth(`window.owned`) {
		t.Errorf("refused: %v", broken)
	}
	b.forgive("Content Security Policy", "net::ERR", "violates")
}
