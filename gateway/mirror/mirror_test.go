package mirror

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"yadokari/setting"
)

var zeroTime time.Time

// sides answers for both sides; asked counts what each was asked, and found what was told of it.
type sides struct {
	old, new func(r *Request) (*Response, error)
	asked    [2]atomic.Int64

	mu    sync.Mutex
	found []Result
}

func (s *sides) tell(_ *Request, found Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.found = append(s.found, found)
}

// told are the results since the last call.
func (s *sides) told() []Result {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.found
	s.found = nil
	return found
}

// totals are what comparisons came to.
type totals struct{ Compared, Different, Noisy uint64 }

func (s *sides) totals() (sum totals) {
	for _, found := range s.told() {
		for _, count := range []struct {
			is bool
			n  *uint64
		}{{found.Compared, &sum.Compared}, {found.Different, &sum.Different}, {found.Noisy, &sum.Noisy}} {
			if count.is {
				*count.n++
			}
		}
	}
	return sum
}

func (s *sides) send(ctx context.Context, side Side, r *Request, _ int64) (*Response, error) {
	s.asked[side].Add(1)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if side == OldSide {
		return s.old(r)
	}
	return s.new(r)
}

func page(body string) func(*Request) (*Response, error) {
	return func(*Request) (*Response, error) { return answer("application/json", body), nil }
}

func start(t *testing.T, cfg Config, s *sides) *Mirror {
	m := New(cfg, s.send, s.tell, slog.New(slog.DiscardHandler))
	t.Cleanup(m.Close)
	return m
}

func get(target string) *Request { return &Request{Method: "GET", Target: target, Host: "h"} }

// run offers n requests one after the other; the old side answers each.
func run(t *testing.T, m *Mirror, s *sides, n int, r *Request) totals {
	t.Helper()
	for range n {
		primary, err := s.old(r)
		if err != nil {
			t.Fatal(err)
		}
		if !m.Want() {
			t.Fatal("a copy is not wanted although there is place")
		}
		m.Offer(r, primary)
		synctest.Wait()
	}
	return s.totals()
}

func TestDifferenceIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sides{old: page(`{"a":1}`), new: page(`{"a":2}`)}
		m := start(t, testConfig(), s)
		if got := run(t, m, s, 50, get("/wiki/7")); got != (totals{Compared: 50, Different: 50}) {
			t.Errorf("got %+v", got)
		}
		if asked := s.asked[OldSide].Load(); asked != enoughTrials {
			t.Errorf("the old side was asked %d times, want %d until its noise is known", asked, enoughTrials)
		}
		x := m.Examples()
		if len(x) != 1 || x[0].Kind != "value" || x[0].Path != "a" || x[0].Old != "1" || x[0].New != "2" || x[0].Noise || x[0].Count != 50 {
			t.Errorf("examples: %+v", x)
		}
	})
}

// What differs between two answers of the old side is no difference, and what else differs still is.
func TestNoiseIsLearned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int64
		noisy := func(rest string) func(*Request) (*Response, error) {
			return func(*Request) (*Response, error) {
				return answer("application/json", fmt.Sprintf(`{"at":%d,"id":"r-%d",%s}`, n.Add(1), n.Load(), rest)), nil
			}
		}
		s := &sides{old: noisy(`"title":"Wiki"`), new: noisy(`"title":"Wiki"`)}
		m := start(t, testConfig(), s)
		if got := run(t, m, s, 40, get("/wiki/7")); got != (totals{Compared: 40, Noisy: 40}) {
			t.Errorf("noise only: %+v", got)
		}
		s.new = noisy(`"title":"Wili"`)
		if got := run(t, m, s, 40, get("/wiki/7")); got != (totals{Compared: 40, Different: 40}) {
			t.Errorf("noise and a difference: %+v", got)
		}
		s.new = noisy(`"titel":"Wiki"`)
		if got := run(t, m, s, 40, get("/wiki/7")); got != (totals{Compared: 40, Different: 40}) {
			t.Errorf("noise and a missing field: %+v", got)
		}
	})
}

