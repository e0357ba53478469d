package console

import (
	"fmt"
	"strings"
	"testing"

	"yadokari/shift"
)

// asAnn opens the page as a person with a name.
func asAnn(t *testing.T, s *site, width, height int64) *browser {
	t.Helper()
	b := open(t, width, height)
	b.visit(s.page())
	b.do("a name for the ledger", evaluateOnly(`localStorage.setItem("yadokari-actor", "ann")`))
	b.visit(s.page() + "?named")
	b.wait(`document.getElementById("who").textContent.startsWith("ann")`)
	return b
}

// TestEveryActionFromThePage does each action with the mouse and looks at what becomes of users' requests.
func TestEveryActionFromThePage(t *testing.T) {
	s := newSite(t, usualRoutes)
	s.load(120)
	b := asAnn(t, s, 1280, 900)

	b.do("the route", evaluateOnly(`location.hash = "#/route/wiki"`))
	b.click(`[data-action=start]`)
	b.says("Users stay on vm; containers gets copies of safe requests")
	b.confirm()
	s.expect("wiki", shift.Shifting, "mirror")
	b.says("Mirroring")
	if n := s.builds("/wiki/", 60)["containers"]; n != 0 {
		t.Errorf("%d users are on the new side while it is only mirrored", n)
	}

	b.click(`[data-action=promote]`)
	b.says("1 % of wiki’s users")
	b.says("requests a second")
	b.says("Promoting it now is by hand, and the ledger will say so")
	b.confirm()
	s.expect("wiki", shift.Shifting, "1%")

	b.click(`[data-action=share]`)
	b.do("a new share", evaluateOnly(`document.querySelector("dialog input").value = ""`))
	b.press("5", "0", "%")
	b.says("49 % of wiki’s users")
	b.says("It is paused there.")
	b.confirm()
	s.expect("wiki", shift.Paused, "50%")
	if n := s.builds("/wiki/", 300)["containers"]; n < 110 || n > 190 {
		t.Errorf("%d of 300 users are on the new side at 50%%", n)
	}

	b.click(`[data-action=resume]`)
	b.confirm()
	s.expect("wiki", shift.Shifting, "50%")
	b.click(`[data-action=pause]`)
	b.says("Nobody moves")
	b.press(enter) // the optional reason has the focus; Enter goes on
	b.wait(`!document.querySelector("dialog")`)
	s.expect("wiki", shift.Paused, "50%")

	b.click(`[data-action=rollback]`)
	b.says("50 % of wiki’s users")
	b.says("go back to vm now")
	if b.truth(`document.querySelector("dialog input")`) {
		t.Error("a rollback asks for more than one confirmation")
	}
	b.confirm()
	s.expect("wiki", shift.RolledBack, "")
	if n := s.builds("/wiki/", 300)["containers"]; n != 0 {
		t.Errorf("%d users are on the new side after the rollback", n)
	}

	s.put("issues", "100%", "")
	s.put("board", "50%", "")
	b.do("the overview", evaluateOnly(`location.hash = "#/"`))
	b.wait(`document.querySelector('[data-route=issues][data-kind=done]') && document.querySelector('[data-route=board][data-kind=paused]')`)
	b.click(`#rollback-all`)
	b.says("Every user of 2 routes goes back to the old side now")
	b.confirm()
	for _, path := range []string{"/issues", "/board"} {
		if seen := s.builds(path, 100); seen["containers"] != 0 {
			t.Errorf("%s after a rollback of all: %v", path, seen)
		}
	}

	var entries []shift.Entry
	if err := s.client.Do(t.Context(), "GET", "/api/v1/ledger", nil, &entries); err != nil {
		t.Fatal(err)
	}
	var did []string
	for _, e := range entries {
		if e.Actor.Name == "ann" {
			did = append(did, fmt.Sprint(e.Action, " ", e.Route))
		}
	}
	want := "rollback wiki,pause wiki,resume wiki,set wiki,promote-forced wiki,start wiki"
	if got := strings.Join(did, ","); !strings.HasSuffix(got, want) || strings.Count(got, "rollback") != 3 {
		t.Errorf("the ledger says that ann did %s; want … %s", got, want)
	}
}

