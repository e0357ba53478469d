package console

import "testing"

// TestAnotherServiceCluster: the page leads to the page of another cluster's gateway, and shows there what
// it has shown here. A cluster whose page the file does not name cannot be chosen.
func TestAnotherServiceCluster(t *testing.T) {
	other := newSite(t, usualRoutes)
	other.put("wiki", "25%", "")
	s := newSite(t, usualRoutes, func(s *site) { s.osaka = other.page() })
	b := open(t, 1280, 900)
	b.visit(s.page() + "#/route/wiki")
	b.wait(`document.querySelector("#clusters")?.value === "tokyo-2"`)
	if disabled := evaluate[string](b, `[...document.querySelectorAll("#clusters option:disabled")].map((o) => o.value).join()`); disabled != "tokyo-3" {
		t.Errorf("%q cannot be chosen", disabled)
	}
	b.do("another cluster", evaluateOnly(`const list = document.getElementById("clusters"); list.value = "osaka-1"; list.dispatchEvent(new Event("change"))`))
	b.wait(`location.origin + "/" === "` + other.page() + `" && location.hash === "#/route/wiki"`)
	b.says("vm 75 %, containers 25 %")
}