// A page that was edited between two answers does not hide the field for good.
func TestChanceNoiseIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int64
		s := &sides{new: page(`{"title":"a"}`)}
		s.old = func(*Request) (*Response, error) {
			if n.Add(1) == 2 { // the second answer of the first request
				return answer("application/json", `{"title":"edited"}`), nil
			}
			return answer("application/json", `{"title":"a"}`), nil
		}
		cfg := testConfig()
		cfg.Noise = 1
		m := start(t, cfg, s)
		if got := run(t, m, s, 60, get("/wiki")); got.Different != 0 {
			t.Errorf("equal sides: %+v", got)
		}
		s.new = page(`{"title":"b"}`)
		if got := run(t, m, s, 60, get("/wiki")); got.Different < 50 {
			t.Errorf("the field is still taken for noise: %+v", got)
		}
	})
}

// Two old servers that answer in two ways, each half of the time, are noise.
func TestAlternatingServersAreNoise(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int64
		// a fixed irregular sequence of which server answers
		host := func(*Request) (*Response, error) {
			k := n.Add(1)
			return answer("application/json", fmt.Sprintf(`{"host":"h%c"}`, 'a'+rune(k*k*7919%11%2))), nil
		}
		s := &sides{old: host, new: host}
		m := start(t, testConfig(), s)
		run(t, m, s, 30, get("/"))
		if got := run(t, m, s, 200, get("/")); got.Different > 2 || got.Noisy < 50 {
			t.Errorf("got %+v", got)
		}
	})
}

func TestUserPagesShareAShape(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sides{old: page(`{"a":1}`), new: page(`{"a":1}`)}
		m := start(t, testConfig(), s)
		for i := range 500 {
			run(t, m, s, 1, get(fmt.Sprintf("/wiki/Page-%c%c", 'a'+i%26, 'a'+i/26)))
		}
		if asked := s.asked[OldSide].Load(); asked > 2*maxSiblings+enoughTrials {
			t.Errorf("500 pages: the old side was asked %d times", asked)
		}
		if len(m.memory.shapes) > 2 {
			t.Errorf("%d shapes", len(m.memory.shapes))
		}
	})
}

// A new side that hangs is asked no more at once than it may, takes all places and nothing else; what comes on top is counted.
func TestHungNewSide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sides{old: page(`1`)}
		cfg := testConfig()
		var asked atomic.Int64
		m := New(cfg, func(ctx context.Context, side Side, r *Request, _ int64) (*Response, error) {
			if side == OldSide {
				return s.old(r)
			}
			asked.Add(1)
			<-ctx.Done()
			return nil, ctx.Err()
		}, s.tell, slog.New(slog.DiscardHandler))
		primary, _ := s.old(nil)
		began := time.Now()
		for range 20 {
			m.Offer(get("/"), primary)
		}
		if m.Want() {
			t.Error("a copy is wanted without a place")
		}
		if spent := time.Since(began); spent != 0 {
			t.Errorf("Offer waited %v", spent)
		}
		synctest.Wait()
		if got := m.Stats(); got.Copied != 16 || got.Skipped != 5 || got.Chosen != 21 || got.UnderWay != 16 || asked.Load() != 4 {
			t.Errorf("stats %+v", got)
		}
		time.Sleep(cfg.Timeout)
		synctest.Wait()
		if got := m.Stats(); got.Failed != 4 || got.UnderWay != 12 {
			t.Errorf("after the first timeout: %+v", got)
		}
		time.Sleep(3 * cfg.Timeout)
		synctest.Wait()
		if got := m.Stats(); got.Failed != 16 || got.UnderWay != 0 {
			t.Errorf("after the timeout: %+v", got)
		}
		if x := m.Examples(); len(x) != 1 || x[0].Kind != "failed" {
			t.Errorf("examples: %+v", x)
		}
		m.Offer(get("/"), primary)
		synctest.Wait()
		m.Close()
		m.Offer(get("/"), primary)
		got := m.Stats()
		if got.Aborted != 1 || got.UnderWay != 0 || got.Chosen != got.Skipped+got.Unfit+got.Copied ||
			got.Copied != got.Compared+got.Failed+got.Aborted {
			t.Errorf("the counts do not add up: %+v", got)
		}
	})
}

