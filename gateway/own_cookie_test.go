package gateway

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"yadokari/gateway/keys"
	"yadokari/shift"
)

// withOwn lets the gateway know users by a cookie of its own.
func withOwn(c *Config) {
	c.Sticky = Sticky{Own: true, Name: "yadokari", Lifetime: 90 * 24 * time.Hour}
}

// browser is a client that keeps its cookies, as far as the gateway's own go.
type browser struct {
	r   *rig
	jar http.CookieJar
}

func (r *rig) browser() *browser {
	jar, _ := cookiejar.New(nil) // never fails
	return &browser{r, jar}
}

func (b *browser) get(path string, header ...string) answer {
	b.r.t.Helper()
	u, _ := url.Parse("http://app.example" + path)
	var pairs []string
	for _, c := range b.jar.Cookies(u) {
		pairs = append(pairs, c.Name+"="+c.Value)
	}
	if pairs != nil {
		header = append(header, "Cookie", strings.Join(pairs, "; "))
	}
	a := b.r.do("GET", path, "", header...)
	b.jar.SetCookies(u, (&http.Response{Header: a.header}).Cookies())
	return a
}

// given is the gateway's own cookie that an answer sets; nil when it sets none.
func given(a answer) *http.Cookie {
	for _, c := range (&http.Response{Header: a.header}).Cookies() {
		if c.Name == "yadokari" {
			return c
		}
	}
	return nil
}

// changing gives every answer another session cookie, as some apps do.
func changing(name string) http.HandlerFunc {
	n := 0
	return func(w http.ResponseWriter, q *http.Request) {
		n++
		http.SetCookie(w, &http.Cookie{Name: "SESSION", Value: fmt.Sprint(name, n)})
		_, _ = io.WriteString(w, name+" "+strings.Join(q.Header["Cookie"], "|"))
	}
}

func TestNobodyChangesSidesWithAnOwnCookie(t *testing.T) {
	r := newRig(t, withOwn)
	r.old.does(changing("vm"))
	r.new.does(changing("containers"))
	r.share(0.5)
	seen := map[string]int{}
	for range 200 {
		b := r.browser()
		first := b.get("/")
		for range 4 {
			if a := b.get("/"); a.header.Get("X-Side") != first.header.Get("X-Side") {
				t.Fatal("a user changed sides")
			}
		}
		seen[first.header.Get("X-Side")]++
	}
	if seen["vm"] < 60 || seen["containers"] < 60 {
		t.Errorf("users by side: %v, want about half each", seen)
	}
}

func TestOwnCookieIsGivenOnceAndKeptFromTheApp(t *testing.T) {
	r := newRig(t, withOwn)
	r.old.does(func(w http.ResponseWriter, q *http.Request) {
		_, _ = io.WriteString(w, strings.Join(q.Header["Cookie"], "|"))
	})
	first := r.do("GET", "/", "", "Cookie", "a=1;  b=2")
	c := given(first)
	if c == nil || c.Path != "/" || !c.HttpOnly || c.Secure || c.SameSite != http.SameSiteLaxMode || c.MaxAge != 90*24*3600 || c.Domain != "" {
		t.Fatalf("got %+v", c)
	}
	if first.body != "a=1;  b=2" || first.header.Get("Cache-Control") != "private" {
		t.Errorf("the app was sent %q; caches are told %q", first.body, first.header.Get("Cache-Control"))
	}
	again := r.do("GET", "/", "", "Cookie", "a=1;  yadokari="+c.Value+"; b=2")
	if again.body != "a=1; b=2" && again.body != "a=1;  b=2" {
		t.Errorf("the app was sent %q", again.body)
	}
	if given(again) != nil || again.header["Cache-Control"] != nil {
		t.Errorf("a user with a good cookie is given %v", again.header)
	}
	if alone := r.do("GET", "/", "", "Cookie", "yadokari="+c.Value); alone.body != "" {
		t.Errorf("the app was sent %q", alone.body)
	}
}

