package mediawiki

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"

	"yadokari/test/gauntlet/browser"
)

// People are n users of a firm's wiki: some only read or correct a word in passing, most have accounts, search, write and bring
// pictures, a few are robots.
func (w *Wiki) People(n int) []browser.Person {
	people := make([]browser.Person, n)
	for i := range people {
		switch i % 16 {
		case 0, 1, 2:
			people[i] = browser.Person{Kind: "reader", Visit: read}
		case 3, 4:
			people[i] = browser.Person{Kind: "passer-by", Visit: correct}
		case 5, 6, 7, 8, 9, 10, 11, 12, 13, 14:
			people[i] = writer(fmt.Sprint("Writer", i/16*10+i%16-5))
		case 15:
			people[i] = browser.Person{Kind: "robot", Visit: crawl}
		}
	}
	return people
}

func someArticle() string { return fmt.Sprintf("Article_%d", rand.IntN(40)) }

func somePage() string {
	if browser.Sometimes(3) {
		return browser.Any("/wiki/Main_Page", "/wiki/Everything", "/wiki/Special:RecentChanges", "/wiki/Category:Articles",
			"/wiki/File:Picture1.jpg", "/wiki/File:Picture4.jpg", "/w/index.php?title="+someArticle()+"&action=history")
	}
	return "/wiki/" + someArticle()
}

// read is a visit that only looks.
func read(ctx context.Context, b *browser.Browser) {
	home, _ := b.Open(ctx, "/")
	browser.Look(ctx)
	for range 2 + rand.IntN(5) {
		b.Open(ctx, somePage())
		browser.Look(ctx)
	}
	if browser.Sometimes(2) {
		search(ctx, b, home)
	}
}

func search(ctx context.Context, b *browser.Browser, on *browser.Page) {
	word := browser.Any("harbour", "lantern", "copper", "falcon", "kettle")
	_, _ = b.Send(ctx, http.MethodGet, "/w/api.php?action=opensearch&format=json&limit=10&search="+word[:3], nil, "")
	form, found := on.Form("search")
	if !found {
		b.Complain(ctx, "no form for a search")
	} else if page, ok := b.Submit(ctx, on, form, map[string]string{"search": word, "fulltext": "1"}); ok &&
		!strings.Contains(page.Body, "Article ") {
		b.Complain(ctx, "search finds nothing")
	}
	browser.Look(ctx)
}

// correct is a visit of somebody without an account who changes a word.
func correct(ctx context.Context, b *browser.Browser) {
	b.Open(ctx, somePage())
	browser.Look(ctx)
	edit(ctx, b, someArticle())
	b.Open(ctx, somePage())
	browser.Look(ctx)
}

func edit(ctx context.Context, b *browser.Browser, title string) {
	page, _ := b.Open(ctx, "/w/index.php?title="+title+"&action=edit")
	browser.Look(ctx)
	form, found := page.Form("wpTextbox1")
	if !found || !form.Fields.Has("wpEditToken") {
		b.Complain(ctx, "no form for an edit")
		return
	}
	text := form.Fields.Get("wpTextbox1")
	text = text[:min(len(text), 4000)] + fmt.Sprintf("\n\nAnd %x.", rand.Uint64())
	set := map[string]string{"wpTextbox1": text, "wpSummary": "a word more", "wpSave": "Save"}
	if after, ok := b.Submit(ctx, page, form, set); ok {
		if _, again := after.Form("wpTextbox1"); again {
			b.Complain(ctx, "edit is refused")
		}
	}
	browser.Look(ctx)
}

// writer has an account.
func writer(name string) browser.Person {
	return browser.Person{Kind: "writer", Visit: func(ctx context.Context, b *browser.Browser) {
		signIn(ctx, b, name)
		page, _ := b.Open(ctx, somePage())
		browser.Look(ctx)
		search(ctx, b, page)
		edit(ctx, b, browser.Any(someArticle(), "User:"+name))
		upload(ctx, b)
		if browser.Sometimes(2) {
			watch(ctx, b)
		}
		if browser.Sometimes(3) {
			signOut(ctx, b)
		}
	}}
}

// signIn opens what only users with an account see, and signs in when asked to.
func signIn(ctx context.Context, b *browser.Browser, name string) {
	page, _ := b.Open(ctx, "/wiki/Special:Watchlist")
	browser.Look(ctx)
	link, found := page.Link("Special:UserLogin")
	if !found {
		return
	}
	page, _ = b.Open(ctx, link)
	browser.Look(ctx)
	form, found := page.Form("wpPassword")
	if !found {
		b.Complain(ctx, "no form for a login")
		return
	}
	set := map[string]string{"wpName": name, "wpPassword": name + "-password", "wploginattempt": "Log in"}
	if after, ok := b.Submit(ctx, page, form, set); ok {
		if _, again := after.Form("wpPassword"); again {
			b.Complain(ctx, "login is refused")
		}
	}
	browser.Look(ctx)
}

func signOut(ctx context.Context, b *browser.Browser) {
	page, _ := b.Open(ctx, "/wiki/Special:UserLogout")
	if form, found := page.Form("wpEditToken"); found {
		b.Submit(ctx, page, form, nil)
	}
	browser.Look(ctx)
}

func watch(ctx context.Context, b *browser.Browser) {
	page, _ := b.Open(ctx, "/w/index.php?title="+someArticle()+"&action=watch")
	browser.Look(ctx)
	if form, found := page.Form("wpEditToken"); found {
		b.Submit(ctx, page, form, nil)
	}
	browser.Look(ctx)
}

func upload(ctx context.Context, b *browser.Browser) {
	page, _ := b.Open(ctx, "/wiki/Special:Upload")
	browser.Look(ctx)
	form, found := page.Form("wpDestFile")
	if !found {
		b.Complain(ctx, "no form for an upload")
		return
	}
	name := fmt.Sprintf("Photo-%x.jpg", rand.Uint64())
	set := map[string]string{"wpDestFile": name, "wpUploadDescription": "a photo", "wpUpload": "Upload file"}
	after, ok := b.Upload(ctx, page, form, set, "wpUploadFile", name, browser.Photo())
	if ok && !strings.Contains(after.URL.Path, "File:") {
		b.Complain(ctx, "upload is refused")
	}
	browser.Look(ctx)
}

// crawl is what robots ask for: much that is there and some that is not.
func crawl(ctx context.Context, b *browser.Browser) {
	b.Bot("Mozilla/5.0 (compatible; gauntletbot/1.0)")
	for _, target := range []string{
		"/robots.txt", "/wiki/Special:AllPages", somePage(), "/w/api.php?action=query&list=recentchanges&format=json", somePage(),
		"/w/index.php?title=Special:RecentChanges&feed=atom", fmt.Sprintf("/wiki/Old_%d", rand.IntN(100)), "/.env", somePage(),
	} {
		if answer, err := b.Send(ctx, http.MethodGet, target, nil, ""); err != nil || answer.Status >= 500 {
			b.Complain(ctx, "robot is not served")
		}
		browser.Look(ctx)
	}
}