// A mistake in a comparison is counted and told, and harms nobody else.
func TestPanicIsContained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		s := &sides{old: page(`1`), new: func(*Request) (*Response, error) { panic("slice bounds") }}
		m := New(testConfig(), s.send, s.tell, slog.New(slog.NewTextHandler(&log, nil)))
		m.Offer(get("/?token=5ecret"), answer("text/plain", "1"))
		synctest.Wait()
		if got := m.Stats(); got.Copied != 1 || got.Aborted != 1 || got.UnderWay != 0 {
			t.Errorf("stats %+v", got)
		}
		if !strings.Contains(log.String(), "slice bounds") || strings.Contains(log.String(), "5ecret") {
			t.Errorf("log: %s", log.String())
		}
		s.new = page(`1`)
		m.Offer(get("/"), answer("application/json", "1"))
		m.Close()
	})
}

func TestUnfit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sides{old: page(`1`), new: page(`1`)}
		m := start(t, testConfig(), s)
		for _, status := range []int{206, 304, 412} {
			m.Offer(get("/"), &Response{Status: status})
		}
		m.Offer(&Request{Method: "POST", Target: "/"}, answer("", ""))
		synctest.Wait()
		if got := m.Stats(); got.Unfit != 4 || got.Copied != 0 || s.asked[NewSide].Load() != 0 {
			t.Errorf("stats %+v", got)
		}
	})
}

// What the old side has failed is copied too, so that both sides are asked the same, and compared with nothing.
func TestCopyOfAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sides{old: page(`1`), new: page(`1`)}
		m := start(t, testConfig(), s)
		for _, status := range []int{0, 500, 503} {
			m.Offer(get("/"), &Response{Status: status})
		}
		synctest.Wait()
		if got := m.Stats(); got.Copied != 3 || got.Unmatched != 3 || got.Compared+got.Asked > 0 || s.asked[NewSide].Load() != 3 {
			t.Errorf("stats %+v", got)
		}
	})
}

func TestCopyIsUnconditional(t *testing.T) {
	r := &Request{Method: "GET", Target: "/", Header: http.Header{
		"If-None-Match": {`"x"`}, "Range": {"bytes=0-1"}, "Accept-Encoding": {"br"}, "Cookie": {"S=1"}}}
	c := forCopy(r)
	if c.Header.Get("If-None-Match") != "" || c.Header.Get("Range") != "" || c.Header.Get("Accept-Encoding") != "gzip" || c.Header.Get("Cookie") != "S=1" {
		t.Errorf("sent %v", c.Header)
	}
	if r.Header.Get("Range") == "" {
		t.Error("the user's request was changed")
	}
}

// An answer in a coding that cannot be undone is asked for again.
func TestUnknownCoding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sides{old: page(`{"a":1}`), new: page(`{"a":2}`)}
		m := start(t, testConfig(), s)
		primary := answer("application/json", "\x1b\x03")
		primary.Header.Set("Content-Encoding", "br")
		m.Offer(get("/"), primary)
		synctest.Wait()
		if got := m.Stats(); got.Different != 1 || got.Opaque != 0 {
			t.Errorf("stats %+v", got)
		}
		s.old = func(*Request) (*Response, error) { return nil, errors.New("gone") }
		m.Offer(get("/"), primary)
		synctest.Wait()
		if got := m.Stats(); got.Compared != 2 || got.Different != 1 || got.Opaque != 1 {
			t.Errorf("without a second answer: %+v", got)
		}
	})
}

