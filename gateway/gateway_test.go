package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"yadokari/setting"
	"yadokari/shift"
)

func TestUsersStayWhereTheyAreWhenTheShareGrows(t *testing.T) {
	r := newRig(t)
	on := func(user int) bool {
		return r.do("GET", "/", "", "Cookie", fmt.Sprintf("theme=dark; SESSION=u%d", user)).body == "containers"
	}
	moved := map[int]bool{}
	for _, share := range []setting.Share{0, 0.05, 0.25, 0.5, 1} {
		r.share(share)
		count := 0
		for user := range 400 {
			now := on(user)
			if moved[user] && !now {
				t.Fatalf("user %d went back when the share grew to %s", user, share)
			}
			if moved[user] = now; now {
				count++
			}
		}
		if part := float64(count) / 400; part < float64(share)-0.06 || part > float64(share)+0.06 {
			t.Errorf("%s of the users asked for, %.3f moved", share, part)
		}
	}
	r.share(0)
	if on(1) {
		t.Fatal("a user was left on the new side")
	}
}

func TestStickyKeys(t *testing.T) {
	for name, c := range map[string]struct {
		sticky Sticky
		header []string
		want   string
	}{
		"cookie":              {Sticky{Cookie: "SESSION"}, []string{"Cookie", "a=b; SESSION=x y; c=d"}, "x y"},
		"quoted cookie":       {Sticky{Cookie: "SESSION"}, []string{"Cookie", `SESSION="q"`}, "q"},
		"other cookie":        {Sticky{Cookie: "SESSION"}, []string{"Cookie", "XSESSION=1"}, ""},
		"no cookie":           {Sticky{Cookie: "SESSION"}, nil, ""},
		"header":              {Sticky{Header: "x-space"}, []string{"X-Space", "acme"}, "acme"},
		"host":                {Sticky{Host: true}, []string{"Host", "Acme.Example"}, "acme.example"},
		"client":              {Sticky{Client: true}, []string{"Cookie", "SESSION=1"}, ""},
		"nothing is the same": {Sticky{}, nil, ""},
	} {
		q, _ := http.NewRequest("GET", "/", nil)
		for i := 0; i+1 < len(c.header); i += 2 {
			q.Header.Add(c.header[i], c.header[i+1])
			if c.header[i] == "Host" {
				q.Host = c.header[i+1]
			}
		}
		if got := newSticky(c.sticky).key(q); got != c.want {
			t.Errorf("%s: key %q, want %q", name, got, c.want)
		}
		if c.want == "" {
			c.want = "192.0.2.1"
		}
		if got := newSticky(c.sticky).user(q, "192.0.2.1", time.Now()); got.point != point(c.want) {
			t.Errorf("%s: the user is not at the point of %q", name, c.want)
		}
	}
}

func TestListedKeysGoAhead(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Sticky.Ahead = []string{"ours"} })
	side := func(user string) string { return r.do("GET", "/", "", "Cookie", "SESSION="+user).body }
	if side("ours") != "vm" {
		t.Fatal("before the shift has begun everybody is on the old side")
	}
	if err := r.Apply("all", shift.Placement{Ahead: true}); err != nil {
		t.Fatal(err)
	}
	if side("ours") != "containers" || side("theirs") != "vm" {
		t.Fatal("the listed key, and it alone, goes ahead")
	}
}

