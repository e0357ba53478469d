package wordpress

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"

	"yadokari/test/gauntlet/browser"
)

// People are n users of a blog that is somebody's own: some only read or comment, most have accounts, sign in, comment, upload,
// search and write, a few are robots.
func (b *Blog) People(n int) []browser.Person {
	people := make([]browser.Person, n)
	for i := range people {
		switch i % 16 {
		case 0, 1, 2:
			people[i] = browser.Person{Kind: "visitor", Visit: read}
		case 3, 4:
			people[i] = browser.Person{Kind: "commenter", Visit: comment}
		case 5, 6:
			people[i] = reader(fmt.Sprint("reader", i/16*2+i%16-5))
		case 7, 8, 9, 10, 11, 12, 13:
			people[i] = author(fmt.Sprint("author", i/16*7+i%16-7))
		case 14:
			people[i] = author(fmt.Sprint("editor", i/16))
		case 15:
			people[i] = browser.Person{Kind: "robot", Visit: crawl}
		}
	}
	return people
}

// Pages are read by everybody.
func somePage() string {
	if browser.Sometimes(3) {
		return browser.Any("/", "/page/2/", "/category/ships/", "/category/tools/", "/about/", "/contact/", "/everything/", "/tag/harbour/")
	}
	return somePost()
}

func somePost() string { return fmt.Sprintf("/post-%d/", rand.IntN(40)) }

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
	form, found := on.Form("s")
	if !found {
		b.Open(ctx, "/?s="+word)
	} else if page, ok := b.Submit(ctx, on, form, map[string]string{"s": word}); ok && !strings.Contains(page.Body, "/post-") {
		b.Complain(ctx, "search finds nothing")
	}
	browser.Look(ctx)
}

// comment is a visit of somebody who has something to say.
func comment(ctx context.Context, b *browser.Browser) {
	b.Open(ctx, somePage())
	browser.Look(ctx)
	say(ctx, b)
	b.Open(ctx, somePage())
	browser.Look(ctx)
}

func say(ctx context.Context, b *browser.Browser) {
	page, _ := b.Open(ctx, somePost())
	browser.Look(ctx)
	form, found := page.Form("comment_post_ID")
	if !found {
		b.Complain(ctx, "no form for a comment")
		return
	}
	text := fmt.Sprintf("I think of %x.", rand.Uint64())
	set := map[string]string{"comment": text}
	if form.Fields.Has("email") {
		name := fmt.Sprintf("guest%d", rand.IntN(1e6))
		set["author"], set["email"] = name, name+"@guest.example"
	}
	if after, ok := b.Submit(ctx, page, form, set); ok && !strings.Contains(after.Body, text) {
		b.Complain(ctx, "comment is not there")
	}
	browser.Look(ctx)
}

// reader has an account, and comments with it.
func reader(name string) browser.Person {
	return browser.Person{Kind: "reader", Visit: func(ctx context.Context, b *browser.Browser) {
		if browser.Sometimes(6) {
			forget(ctx, b, name)
		}
		signIn(ctx, b, name)
		for range 1 + rand.IntN(3) {
			b.Open(ctx, somePage())
			browser.Look(ctx)
		}
		say(ctx, b)
		if browser.Sometimes(2) {
			describe(ctx, b)
		}
		if browser.Sometimes(2) {
			signOut(ctx, b)
		}
	}}
}

// author writes, with pictures, and has something to say on what others write.
func author(name string) browser.Person {
	return browser.Person{Kind: "author", Visit: func(ctx context.Context, b *browser.Browser) {
		signIn(ctx, b, name)
		upload(ctx, b)
		if browser.Sometimes(2) {
			write(ctx, b)
		}
		page, _ := b.Open(ctx, somePage())
		browser.Look(ctx)
		search(ctx, b, page)
		say(ctx, b)
		if browser.Sometimes(3) {
			signOut(ctx, b)
		}
	}}
}