// No secret of the exchange is in the examples, wherever the app repeats it.
func TestExamplesHoldNoSecrets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		secrets := []string{"cookie-5ecret", "bearer-5ecret", "proxy-5ecret", "query-5ecret", "fresh-5ecret",
			"json-5ecret", "field-5ecret", "form-5ecret", "array-5ecret", "location-5ecret", "frag-5ecret"}
		side := func(n int) func(*Request) (*Response, error) {
			return func(r *Request) (*Response, error) {
				h := http.Header{"Content-Type": {"text/html"}, "Set-Cookie": {fmt.Sprintf("S%d=fresh-5ecret; Path=/", n)},
					"Location": {fmt.Sprintf("/next/%d?access_token=location-5ecret#id_token=frag-5ecret", n)}}
				body := fmt.Sprintf(`<p>%d cookie-5ecret bearer-5ecret proxy-5ecret fresh-5ecret</p>`+
					`<input name="csrf_token" value="form-5ecret"> {"apiKey": "json-5ecret and json-5ecret"} %d`, n, n)
				if r.Target == "/json" {
					h.Set("Content-Type", "application/json")
					body = fmt.Sprintf(`{"n":%d,"password":"field-5ecret%d","tokens":["array-5ecret%d"],"sub":{"apiKey":"json-5ecret","n":%d},"x%d":{"secret":"field-5ecret"}}`, n, n, n, n, n)
				}
				return &Response{Status: 200, Header: h, Body: []byte(body)}, nil
			}
		}
		s := &sides{old: side(1), new: side(2)}
		m := start(t, testConfig(), s)
		h := http.Header{"Cookie": {"a=b; S=cookie-5ecret"}, "Authorization": {"Bearer bearer-5ecret"}, "Proxy-Authorization": {"Basic proxy-5ecret"}}
		for _, target := range []string{"/page?page=2&api_token=query-5ecret&sig=query-5ecret", "/json"} {
			r := get(target)
			r.Header = h
			run(t, m, s, 1, r)
		}
		x := m.Examples()
		if len(x) < 6 {
			t.Fatalf("only %d examples", len(x))
		}
		text, err := json.MarshalIndent(x, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range secrets {
			if strings.Contains(string(text), secret) {
				t.Errorf("%s is kept:\n%s", secret, text)
			}
		}
		if !strings.Contains(string(text), "page=2\\u0026api_token=[redacted]") {
			t.Errorf("the target lost more than its secrets:\n%s", text)
		}
	})
}

// Many differences of one kind do not push out the one of another.
func TestExamplesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := testConfig()
		cfg.Examples = 3
		s := &sides{old: page(`{"rare":1,"a":0}`), new: page(`{"rare":2,"a":0}`)}
		m := start(t, cfg, s)
		run(t, m, s, 1, get("/"))
		s.old, s.new = page(`{"rare":1,"a":0}`), page(`{"rare":1,"a":1}`)
		run(t, m, s, 100, get("/"))
		x := m.Examples()
		if len(x) != 2 || x[0].Count+x[1].Count != 101 {
			t.Errorf("examples: %+v", x)
		}
		big := strings.Repeat("x", 100<<10)
		for i := range 10 {
			time.Sleep(time.Second)
			s.old, s.new = page(fmt.Sprintf(`{"f%c":"a%s"}`, 'a'+i, big)), page(fmt.Sprintf(`{"f%c":"b%s"}`, 'a'+i, big))
			run(t, m, s, 1, get("/"))
		}
		if x = m.Examples(); len(x) != 3 || x[0].Path != "fj" || len(x[0].Old) > maxExcerpt {
			t.Errorf("%d examples, the first at %q of %d bytes", len(x), x[0].Path, len(x[0].Old))
		}
	})
}

func TestCapturesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sides{old: page(`1`), new: page(`1`)}
		cfg := testConfig()
		cfg.Body = 10
		m := start(t, cfg, s)
		var open []*Capture
		for range 100 {
			c := m.Capture()
			for range 5 {
				if n, err := c.Write([]byte("abcd")); n != 4 || err != nil {
					t.Fatal(n, err)
				}
			}
			open = append(open, c)
		}
		if limit := int64(4 * 4 * 10); m.held.Load() > limit {
			t.Errorf("%d bytes held, at most %d allowed", m.held.Load(), limit)
		}
		for _, c := range open {
			c.Offer(get("/"), answer("text/plain", ""))
			synctest.Wait()
		}
		if got := m.Stats(); got.Chosen != 100 || got.Copied != 16 || got.Skipped != 84 || m.held.Load() != 0 {
			t.Errorf("stats %+v, %d bytes held", got, m.held.Load())
		}
		c := m.Capture()
		c.Write([]byte("abcdefghijkl"))
		if c.Drop(); m.held.Load() != 0 {
			t.Errorf("%d bytes held after a drop", m.held.Load())
		}
	})
}