func TestBadOwnCookieIsReplaced(t *testing.T) {
	r := newRig(t, withOwn)
	c := given(r.do("GET", "/", ""))
	r.share(1)
	for _, value := range []string{"", "x", c.Value[1:] + "A", strings.Repeat("A", len(c.Value))} {
		if a := r.do("GET", "/", "", "Cookie", "yadokari="+value); given(a) == nil || a.status != http.StatusOK {
			t.Errorf("%q: %v", value, a.header)
		}
	}
}

func TestOwnCookieIsRenewedWhenHalfIsOver(t *testing.T) {
	r := newRig(t, withOwn)
	ring := r.table.Load().ring
	ask := func(age time.Duration) (*http.Cookie, string) {
		a := r.do("GET", "/", "", "Cookie", "yadokari="+ring.Seal(keys.Token{Point: 1 << 62, Salt: 5, Issued: time.Now().Add(-age)}))
		return given(a), a.body
	}
	r.share(0.3) // the point is on the new side
	if c, side := ask(44 * 24 * time.Hour); c != nil || side != "containers" {
		t.Errorf("before: %v on %s", c, side)
	}
	c, side := ask(46 * 24 * time.Hour)
	if c == nil || side != "containers" {
		t.Fatalf("after: %v on %s", c, side)
	}
	if token, ok := ring.Open(c.Value, time.Now(), time.Hour); !ok || token.Point != 1<<62 || token.Salt != 5 {
		t.Errorf("the renewed cookie says %+v", token)
	}
	if c, _ := ask(91 * 24 * time.Hour); c == nil {
		t.Error("a cookie that is over is not replaced")
	}
}

// Clients that keep no cookies stay together; the rule names what is asked.
func TestClientsWithoutCookiesStayOnOneSide(t *testing.T) {
	for name, c := range map[string]struct {
		sticky Sticky
		header []string
		key    string
	}{
		"by address": {Sticky{}, nil, "127.0.0.1"},
		"by header":  {Sticky{Header: "X-Api-Key"}, []string{"X-Api-Key", "acme"}, "acme"},
		"by cookie":  {Sticky{Cookie: "SESSION"}, []string{"Cookie", "SESSION=abc"}, "abc"},
	} {
		r := newRig(t, func(all *Config) {
			withOwn(all)
			all.Sticky.Header, all.Sticky.Cookie = c.sticky.Header, c.sticky.Cookie
		})
		for _, share := range []float64{0.25, 0.5, 0.75} {
			want := "vm"
			if float64(point(c.key)) < share*(1<<64) {
				want = "containers"
			}
			if err := r.Apply("all", placementOf(share)); err != nil {
				t.Fatal(err)
			}
			for range 20 {
				a := r.do("GET", "/", "", c.header...)
				if a.body != want {
					t.Fatalf("%s at %v: on %s, want %s", name, share, a.body, want)
				}
				if token, ok := r.table.Load().ring.Open(given(a).Value, time.Now(), time.Hour); !ok || token.Point != point(c.key) {
					t.Fatalf("%s: the cookie leads elsewhere", name)
				}
			}
		}
	}
}

