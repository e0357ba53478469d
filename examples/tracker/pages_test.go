package tracker

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

func TestEveryPageOfANewTracker(t *testing.T) {
	s := newSite(t, Config{Version: "containers"})
	alice := login(t, s.url, "alice")
	for _, path := range []string{
		"/board", "/issues", "/issues?state=done", "/issues?before=10", "/issues/new", "/issues/1", "/wiki/",
		"/wiki/Home", "/wiki/Home/edit", "/wiki/Home/history", "/wiki/Home/history/1", "/files", "/search", "/search?q=one", "/login",
	} {
		r := alice.get(path, HeaderRequest, "r1").want(http.StatusOK)
		plain, _, _ := strings.Cut(path, "?")
		r.has(`data-user="alice"`, `data-path="`+plain+`"`, "</html>")
		if r.Header.Get(HeaderBuild) != "containers" || r.Header.Get(HeaderUser) != "alice" || r.Header.Get(HeaderRequest) != "r1" {
			t.Errorf("%s: headers %v", path, r.Header)
		}
	}
	for _, path := range []string{"/nowhere", "/issues/999", "/issues/x", "/wiki/Nope", "/wiki/Home/history/9", "/files/1", "/static/none"} {
		alice.get(path).want(http.StatusNotFound)
	}
	alice.get("/").want(http.StatusSeeOther)
}

func TestSessions(t *testing.T) {
	s := newSite(t, Config{})
	nobody := visit(t, s.url)
	nobody.get("/issues").want(http.StatusOK).has(`data-user=""`)
	nobody.get("/issues/new").want(http.StatusSeeOther)
	nobody.post("/issues", "title", "x").want(http.StatusUnauthorized)
	for _, bad := range []string{"", "a b", "a\r\nb", "é", strings.Repeat("a", 41)} {
		nobody.post("/login", "name", bad).want(http.StatusBadRequest)
	}
	nobody.get("/board", "Cookie", SessionCookie+"=forged").want(http.StatusOK).has(`data-user=""`)
	alice := login(t, s.url, "alice")
	alice.post("/logout").want(http.StatusSeeOther)
	alice.get("/board").has(`data-user=""`)

	bob := login(t, s.url, "bob")
	r := bob.request(http.MethodPost, "/issues", "title=x", "Content-Type", "application/x-www-form-urlencoded",
		"Sec-Fetch-Site", "cross-site")
	r.want(http.StatusForbidden)
}

func TestIssues(t *testing.T) {
	s := newSite(t, Config{})
	alice := login(t, s.url, "alice")
	r := alice.post("/issues", "title", "Paint <the> fence", "body", "white & blue").want(http.StatusSeeOther)
	path := r.Header.Get("Location")
	alice.get(path).has("Paint &lt;the&gt; fence", "white &amp; blue", "open")
	alice.post(path+"/comments", "body", "which blue?").want(http.StatusSeeOther)
	alice.post(path+"/state", "state", "review").want(http.StatusSeeOther)
	alice.get(path).has("which blue?", `<span class="state review">`)
	alice.get("/issues?state=review").has("Paint")
	alice.get("/issues?state=done").lacks("Paint")
	alice.get("/search?q=which+blu").has("Paint &lt;the&gt; fence")
	alice.get("/search?q=whiche").lacks("Paint")
	alice.get(`/search?q="+OR+*+NEAR(`).want(http.StatusOK)

	for _, bad := range []string{"", "  ", "a\nb", strings.Repeat("x", 201)} {
		alice.post("/issues", "title", bad).want(http.StatusBadRequest)
	}
	alice.post(path+"/state", "state", "lost").want(http.StatusBadRequest)
	alice.post(path+"/comments", "body", " ").want(http.StatusBadRequest)
	alice.post("/issues/999/comments", "body", "x").want(http.StatusNotFound)
	alice.post("/issues/999/state", "state", "done").want(http.StatusNotFound)
	alice.post("/issues", "title", "x", "body", strings.Repeat("x", maxText+1)).want(http.StatusRequestEntityTooLarge)
	alice.post("/issues", "title", "x", "body", strings.Repeat("x", maxFormBytes)).want(http.StatusBadRequest)
}

