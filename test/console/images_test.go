package console

import "testing"

// TestPictures takes the pictures of the documentation while a migration is under way.
func TestPictures(t *testing.T) {
	s := newSite(t, usualRoutes)
	b := open(t, 1440, 900)

	b.visit(s.page())
	b.says("No traffic in the last five minutes")
	b.keep("console-empty", false)

	s.load(260)
	for _, route := range []string{"json-api", "wiki", "search"} {
		s.post("routes/"+route+"/start", nil)
	}
	s.put("issues", "25%", "as agreed in the morning")
	s.post("routes/issues/resume", nil)
	s.faults("/api/:wrong:p=0.3")
	s.put("files", "100%", "nothing left to compare with")
	s.put("board", "50%", "half of the users, after lunch")
	s.until("the board has users on the new side", func() bool { return s.status("board").New.Requests > 120 })
	s.faults("/board:error:p=0.05", "/issues:slow:p=0.02,delay=40ms")
	s.until("the board is rolled back", func() bool { return s.status("board").State == "rolled-back" })
	s.until("the issues have users", func() bool { return s.status("issues").New.Requests > 900 })
	b.wait(`document.querySelectorAll(".row.urgent").length > 0`)
	b.keep("console-overview", false)

	b.visit(s.page() + "#/route/issues")
	b.wait(`document.querySelector(".signals") && document.querySelector(".uplot") && document.querySelector(".distribution")`)
	b.keep("console-route", true)
	b.visit(s.page() + "#/route/board")
	b.wait(`document.querySelector(".uplot") && document.querySelector(".entry")`)
	b.keep("console-rollback", true)
	b.visit(s.page() + "#/route/json-api")
	b.wait(`document.querySelector(".example")`)
	b.keep("console-differences", true)
	b.visit(s.page() + "#/ledger")
	b.wait(`document.querySelector(".entry")`)
	b.keep("console-ledger", false)

	b.scheme("dark")
	b.visit(s.page() + "#/")
	b.wait(`document.querySelectorAll(".row.urgent").length > 0`)
	b.keep("console-dark", false)

	b.size(390, 844)
	b.scheme("light")
	b.visit(s.page())
	b.wait(`document.querySelectorAll(".row.urgent").length > 0`)
	b.keep("console-phone", false)
	b.visit(s.page() + "#/route/issues")
	b.wait(`document.querySelector(".signals") && document.querySelector(".uplot")`)
	b.keep("console-phone-route", false)
}
