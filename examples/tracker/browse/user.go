package browse

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"sync"

	"yadokari/examples/tracker"
)

// user is one person.
type user struct {
	load   *Load
	number int
	name   string
	client *http.Client
	random *rand.Rand

	loggedIn bool
	requests int
	builds   map[Activity]string
	tag      string // entity tag of the style sheet seen last
	edits    int
	session  chan struct{} // closed at the first login

	mu       sync.Mutex
	comments []bool // what was said of each comment: true is stored
}

func newUser(l *Load, number int) (*user, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	return &user{
		load: l, number: number, name: fmt.Sprintf("user%d.%s", number, l.run),
		client: &http.Client{
			Transport: l.config.Transport, Jar: jar,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		random:  rand.New(rand.NewPCG(l.config.Seed, uint64(number))),
		builds:  map[Activity]string{},
		session: make(chan struct{}),
	}, nil
}

// browse does one thing after another until ctx ends.
func (u *user) browse(ctx context.Context) {
	for u.load.pace.wait(ctx) {
		if !u.loggedIn {
			u.login(&visit{ctx, Login})
			continue
		}
		activity := choose(u.load.weights, u.random)
		doing(activity)(u, &visit{ctx, activity})
	}
}

func (u *user) login(v *visit) {
	q := formPost("/login", url.Values{"name": {u.name}}, http.StatusSeeOther)
	if _, ok := u.send(v, q); !ok {
		return
	}
	u.loggedIn = true
	select {
	case <-u.session:
	default:
		close(u.session)
	}
}

var wikiPages = [...]string{
	"/wiki/", "/wiki/Home", "/wiki/Guide", "/wiki/Releases", "/wiki/Checklist", "/wiki/OnCall",
	"/wiki/Guide/history", "/wiki/Home/history/1",
}

func (u *user) readWiki(v *visit) { u.send(v, page(wikiPages[u.random.IntN(len(wikiPages))])) }

func (u *user) readBoard(v *visit) { u.send(v, page("/board")) }

func (u *user) readIssues(v *visit) {
	if u.random.IntN(3) == 0 {
		u.send(v, page("/issues"))
		return
	}
	u.send(v, page("/issues/"+u.someIssue()))
}

// someIssue is one of the issues that every tracker has from its first day.
func (u *user) someIssue() string { return fmt.Sprint(1 + u.random.IntN(40)) }

func (u *user) readAPI(v *visit) { u.send(v, page("/api/issues?limit=10")) }

var searches = [...]string{"login", "speed+search", "audit", "customer", "one+reviewer"}

func (u *user) search(v *visit) { u.send(v, page("/search?q="+searches[u.random.IntN(len(searches))])) }

// readStatic asks for the style sheet as browsers do: the second time with the tag of the first.
func (u *user) readStatic(v *visit) {
	q := page("/static/style.css")
	if u.tag != "" {
		q.header = map[string]string{"If-None-Match": u.tag}
		q.want = []int{http.StatusOK, http.StatusNotModified}
	}
	if got, ok := u.send(v, q); ok {
		u.tag = got.header.Get("ETag")
	}
}

func (u *user) move(v *visit) {
	columns := [...]string{"open", "doing", "review", "done"}
	column := columns[u.random.IntN(len(columns))]
	u.send(v, formPost("/board/"+u.someIssue()+"/move", url.Values{"column": {column}}, http.StatusSeeOther))
}

// ownPage is a wiki page that only this user edits, so that it must read as it was written last.
func (u *user) ownPage() string { return "/wiki/" + u.name }

var baseField = regexp.MustCompile(`name="base" value="(\d+)"`)

func (u *user) editWiki(v *visit) {
	var base [][]byte
	_, ok := u.sendAndCheck(v, page(u.ownPage()+"/edit"), func(form answer) string {
		if base = baseField.FindSubmatch(form.body); base == nil {
			return "the form lacks the revision it was made from"
		}
		return ""
	})
	if !ok || !u.load.pace.wait(v.ctx) {
		return
	}
	u.edits++
	text := fmt.Sprintf("Edit %d of %s.", u.edits, u.name)
	q := formPost(u.ownPage(), url.Values{"base": {string(base[1])}, "body": {text}}, http.StatusSeeOther)
	if _, ok := u.send(v, q); ok {
		u.readBack(v, text)
	}
}

func (u *user) putWiki(v *visit) {
	u.edits++
	text := fmt.Sprintf("Put %d of %s.", u.edits, u.name)
	q := request{
		method: http.MethodPut, path: u.ownPage() + "/raw", body: newText(text), length: int64(len(text)),
		header: map[string]string{"Content-Type": "text/plain; charset=utf-8"},
		want:   []int{http.StatusCreated, http.StatusNoContent},
	}
	if _, ok := u.send(v, q); ok {
		u.readBack(v, text)
	}
}

// readBack reads what was just written, wherever it is served now.
func (u *user) readBack(v *visit, text string) {
	if u.load.pace.wait(v.ctx) {
		u.sendAndCheck(v, page(u.ownPage()), lacks(text))
	}
}

// comment says something that can be found again.
func (u *user) comment(v *visit) {
	u.mu.Lock()
	n := len(u.comments)
	u.mu.Unlock()
	if n >= maxComments {
		u.readIssues(v)
		return
	}
	q := formPost("/issues/"+u.someIssue()+"/comments", url.Values{"body": {u.load.marker(u.number, n)}}, http.StatusSeeOther)
	_, ok := u.send(v, q)
	u.mu.Lock()
	defer u.mu.Unlock()
	u.comments = append(u.comments, ok)
}

// sessionCookie is the user's cookie, for a WebSocket.
func (u *user) sessionCookie(at *url.URL) string {
	for _, c := range u.client.Jar.Cookies(at) {
		if c.Name == tracker.SessionCookie {
			return c.Name + "=" + c.Value
		}
	}
	return ""
}