// signIn opens what only users with an account see, and signs in when asked to.
func signIn(ctx context.Context, b *browser.Browser, name string) {
	page, _ := b.Open(ctx, "/wp-admin/profile.php")
	form, asked := page.Form("log")
	if !asked {
		return
	}
	browser.Look(ctx)
	after, ok := b.Submit(ctx, page, form, map[string]string{"log": name, "pwd": name + "-password", "testcookie": "1"})
	if _, again := after.Form("log"); again && ok {
		b.Complain(ctx, "login is refused")
	}
	browser.Look(ctx)
}

func signOut(ctx context.Context, b *browser.Browser) {
	page, _ := b.Open(ctx, "/")
	browser.Look(ctx)
	if link, found := page.Link("action=logout"); found {
		b.Open(ctx, link)
		browser.Look(ctx)
	}
}

// forget asks for a mail with a link to a new password.
func forget(ctx context.Context, b *browser.Browser, name string) {
	page, _ := b.Open(ctx, "/wp-login.php?action=lostpassword")
	browser.Look(ctx)
	form, found := page.Form("user_login")
	if !found {
		return
	}
	after, ok := b.Submit(ctx, page, form, map[string]string{"user_login": name})
	if _, again := after.Form("user_login"); again && ok {
		b.Complain(ctx, "mail is not sent")
	}
	browser.Look(ctx)
}

func describe(ctx context.Context, b *browser.Browser) {
	page, _ := b.Open(ctx, "/wp-admin/profile.php")
	browser.Look(ctx)
	form, found := page.Form("description")
	if !found {
		return
	}
	if after, ok := b.Submit(ctx, page, form, map[string]string{"description": fmt.Sprintf("%x", rand.Uint64())}); ok &&
		!strings.Contains(after.URL.RawQuery, "updated") {
		b.Complain(ctx, "profile is not saved")
	}
	browser.Look(ctx)
}

func upload(ctx context.Context, b *browser.Browser) {
	page, _ := b.Open(ctx, "/wp-admin/media-new.php?browser-uploader")
	browser.Look(ctx)
	form, found := page.Form("html-upload")
	if !found {
		b.Complain(ctx, "no form for an upload")
		return
	}
	name := fmt.Sprintf("photo-%x.jpg", rand.Uint64())
	after, ok := b.Upload(ctx, page, form, map[string]string{"html-upload": "Upload"}, "async-upload", name, browser.Photo())
	if ok && !strings.Contains(after.URL.Path, "upload.php") {
		b.Complain(ctx, "upload is refused")
	}
	browser.Look(ctx)
}

// write publishes a post as the block editor does: by the REST API, with a nonce from its page.
func write(ctx context.Context, b *browser.Browser) {
	page, _ := b.Open(ctx, "/wp-admin/post-new.php")
	browser.Look(ctx)
	if page == nil {
		return
	}
	_, rest, _ := strings.Cut(page.Body, `createNonceMiddleware( "`)
	nonce, _, found := strings.Cut(rest, `"`)
	if !found {
		return
	}
	header := http.Header{"Content-Type": {"application/json"}, "X-Wp-Nonce": {nonce}}
	body := fmt.Sprintf(`{"title":"Note %x","content":"<p>Of today.</p>","status":"draft"}`, rand.Uint64())
	answer, err := b.Send(ctx, http.MethodPost, "/wp-json/wp/v2/posts?_locale=user", header, body)
	if err != nil || answer.Status != http.StatusCreated {
		b.Complain(ctx, "post is not saved")
	}
	browser.Look(ctx)
}

// crawl is what robots ask for: much that is there and some that is not.
func crawl(ctx context.Context, b *browser.Browser) {
	b.Bot("Mozilla/5.0 (compatible; gauntletbot/1.0)")
	for _, target := range []string{
		"/robots.txt", "/wp-sitemap.xml", "/wp-sitemap-posts-post-1.xml", "/feed/", somePage(), somePage(), "/comments/feed/",
		"/wp-json/wp/v2/posts?per_page=5", "/.env", fmt.Sprintf("/old-%d.html", rand.IntN(100)), somePage(),
	} {
		if answer, err := b.Send(ctx, http.MethodGet, target, nil, ""); ctx.Err() == nil && (err != nil || answer.Status >= 500) {
			b.Complain(ctx, "robot is not served")
		}
		browser.Look(ctx)
	}
}
