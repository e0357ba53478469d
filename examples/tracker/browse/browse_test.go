package browse

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"yadokari/examples/tracker"
)

// site is a tracker in this process; the handler in between can do harm.
func site(t *testing.T, config tracker.Config, between func(http.Handler) http.Handler) string {
	t.Helper()
	if config.Data == "" {
		config.Data = t.TempDir()
	}
	s, err := tracker.New(t.Context(), config, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	handler := s.Handler()
	if between != nil {
		handler = between(handler)
	}
	web := httptest.NewServer(handler)
	t.Cleanup(func() {
		web.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return web.URL
}

// until browses until enough says so, and returns the load that has ended.
func until(t *testing.T, config Config, enough func(Result) bool) (*Load, Result) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	load, err := Start(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	for !enough(load.Snapshot()) {
		if !pause(t.Context(), time.Millisecond) {
			t.Fatal("not enough")
		}
	}
	cancel()
	return load, load.Wait()
}

func evenMix() map[Activity]int {
	mix := DefaultMix()
	for a := range mix {
		mix[a] = 1
	}
	return mix
}

func TestPeopleAreContent(t *testing.T) {
	target := site(t, tracker.Config{Version: "containers"}, nil)
	all := append(slices.Collect(maps.Keys(DefaultMix())), Login, Download, Socket)
	load, result := until(t, Config{URL: target, Users: 6, Sockets: 2, Mix: evenMix(), UploadBytes: 1000}, func(r Result) bool {
		for _, a := range all {
			if r.Activities[a].Requests < 3 && (a != Socket || r.Activities[a].Requests < 2) {
				return false
			}
		}
		return r.Sockets.Events > 10
	})
	total := result.Total()
	if total.Failed() != 0 || total.Switches != 0 {
		t.Errorf("%d failures: %v", total.Failed(), result.Examples)
	}
	if total.Latency.Count() != total.Requests || total.Builds["containers"] != total.Requests {
		t.Errorf("%d requests, %d times, builds %v", total.Requests, total.Latency.Count(), total.Builds)
	}
	if result.Sockets.Opened != 2 || result.Sockets.Dropped+result.Sockets.Ended != 0 {
		t.Errorf("sockets %+v", result.Sockets)
	}
	writes, err := load.Check(t.Context(), target)
	comments := result.Activities[Comment].Requests
	if want := (Writes{Sent: comments, Stored: comments, Found: comments}); err != nil || writes != want {
		t.Errorf("%+v, want %+v: %v", writes, want, err)
	}
}

// TestEachFailureIsSeen breaks a tracker in each way that users would notice, and wants it noticed.
func TestEachFailureIsSeen(t *testing.T) {
	fault := func(text string) tracker.Config {
		f, err := tracker.ParseFault(text)
		if err != nil {
			t.Fatal(err)
		}
		return tracker.Config{Faults: []tracker.Fault{f}}
	}
	other := func(change func(http.ResponseWriter, *http.Request) bool) func(http.Handler) http.Handler {
		return func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if !change(w, r) {
					next.ServeHTTP(w, r)
				}
			})
		}
	}
	for _, c := range []struct {
		name     string
		config   tracker.Config
		between  func(http.Handler) http.Handler
		activity Activity
		want     FailureKind
	}{
		{"error", fault("/wiki/:error"), nil, Wiki, Status},
		{"close", fault("/wiki/:close"), nil, Wiki, Transport},
		{"truncate", fault("/wiki/:truncate"), nil, Wiki, Truncated},
		{"hang", fault("/wiki/:hang"), nil, Wiki, Transport},
		{"bytes", fault("GET /files/:wrong"), nil, Upload, Content},
		{"page", tracker.Config{}, other(func(_ http.ResponseWriter, r *http.Request) bool {
			if strings.HasPrefix(r.URL.Path, "/issues") {
				r.URL.Path = "/board"
			}
			return false
		}), Issues, Mixed},
		{"answer", tracker.Config{}, other(func(_ http.ResponseWriter, r *http.Request) bool {
			r.Header.Set(tracker.HeaderRequest, "another")
			return false
		}), Login, Mixed},
		{"session", tracker.Config{}, other(func(_ http.ResponseWriter, r *http.Request) bool {
			r.Header.Del("Cookie")
			return false
		}), Board, Session},
		{"lost write", tracker.Config{}, other(func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodPut {
				return false
			}
			w.Header().Set(tracker.HeaderRequest, r.Header.Get(tracker.HeaderRequest))
			w.Header().Set(tracker.HeaderUser, strings.Split(r.URL.Path, "/")[2])
			w.WriteHeader(http.StatusNoContent)
			return true
		}), WikiPut, Status}, // the page it should have made is not there
	} {
		t.Run(c.name, func(t *testing.T) {
			target := site(t, c.config, c.between)
			mix := map[Activity]int{c.activity: 1}
			if c.activity == Login {
				mix = nil
			}
			var timeout time.Duration // long by default, so that a busy machine is no failure
			if c.name == "hang" {
				timeout = 200 * time.Millisecond
			}
			_, result := until(t, Config{URL: target, Users: 2, Mix: mix, Timeout: timeout, UploadBytes: 100}, func(r Result) bool {
				return r.Total().Failed() > 0
			})
			if total := result.Total(); total.Failures[c.want] == 0 || total.Failed() != total.Failures[c.want] {
				t.Errorf("want %s only: %v, %v", c.want, total.Failures, result.Examples)
			}
			if len(result.Examples) == 0 || !strings.Contains(result.Examples[0].String(), string(c.want)) {
				t.Errorf("examples %v", result.Examples)
			}
		})
	}
}