func TestOwnCookieOnEveryKindOfAnswer(t *testing.T) {
	r := newRig(t, withOwn)
	r.share(1)
	r.new.does(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	if a := r.do("GET", "/", ""); a.body != "vm" || given(a) == nil {
		t.Errorf("a fallback: %q, %v", a.body, a.header)
	}
	r.new.does(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</a>")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Set("Cache-Control", "public, max-age=60")
		w.Header().Add("Set-Cookie", "a=1")
		w.WriteHeader(http.StatusNotFound)
	})
	text := r.raw("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	early, final, _ := strings.Cut(text, "404 Not Found")
	if strings.Contains(early, "yadokari=") || strings.Count(final, "Set-Cookie: yadokari=") != 1 || !strings.Contains(final, "Set-Cookie: a=1\r\n") ||
		!strings.Contains(final, "Cache-Control: private") {
		t.Errorf("got %s", text)
	}
}

func TestOwnCookieIsSecureWhereUsersComeByHTTPS(t *testing.T) {
	for _, trusted := range []bool{false, true} {
		r := newRig(t, withOwn, func(c *Config) {
			if trusted {
				c.TrustedPeers = []string{"127.0.0.1"}
			}
		})
		if c := given(r.do("GET", "/", "", "X-Forwarded-Proto", "https")); c.Secure != trusted {
			t.Errorf("from a peer that is trusted: %v, the cookie is secure: %v", trusted, c.Secure)
		}
	}
}

func TestOwnCookieOutlivesARestart(t *testing.T) {
	r := newRig(t, withOwn)
	c := given(r.do("GET", "/", ""))
	config := r.config
	if err := r.Reload(config); err != nil {
		t.Fatal(err)
	}
	if a := r.do("GET", "/", "", "Cookie", "yadokari="+c.Value); given(a) != nil {
		t.Error("a reload forgets users")
	}
	next := newRig(t, withOwn, func(c *Config) { c.State = config.State })
	if a := next.do("GET", "/", "", "Cookie", "yadokari="+c.Value); given(a) != nil {
		t.Error("a restart forgets users")
	}
	shared := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(shared, []byte(strings.Repeat("k", 40)), 0o600); err != nil {
		t.Fatal(err)
	}
	with := func(c *Config) { c.Sticky.OwnKeyFile = shared }
	one, other := newRig(t, withOwn, with), newRig(t, withOwn, with)
	if a := other.do("GET", "/", "", "Cookie", "yadokari="+given(one.do("GET", "/", "")).Value); given(a) != nil {
		t.Error("a gateway that shares the key does not believe it")
	}
}

func TestCopiesCarryNoOwnCookie(t *testing.T) {
	r := newRig(t, withOwn)
	copied := make(chan string, 8)
	r.new.does(func(_ http.ResponseWriter, q *http.Request) { copied <- strings.Join(q.Header["Cookie"], "|") })
	c := given(r.do("GET", "/", ""))
	if err := r.Apply("all", shift.Placement{Mirror: true}); err != nil {
		t.Fatal(err)
	}
	if a := r.do("GET", "/", "", "Cookie", "a=1; yadokari="+c.Value); a.body != "vm" {
		t.Fatal(a.body)
	}
	select {
	case got := <-copied:
		if got != "a=1" {
			t.Errorf("the copy carries %q", got)
		}
	case <-time.After(5 * time.Second):
		t.Error("no copy")
	}
}

// Keys that hold are no warning; those that change are measured by what answers set.
func TestChurnIsMeasured(t *testing.T) {
	r := newRig(t)
	r.old.does(changing("vm"))
	for i := range 40 {
		cookie := fmt.Sprint("SESSION=user", i)
		for range 3 {
			a := r.do("GET", "/", "", "Cookie", cookie)
			cookie, _, _ = strings.Cut(a.header.Get("Set-Cookie"), ";")
		}
	}
	if k := r.Keys(); k.Users != 40 || k.Changed != 40 || k.Requests != 120 || !strings.HasPrefix(k.Warning, "100 % of users changed key within a minute") {
		t.Errorf("got %+v", k)
	}
	holds := newRig(t)
	holds.old.does(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Add("Set-Cookie", "SESSION=user1; Path=/")
		w.Header().Add("Set-Cookie", "SESSION=; Max-Age=0")
		w.Header().Add("Set-Cookie", "OTHER=2")
	})
	for range 30 {
		holds.do("GET", "/", "", "Cookie", "SESSION=user1")
	}
	if k := holds.Keys(); k.Users != 1 || k.Changed != 0 || k.Warning != "" {
		t.Errorf("got %+v", k)
	}
}

func placementOf(share float64) (p shift.Placement) {
	p.Share = 0
	_ = p.Share.UnmarshalText([]byte(fmt.Sprintf("%g%%", share*100))) // well formed
	return p
}