func TestOverride(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("0123456789abcdef\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, func(c *Config) { c.Override = &Override{Header: "X-Side-Wanted", SecretFile: secret} })
	r.new.does(func(w http.ResponseWriter, q *http.Request) {
		_, _ = io.WriteString(w, "containers"+q.Header.Get("X-Side-Wanted"))
	})
	for value, want := range map[string]string{
		"containers:0123456789abcdef": "containers", "vm:0123456789abcdef": "vm",
		"containers:wrong": "vm", "containers": "vm", ":": "vm", "nowhere:0123456789abcdef": "vm",
	} {
		if got := r.do("GET", "/", "", "X-Side-Wanted", value).body; got != want {
			t.Errorf("%q: answered by %q, want %q", value, got, want)
		}
	}
	if w := r.window(); w.New.Requests != 0 {
		t.Error("a tester's request went into the verdict")
	}
}

func TestForwardedHeaders(t *testing.T) {
	echo := func(w http.ResponseWriter, q *http.Request) {
		for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Real-Ip", "Forwarded"} {
			if values := q.Header[name]; len(values) > 0 {
				_, _ = fmt.Fprintf(w, "%s=%s\n", name, strings.Join(values, "|"))
			}
		}
	}
	sent := []string{
		"X-Forwarded-For", "203.0.113.9", "X-Forwarded-Host", "evil.example", "X-Forwarded-Proto", "https",
		"X-Forwarded-Port", "1", "X-Real-Ip", "203.0.113.9", "Forwarded", "for=203.0.113.9", "Host", "app.example",
	}
	stranger := newRig(t)
	stranger.old.does(echo)
	want := "X-Forwarded-For=127.0.0.1\nX-Forwarded-Host=app.example\nX-Forwarded-Proto=http\n"
	if got := stranger.do("GET", "/", "", sent...).body; got != want {
		t.Errorf("from a stranger:\n%s\nwant\n%s", got, want)
	}
	listed := newRig(t, func(c *Config) { c.TrustedPeers = []string{"127.0.0.0/8"} })
	listed.old.does(echo)
	want = "X-Forwarded-For=203.0.113.9, 127.0.0.1\nX-Forwarded-Host=evil.example\nX-Forwarded-Proto=https\nX-Forwarded-Port=1\n" +
		"X-Real-Ip=203.0.113.9\nForwarded=for=203.0.113.9, for=127.0.0.1;proto=http\n"
	if got := listed.do("GET", "/", "", sent...).body; got != want {
		t.Errorf("from a listed peer:\n%s\nwant\n%s", got, want)
	}
}

func TestClientBehindListedPeers(t *testing.T) {
	p, err := parsePeers([]string{"10.0.0.0/8", "192.0.2.7"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ peer, chain, want string }{
		{"198.51.100.1:5", "203.0.113.1", "198.51.100.1"},
		{"10.0.0.1:5", "203.0.113.1", "203.0.113.1"},
		{"10.0.0.1:5", "203.0.113.1, 10.9.9.9", "203.0.113.1"},
		{"10.0.0.1:5", "1.1.1.1, 203.0.113.1, 192.0.2.7", "203.0.113.1"},
		{"10.0.0.1:5", "", "10.0.0.1"},
		{"10.0.0.1:5", "garbage, 10.2.2.2", "10.2.2.2"},
		{"[::ffff:10.0.0.1]:5", "2001:db8::1", "2001:db8::1"},
	} {
		q := &http.Request{RemoteAddr: c.peer, Header: http.Header{}}
		if c.chain != "" {
			q.Header.Set("X-Forwarded-For", c.chain)
		}
		if got := p.originOf(q).client; got != c.want {
			t.Errorf("%s with %q: client %s, want %s", c.peer, c.chain, got, c.want)
		}
	}
}

func TestTargetIsPassedOnByteForByte(t *testing.T) {
	r := newRig(t)
	for _, target := range []string{"/", "/a%2Fb%20c?q=%41&r", "//double//slash", "/a/../b", "/x;y=1", "/?", "/%E3%81%82"} {
		c, err := net.Dial("tcp", r.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", target)
		_, _ = io.ReadAll(c)
		_ = c.Close()
		seen := r.old.requests()
		if len(seen) == 0 || seen[len(seen)-1] != "GET "+target {
			t.Errorf("sent %q, the server saw %q", target, seen)
		}
	}
}

func TestBodyLimit(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Limits.Body = 100 << 10 })
	r.old.does(func(w http.ResponseWriter, q *http.Request) { _, _ = io.Copy(io.Discard, q.Body) })
	if a := r.do("POST", "/", strings.Repeat("x", 101<<10)); a.status != http.StatusRequestEntityTooLarge {
		t.Errorf("declared length: %d %v", a.status, a.err)
	}
	q, _ := http.NewRequest("POST", r.base+"/", io.NopCloser(strings.NewReader(strings.Repeat("x", 300<<10))))
	q.ContentLength = -1
	if resp, err := r.client.Do(q); err == nil {
		_ = resp.Body.Close()
		if resp.StatusCode < 400 {
			t.Errorf("unknown length: status %d", resp.StatusCode)
		}
	}
}

func TestTooManyInFlight(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Limits.InFlight = 1 })
	entered, release := make(chan struct{}), make(chan struct{})
	r.old.does(func(http.ResponseWriter, *http.Request) { close(entered); <-release })
	done := make(chan answer, 1)
	go func() { done <- r.do("GET", "/slow", "") }()
	<-entered
	if a := r.do("GET", "/", ""); a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
		t.Errorf("got %d %v", a.status, a.header)
	}
	close(release)
	if a := <-done; a.status != 200 {
		t.Errorf("the request under way: %d %v", a.status, a.err)
	}
}