// Learned fields, shapes and segments stay within their bounds whatever comes.
func TestMemoryIsBounded(t *testing.T) {
	m := newMemory()
	for i := range 15_000 {
		name := func(n int) string { return strings.Repeat(string(rune('a'+n%20)), n%7+1) }
		target := "/" + name(i) + "/" + name(i/20) + "/" + name(i/400) + "/" + name(i/8000)
		m.compare("GET", target, "200", []difference{{key: fmt.Sprint("value k", i)}})
		m.learn("GET", target, "200", nil, []difference{{key: fmt.Sprint("value n", i)}})
		if i%97 == 0 && m.root.size()-1 != m.count || len(m.shapes) > maxShapes || m.count > maxShapes+maxSegments {
			t.Fatalf("after %d requests: %d shapes, %d segments counted, %d there", i, len(m.shapes), m.count, m.root.size()-1)
		}
	}
	for name, s := range m.shapes {
		if len(s.fields) > maxFields {
			t.Errorf("%s: %d fields", name, len(s.fields))
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	s := &sides{old: page(`{"a":1}`), new: page(`{"a":2}`)}
	cfg := testConfig()
	cfg.Noise = 0.5
	m := New(cfg, s.send, s.tell, slog.New(slog.DiscardHandler))
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 2000 {
			m.Examples()
			m.Stats()
		}
	}()
	for range 2000 {
		if m.Want() {
			m.Offer(get("/"), answer("application/json", `{"a":1}`))
		}
	}
	<-done
	m.Close()
	got := s.totals()
	if stats := m.Stats(); got.Compared != stats.Compared || got.Different != got.Compared || stats.Chosen != stats.Skipped+stats.Copied ||
		stats.Copied != stats.Compared+stats.Aborted {
		t.Errorf("collected %+v of %+v", got, stats)
	}
}

func TestWantAllocatesNothing(t *testing.T) {
	cfg := testConfig()
	cfg.Rate = 0.5
	m := New(cfg, nil, nil, nil)
	if n := testing.AllocsPerRun(1000, func() { m.Want() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestValidate(t *testing.T) {
	good := testConfig()
	if err := good.Validate(); err != nil {
		t.Errorf("a good one: %v", err)
	}
	bad := Config{Rate: 2, Noise: -1, Concurrency: 0, Body: 1 << 40, Headers: []string{"a b"}, Ignore: []string{" "}, Examples: -1}
	err := bad.Validate()
	for _, want := range []string{"rate: ", "noise: ", "concurrency: ", "timeout: ", "body: ", "examples: ", "headers[0]: ", "ignore[0]: "} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no problem with %q in: %v", want, err)
		}
	}
}

func BenchmarkWant(b *testing.B) {
	for name, rate := range map[string]setting.Share{"always": 1, "half": 0.5} {
		b.Run(name, func(b *testing.B) {
			cfg := testConfig()
			cfg.Rate = rate
			m := New(cfg, nil, nil, nil)
			b.ReportAllocs()
			for b.Loop() {
				m.Want()
			}
		})
	}
}

// The value of a cookie never stays, however short; a short one is looked for as a word, not inside of words.
func TestShortCookies(t *testing.T) {
	values := secrets(http.Header{"Cookie": {`theme=dark; n=7; s="x.y"; empty=`}})
	for text, want := range map[string]string{
		`<body class="dark">7 of 17, darkness x.y</body>`: `<body class="****">* of 17, darkness ***</body>`,
		"dark": "****", "7": "*", "": "",
	} {
		if got := string(masked([]byte(text), values)); got != want {
			t.Errorf("%s became %s, want %s", text, got, want)
		}
	}
}