func TestARefusalIsShown(t *testing.T) {
	s := newSite(t, usualRoutes)
	b := asAnn(t, s, 1280, 900)
	b.setDeaf(true) // to the 409
	b.do("the route", evaluateOnly(`location.hash = "#/route/issues"`))
	b.click(`[data-action=start]`)
	b.wait(`document.querySelector("dialog")`)
	s.put("issues", "50%", "somebody else was faster")
	b.click(`dialog button[type=submit]`)
	b.says("so there is nothing to start")
	b.press("\x1b")
	b.wait(`!document.querySelector("dialog")`)
	if st := s.status("issues"); st.State != shift.Paused || st.By != "local" {
		t.Errorf("the route is %s by %s", st.State, st.By)
	}
}

func TestDrainAServerFromThePage(t *testing.T) {
	s := newSite(t, usualRoutes, func(s *site) {
		s.vm, s.containers = s.build("vm"), s.build("containers")
		third := s.build("containers-b")
		s.backends = fmt.Sprintf("vm: {servers: [%q]}\n    containers: {servers: [%q, %q]}", s.vm.URL, s.containers.URL, third.URL)
	})
	s.put("wiki", "100%", "")
	b := asAnn(t, s, 1280, 900)
	id := strings.TrimPrefix(s.containers.URL, "http://")
	button := fmt.Sprintf(`[data-server="containers %s"]`, id)
	b.do("the backends", evaluateOnly(`location.hash = "#/backends"`))
	if seen := s.builds("/wiki/", 60); seen["containers"] == 0 || seen["containers-b"] == 0 {
		t.Fatalf("both servers should have requests: %v", seen)
	}
	b.click(button)
	b.says("gets no new requests")
	b.says("The users of wiki on containers")
	b.says("go to the other server of containers")
	b.confirm()
	if seen := s.builds("/wiki/", 60); seen["containers"] != 0 || seen["containers-b"] != 60 {
		t.Errorf("after the drain: %v", seen)
	}
	b.wait(fmt.Sprintf(`document.querySelector(%q).textContent.startsWith("Undrain")`, button))
	b.click(button)
	b.confirm()
	s.until("the server has requests again", func() bool { return s.builds("/wiki/", 40)["containers"] > 0 })

	b.click(fmt.Sprintf(`[data-server="vm %s"]`, strings.TrimPrefix(s.vm.URL, "http://")))
	b.says("It is the last one of vm that takes requests")
	b.press("\x1b")
	b.wait(`!document.querySelector("dialog")`)

	b.do("the ledger", evaluateOnly(`location.hash = "#/ledger?action=drain"`))
	b.wait(`document.querySelectorAll(".entry").length === 1`)
	b.says("containers " + id + " drained")
	b.says("by ann")
}

// TestAQuestionThatIsNoMore: when a route moves while somebody is asked about it, the answer does nothing.
func TestAQuestionThatIsNoMore(t *testing.T) {
	s := newSite(t, usualRoutes)
	b := asAnn(t, s, 1280, 900)
	s.put("issues", "5%", "")
	b.do("the route", evaluateOnly(`location.hash = "#/route/issues"`))
	b.click(`[data-action=promote]`)
	b.says("Promote issues to 25%?")
	s.put("issues", "25%", "somebody else was faster")
	b.says("It has moved meanwhile")
	b.press(enter)
	if !b.truth(`document.querySelector("dialog button[type=submit]").disabled && document.getElementById("dialog-title").textContent === "Promote issues to 25%?"`) {
		t.Error("the question has changed, or can still be answered")
	}
	b.press("\x1b")
	b.wait(`!document.querySelector("dialog")`)
	s.expect("issues", shift.Paused, "25%")
}

// expect waits until a route is so.
func (s *site) expect(route string, state shift.State, stage string) {
	s.t.Helper()
	s.until(fmt.Sprintf("%s is %s %s", route, state, stage), func() bool {
		st := s.status(route)
		return st.State == state && st.Stage == stage
	})
}