func TestRequestTime(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Limits.RequestTime = 20 * time.Millisecond })
	r.old.does(hanging)
	if a := r.do("GET", "/", ""); a.status != http.StatusGatewayTimeout {
		t.Fatalf("got %d %v", a.status, a.err)
	}
}

func TestRoutesOfAServeMux(t *testing.T) {
	r := newRig(t, func(c *Config) {
		wiki := moving("wiki", "GET /wiki/", "POST /wiki/{page}", "api.example/v2/")
		c.Routes = []Route{wiki}
	})
	if err := r.Apply("wiki", shift.Placement{Share: 1}); err != nil {
		t.Fatal(err)
	}
	for request, want := range map[string]string{
		"GET /wiki/":          "containers",
		"GET /wiki/a/b":       "containers",
		"GET /wiki":           "containers", // a ServeMux would redirect to /wiki/: the app decides
		"GET /x/../wiki/a":    "containers",
		"GET //wiki/a":        "containers",
		"POST /wiki/page":     "containers",
		"POST /wiki/a/b":      "vm",
		"DELETE /wiki/a":      "vm",
		"GET /other":          "vm",
		"GET /wikipedia":      "vm",
		"PUT /v2/x":           "vm",
		"OPTIONS /wiki/":      "vm",
		"HEAD /wiki/":         "containers",
		"PROPFIND /wiki/page": "vm",
	} {
		method, path, _ := strings.Cut(request, " ")
		if got := r.do(method, path, "").header.Get("X-Side"); got != want {
			t.Errorf("%s: served by %q, want %q", request, got, want)
		}
	}
	if got := r.do("PUT", "/v2/x", "", "Host", "api.example").header.Get("X-Side"); got != "containers" {
		t.Errorf("route by host: served by %q", got)
	}
}

func TestFlipsUnderLoad(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Fallback.Timeout = 10 * time.Second }) // a busy machine is not a failure
	answers := func(name string) http.HandlerFunc {
		return func(w http.ResponseWriter, q *http.Request) {
			body, _ := io.ReadAll(q.Body)
			_, _ = io.WriteString(w, name+string(body)+name)
		}
	}
	r.old.does(answers("vm"))
	r.new.does(answers("containers"))
	ctx, cancel := context.WithCancel(t.Context())
	var load sync.WaitGroup
	var count atomic.Int64
	for worker := range 8 {
		load.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				method, body := "GET", ""
				if i%3 == 0 {
					method, body = "POST", strings.Repeat("b", i%1000)
				}
				a := r.do(method, "/", body, "Cookie", "SESSION="+strconv.Itoa(worker))
				side := a.header.Get("X-Side")
				if a.err != nil || a.status != 200 || a.body != side+body+side {
					t.Errorf("%s: %d %v from %q: %.40q", method, a.status, a.err, side, a.body)
					return
				}
				count.Add(1)
			}
		})
	}
	for i := range 100 {
		r.share(setting.Share(i%2) * 0.7)
		for before := count.Load(); count.Load() < before+10 && !t.Failed(); {
			time.Sleep(time.Millisecond)
		}
	}
	cancel()
	load.Wait()
	w := r.window()
	if sum := w.Old.Requests + w.New.Requests + r.table.Load().byName["all"].late.Load(); int64(sum) < count.Load() {
		t.Errorf("counted %d of %d requests", sum, count.Load())
	}
	if w.Old.Failures+w.New.Failures != 0 {
		_ = r.stop()
		text, _ := os.ReadFile(r.log)
		for line := range strings.Lines(string(text)) {
			if !strings.Contains(line, `"first_outcome":"ok","first_status":200`) {
				t.Errorf("counted as a failure: %s", line)
			}
		}
	}
}

func TestReload(t *testing.T) {
	r := newRig(t)
	r.share(1)
	c := *r.table.Load().config
	c.Routes = []Route{moving("all", "/"), moving("api", "/api/")}
	if err := r.Reload(c); err != nil {
		t.Fatal(err)
	}
	if got := r.do("GET", "/", "").body; got != "containers" {
		t.Errorf("a route lost its share over a reload: %s", got)
	}
	if got := r.do("GET", "/api/x", "").body; got != "vm" {
		t.Errorf("a new route begins on the old side, got %s", got)
	}
	bad := c
	bad.Routes = []Route{moving("a", "/x/{y}"), moving("b", "/{x}/y")}
	if err := r.Reload(bad); err == nil {
		t.Fatal("conflicting patterns were taken over")
	}
	if got := r.do("GET", "/", "").body; got != "containers" {
		t.Errorf("a reload that failed changed something: %s", got)
	}
	other := c
	other.Listen = "127.0.0.1:1"
	if err := r.Reload(other); !errors.Is(err, ErrNeedsRestart) {
		t.Errorf("another port: %v", err)
	}
}