// TestLostAndDoubledWritesAreFound puts a proxy in between that keeps some comments to itself and
// sends others twice.
func TestLostAndDoubledWritesAreFound(t *testing.T) {
	var lost, doubled, unsure atomic.Int64
	target := site(t, tracker.Config{}, func(next http.Handler) http.Handler {
		var n atomic.Int64
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !strings.HasSuffix(r.URL.Path, "/comments") || r.Method != http.MethodPost {
				next.ServeHTTP(w, r)
				return
			}
			if err := r.ParseForm(); err != nil {
				t.Error(err)
			}
			switch n.Add(1) % 5 {
			case 0:
				lost.Add(1)
				w.Header().Set(tracker.HeaderRequest, r.Header.Get(tracker.HeaderRequest))
				name, _, _ := strings.Cut(strings.TrimPrefix(r.FormValue("body"), "browse."), ".")
				w.Header().Set(tracker.HeaderUser, "user0."+name)
				w.WriteHeader(http.StatusSeeOther)
			case 1:
				doubled.Add(1)
				next.ServeHTTP(httptest.NewRecorder(), r)
				next.ServeHTTP(w, r)
			case 2:
				unsure.Add(1)
				next.ServeHTTP(httptest.NewRecorder(), r)
				w.WriteHeader(http.StatusBadGateway)
			default:
				next.ServeHTTP(w, r)
			}
		})
	})
	load, result := until(t, Config{URL: target, Users: 1, Mix: map[Activity]int{Comment: 1}}, func(r Result) bool {
		return r.Activities[Comment].Requests >= 25
	})
	w, err := load.Check(t.Context(), target)
	sent := result.Activities[Comment].Requests
	want := Writes{Sent: sent, Stored: sent - unsure.Load(), Found: sent - lost.Load(), Lost: lost.Load(), Doubled: doubled.Load(), Unsure: unsure.Load()}
	if err != nil || w != want {
		t.Errorf("%+v, want %+v: %v", w, want, err)
	}
}

// TestSwitchesAreCounted sends requests to two builds in turn.
func TestSwitchesAreCounted(t *testing.T) {
	dir := t.TempDir()
	old, err := url.Parse(site(t, tracker.Config{Data: dir, Version: "vm"}, nil))
	if err != nil {
		t.Fatal(err)
	}
	next, err := url.Parse(site(t, tracker.Config{Data: dir, Version: "containers"}, nil))
	if err != nil {
		t.Fatal(err)
	}
	var n atomic.Int64
	front := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL([]*url.URL{old, next}[n.Add(1)%2])
		r.Out.Host = r.In.Host
	}})
	t.Cleanup(front.Close)
	_, result := until(t, Config{URL: front.URL, Users: 1, Mix: map[Activity]int{Board: 1}}, func(r Result) bool {
		return r.Activities[Board].Requests >= 10
	})
	c := result.Activities[Board]
	if c.Failed() != 0 || c.Switches != c.Requests-1 || c.Builds["vm"]+c.Builds["containers"] != c.Requests {
		t.Errorf("%+v, %v", c, result.Examples)
	}
}

func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second-time.Millisecond)
		defer cancel()
		p := newPacer(200)
		n := 0
		for p.wait(ctx) {
			n++
		}
		if n != 2000 {
			t.Errorf("%d requests in 10 s at 200 a second", n)
		}
		time.Sleep(time.Hour) // a stall
		begun := time.Now()
		for range 21 {
			p.wait(t.Context())
		}
		if took := time.Since(begun); took != 0 {
			t.Errorf("what a short stall held up is made up for at once: %v", took)
		}
		if p.wait(t.Context()); time.Since(begun) != 5*time.Millisecond {
			t.Errorf("after that the pace is as before: %v", time.Since(begun))
		}
	})
}

func TestQuantiles(t *testing.T) {
	var l Latency
	if l.Quantile(0.5) != 0 {
		t.Error("nothing has a median")
	}
	for ms := 1; ms <= 1000; ms++ {
		l.add(time.Duration(ms) * time.Millisecond)
	}
	for q, want := range map[float64]float64{0.5: 500, 0.95: 950, 0.99: 990, 1: 1000, 0.001: 1} {
		got := float64(l.Quantile(q)) / float64(time.Millisecond)
		if math.Abs(got-want)/want > 0.05 {
			t.Errorf("quantile %g: %g ms, want %g", q, got, want)
		}
	}
	l.add(0)
	l.add(time.Hour)
	var sum Latency
	sum.Merge(l)
	sum.Merge(l)
	if sum.Count() != 2004 {
		t.Errorf("%d", sum.Count())
	}
}

func TestConfigIsChecked(t *testing.T) {
	for n, bad := range []Config{
		{}, {URL: "127.0.0.1:80"}, {URL: "ftp://x"}, {URL: "http://x", Users: -1}, {URL: "http://x", Users: 10_001},
		{URL: "http://x", Rate: -1}, {URL: "http://x", Users: 1, Sockets: 2}, {URL: "http://x", Mix: map[Activity]int{}},
		{URL: "http://x", Mix: map[Activity]int{Login: 1}}, {URL: "http://x", Mix: map[Activity]int{Wiki: -1}},
	} {
		if _, err := Start(t.Context(), bad); err == nil {
			t.Errorf("configuration %d was taken", n)
		}
	}
}

func TestCheckNeedsAnAnswer(t *testing.T) {
	target := site(t, tracker.Config{}, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	load, err := Start(ctx, Config{URL: target, Users: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := load.Check(ctx, target); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
