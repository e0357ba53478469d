package gateway

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"yadokari/shift"
)

// sessions in memory: a user who asks a server that does not know his session is logged out.
func inMemory(name string) http.HandlerFunc {
	var mu sync.Mutex
	known := map[string]bool{}
	return func(w http.ResponseWriter, q *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		c, err := q.Cookie("APP")
		switch {
		case q.URL.Path == "/login":
			id := fmt.Sprint(name, len(known))
			known[id] = true
			http.SetCookie(w, &http.Cookie{Name: "APP", Value: id, Path: "/"})
			_, _ = io.WriteString(w, "welcome")
		case errors.Is(err, http.ErrNoCookie) || !known[c.Value]:
			_, _ = io.WriteString(w, "logged out")
		default:
			_, _ = io.WriteString(w, "page by "+name)
		}
	}
}

// twoOld gives the old side a second server, and affinity.
func twoOld(t *testing.T, cookie string) (second *recorder, change func(*Config)) {
	second = newRecorder(t, "vm2")
	second.does(inMemory("two"))
	return second, func(c *Config) {
		b := c.Backends["vm"]
		b.Balance.Servers = append(b.Balance.Servers, second.URL)
		b.Affinity = &Affinity{Cookie: cookie}
		c.Backends["vm"] = b
	}
}

func TestNobodyIsLoggedOutWithAffinity(t *testing.T) {
	for name, own := range map[string]func(*Config){"affinity alone": func(*Config) {}, "with an own cookie": withOwn} {
		_, change := twoOld(t, "own")
		r := newRig(t, change, own)
		r.old.does(inMemory("one"))
		servers := map[string]int{}
		for range 200 {
			b := r.browser()
			b.get("/login")
			for range 3 {
				servers[b.get("/page").body]++
			}
		}
		if servers["logged out"] > 0 || servers["page by one"] < 150 || servers["page by two"] < 150 {
			t.Errorf("%s: pages: %v", name, servers)
		}
	}
}

func TestAffinityMovesUsersOfADrainedServerOnly(t *testing.T) {
	_, change := twoOld(t, "own")
	r := newRig(t, change)
	r.old.does(inMemory("one"))
	browsers := map[string][]*browser{}
	for range 60 {
		b := r.browser()
		b.get("/login")
		page := b.get("/page").body
		browsers[page] = append(browsers[page], b)
	}
	first := strings.TrimPrefix(r.old.URL, "http://")
	if err := r.Drain("vm", first); err != nil {
		t.Fatal(err)
	}
	for _, b := range browsers["page by two"] {
		if page := b.get("/page").body; page != "page by two" {
			t.Fatalf("a user of the other server: %s", page)
		}
	}
	for _, b := range browsers["page by one"] {
		b.get("/login")
		if page := b.get("/page").body; page != "page by two" {
			t.Fatalf("a user of the drained server: %s", page)
		}
	}
	if err := r.Undrain("vm", first); err != nil {
		t.Fatal(err)
	}
	for _, all := range browsers {
		for _, b := range all {
			if page := b.get("/page").body; page != "page by two" {
				t.Fatalf("after the server is back, a user who moved: %s", page)
			}
		}
	}
}

// One failed connection answers the user from another server, and he goes back to his own.
func TestOneFailedConnectMovesNobody(t *testing.T) {
	second, change := twoOld(t, "own")
	r := newRig(t, change)
	r.old.does(inMemory("one"))
	var b *browser
	for b == nil || b.get("/page").body != "page by two" {
		b = r.browser()
		b.get("/login")
	}
	address := second.Listener.Addr().String()
	second.Server.CloseClientConnections()
	_ = second.Listener.Close()
	a := b.get("/page")
	if a.body != "logged out" || strings.Contains(fmt.Sprint(a.header["Set-Cookie"]), "yadokari-vm") {
		t.Errorf("while %s is away: %q, %v", address, a.body, a.header)
	}
}

func TestUsersOfABusyServerAreNotSentElsewhere(t *testing.T) {
	second, change := twoOld(t, "own")
	r := newRig(t, change, func(c *Config) {
		b := c.Backends["vm"]
		b.Upstream.Connections, b.Upstream.Connect = 1, 50*time.Millisecond
		c.Backends["vm"] = b
	})
	r.old.does(inMemory("one"))
	var b *browser
	for b == nil || b.get("/page").body != "page by two" {
		b = r.browser()
		b.get("/login")
	}
	asked, release := make(chan struct{}), make(chan struct{})
	second.does(func(http.ResponseWriter, *http.Request) {
		close(asked)
		<-release
	})
	var slow sync.WaitGroup
	slow.Go(func() { b.get("/slow") })
	<-asked
	if a := b.get("/page"); a.status != http.StatusBadGateway {
		t.Errorf("status %d, %q", a.status, a.body)
	}
	close(release)
	slow.Wait()
}

func TestAffinityByACookieOfTheApp(t *testing.T) {
	_, change := twoOld(t, "DEVICE")
	r := newRig(t, change)
	servers := map[string]int{}
	for i := range 100 {
		device := fmt.Sprint("DEVICE=d", i)
		first := r.do("GET", "/", "", "Cookie", device)
		servers[first.header.Get("X-Side")]++
		for range 3 {
			if a := r.do("GET", "/", "", "Cookie", device); a.header.Get("X-Side") != first.header.Get("X-Side") {
				t.Fatal("one device, two servers")
			}
		}
		if first.header["Set-Cookie"] != nil {
			t.Fatal("the gateway gives a cookie that nobody asked for")
		}
	}
	if servers["vm"] < 30 || servers["vm2"] < 30 {
		t.Errorf("devices by server: %v", servers)
	}
}

// A copy goes to the server that would serve the user there.
func TestCopiesFindTheUsersServer(t *testing.T) {
	second := newRecorder(t, "containers2")
	r := newRig(t, func(c *Config) {
		b := c.Backends["containers"]
		b.Balance.Servers = append(b.Balance.Servers, second.URL)
		b.Affinity = &Affinity{Cookie: "own"}
		c.Backends["containers"] = b
	})
	r.share(1)
	b := r.browser()
	mine := b.get("/").header.Get("X-Side")
	r.share(0)
	if err := r.Apply("all", shift.Placement{Mirror: true}); err != nil {
		t.Fatal(err)
	}
	before := map[string]int{"containers": len(r.new.requests()), "containers2": len(second.requests())}
	for range 10 {
		b.get("/copied")
	}
	deadline := time.Now().Add(5 * time.Second)
	copies := func(name string, side *recorder) int { return len(side.requests()) - before[name] }
	for copies("containers", r.new)+copies("containers2", second) < 10 && time.Now().Before(deadline) {
		time.Sleep(10 * time.Millisecond)
	}
	for name, side := range map[string]*recorder{"containers": r.new, "containers2": second} {
		if n := copies(name, side); name == mine && n < 10 || name != mine && n > 0 {
			t.Errorf("%d copies at %s; the user is on %s", n, name, mine)
		}
	}
}