func TestDrainedServerStaysOutOverARestart(t *testing.T) {
	second := newRecorder(t, "vm2")
	var config Config
	r := newRig(t, func(c *Config) {
		b := c.Backends["vm"]
		b.Balance.Servers = append(b.Balance.Servers, second.URL)
		c.Backends["vm"] = b
		config = *c
	})
	id := second.Listener.Addr().String()
	if err := r.Drain("vm", id); err != nil {
		t.Fatal(err)
	}
	if err := r.WaitIdle(t.Context(), "vm", id); err != nil {
		t.Fatal(err)
	}
	again := &rig{t: t, old: r.old, new: r.new}
	again.start(config)
	for range 50 {
		if got := again.do("GET", "/", "").body; got != "vm" {
			t.Fatalf("a drained server answered: %s", got)
		}
	}
	if err := again.Undrain("vm", id); err != nil {
		t.Fatal(err)
	}
	for i := 0; again.do("GET", "/", "").body != "vm2"; i++ {
		if i > 1000 {
			t.Fatal("the server got no request after undrain")
		}
	}
	var unknown *UnknownError
	if err := again.Drain("vm", "192.0.2.1:1"); !errors.As(err, &unknown) {
		t.Errorf("unknown server: %v", err)
	}
	if err := again.Drain("vms", id); !errors.As(err, &unknown) || !strings.Contains(err.Error(), "containers, vm") {
		t.Errorf("unknown backend: %v", err)
	}
}

func TestAccessLog(t *testing.T) {
	r := newRig(t)
	r.share(1)
	r.new.does(status(500))
	r.do("GET", "/a?b=\"c\"", "", "User-Agent", "t\"\\est\xff", "Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(r.log)
	if err != nil {
		t.Fatal(err)
	}
	var line map[string]any
	if err := json.Unmarshal(text, &line); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	for key, want := range map[string]any{
		"route": "all", "side": "vm", "method": "GET", "status": 200.0, "fallback": true,
		"first_side": "containers", "first_status": 500.0, "first_outcome": "ok",
		"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
	} {
		if line[key] != want {
			t.Errorf("%s: %v, want %v", key, line[key], want)
		}
	}
}

func TestStopFinishesWhatIsUnderWay(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Shutdown.Deregister = 50 * time.Millisecond })
	entered, release := make(chan struct{}), make(chan struct{})
	r.old.does(func(w http.ResponseWriter, q *http.Request) {
		if q.URL.Path == "/slow" {
			close(entered)
			<-release
		}
		_, _ = io.WriteString(w, "vm")
	})
	done := make(chan answer, 1)
	go func() { done <- r.do("GET", "/slow", "") }()
	<-entered
	stopped := make(chan error, 1)
	go func() { stopped <- r.stop() }()
	for r.Ready() == nil {
		time.Sleep(time.Millisecond)
	}
	if a := r.do("GET", "/", ""); a.status != 200 || a.header.Get("Connection") == "keep-alive" {
		t.Errorf("while deregistering: %d %v", a.status, a.err)
	}
	close(release)
	if a := <-done; a.body != "vm" {
		t.Errorf("the request under way got %d %v", a.status, a.err)
	}
	if err := <-stopped; err != nil {
		t.Errorf("stop: %v", err)
	}
}

// A request that hung since before a rollback must not count when the route has been started anew.
func TestRequestOfAnEarlierStageDoesNotCount(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Fallback.Timeout = 10 * time.Second })
	r.share(1)
	entered, release := make(chan struct{}), make(chan struct{})
	r.new.does(func(w http.ResponseWriter, _ *http.Request) {
		close(entered)
		<-release
		w.WriteHeader(http.StatusInternalServerError)
	})
	done := make(chan answer, 1)
	go func() { done <- r.do("GET", "/", "") }()
	<-entered
	r.share(0)
	r.share(0.5)
	close(release)
	if a := <-done; a.body != "vm" {
		t.Fatalf("got %d %q %v", a.status, a.body, a.err)
	}
	if w := r.window(); w.New.Requests != 0 || len(w.Events) != 0 {
		t.Fatalf("counted %+v", w)
	}
}