func TestBoard(t *testing.T) {
	s := newSite(t, Config{})
	alice := login(t, s.url, "alice")
	before, err := s.store.Board(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	card := before[0].Cards[3]
	alice.post("/board/"+strings.TrimPrefix(card.URL(), "/issues/")+"/move", "column", "done").want(http.StatusSeeOther)
	after, err := s.store.Board(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if after[0].Total != before[0].Total-1 || after[3].Total != before[3].Total+1 || after[3].Cards[0].ID != card.ID {
		t.Errorf("card %d is not on top of the last column: %+v", card.ID, after)
	}
}

func TestWikiKeepsBothTextsOfAConflict(t *testing.T) {
	s := newSite(t, Config{})
	alice, bob := login(t, s.url, "alice"), login(t, s.url, "bob")
	alice.get("/wiki/Plan").want(http.StatusNotFound)
	alice.post("/wiki/Plan", "base", "0", "body", "# First\r\nsee [[Home|start]]").want(http.StatusSeeOther)
	bob.post("/wiki/Plan", "base", "1", "body", "bob's text").want(http.StatusSeeOther)
	alice.post("/wiki/Plan", "base", "1", "body", "alice's text").want(http.StatusConflict).has("bob&#39;s text", "alice&#39;s text")
	alice.get("/wiki/Plan").has("bob&#39;s text")
	alice.get("/wiki/Plan/history/1").has("<h2>First</h2>", `<a href="/wiki/Home">start</a>`, "This is revision 1")
	alice.get("/wiki/Plan/history").has("/wiki/Plan/history/1", "/wiki/Plan/history/2")
	alice.post("/wiki/Plan", "base", "-1", "body", "x").want(http.StatusBadRequest)
	alice.post("/wiki/Plan", "base", "2", "body", strings.Repeat("x", maxText+1)).want(http.StatusRequestEntityTooLarge)
	alice.post("/wiki/.hidden", "base", "0", "body", "x").want(http.StatusNotFound)
}

func TestWikiPutIsConditional(t *testing.T) {
	s := newSite(t, Config{})
	alice := login(t, s.url, "alice")
	put := func(body string, headers ...string) reply {
		return alice.request(http.MethodPut, "/wiki/Put/raw", body, headers...)
	}
	put("one", "If-None-Match", "*").want(http.StatusCreated)
	put("one", "If-None-Match", "*").want(http.StatusPreconditionFailed)
	put("two", "If-Match", `"1"`).want(http.StatusNoContent)
	put("three", "If-Match", `"1"`).want(http.StatusPreconditionFailed)
	put("three", "If-Match", `"x"`).want(http.StatusPreconditionFailed)
	put("four").want(http.StatusNoContent)
	put(strings.Repeat("x", maxText+1)).want(http.StatusRequestEntityTooLarge)
	r := alice.get("/wiki/Put/raw").want(http.StatusOK)
	if r.body != "four" || r.Header.Get("ETag") != `"3"` {
		t.Errorf("body %q, tag %s", r.body, r.Header.Get("ETag"))
	}
	alice.get("/wiki/Put/raw", "If-None-Match", `"3"`).want(http.StatusNotModified)
}

func TestAPI(t *testing.T) {
	s := newSite(t, Config{})
	alice := login(t, s.url, "alice")
	created := alice.request(http.MethodPost, "/api/issues", `{"title":"By program","body":"b"}`).want(http.StatusCreated)
	var issue Issue
	if err := json.Unmarshal([]byte(created.body), &issue); err != nil || issue.Author != "alice" || issue.State != "open" {
		t.Errorf("%s: %v", created.body, err)
	}
	alice.get("/api/issues?limit=1").want(http.StatusOK).has(`"By program"`).lacks(`"id":40`)
	alice.get("/api"+issue.URL()).want(http.StatusOK).has(`"By program"`, `"older":0`)
	alice.get("/api/issues?state=none").has(`{"issues":[]}`)
	alice.get("/api/counts").has(`"issues":41`)
	for _, bad := range []string{"", "{", `{"title":1}`, `{"other":1}`, `{"title":""}`} {
		alice.request(http.MethodPost, "/api/issues", bad).want(http.StatusBadRequest).has(`{"error":`)
	}
	visit(t, s.url).request(http.MethodPost, "/api/issues", `{"title":"x"}`).want(http.StatusUnauthorized)
	alice.get("/api/issues/999").want(http.StatusNotFound)
}

func TestStaticAssetsHaveTags(t *testing.T) {
	s := newSite(t, Config{})
	v := visit(t, s.url)
	r := v.get("/static/style.css").want(http.StatusOK)
	if tag := r.Header.Get("ETag"); tag == "" {
		t.Fatal("no tag")
	} else if again := v.get("/static/style.css", "If-None-Match", tag).want(http.StatusNotModified); again.body != "" {
		t.Errorf("body %q", again.body)
	}
}
