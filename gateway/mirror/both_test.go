package mirror

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"yadokari/judge"
	"yadokari/setting"
)

// good is a response whose answer can be told from others by its size.
func good(body string) *Response {
	r := answer("text/html", body)
	r.Answer = judge.Answer{First: 1, Last: 2, Size: int64(len(body))}
	return r
}

func failing() *Response { return &Response{Status: 500, Answer: failedAnswer} }

// What both sides did with a request is told, whichever of them got the copy.
func TestResults(t *testing.T) {
	gone := errors.New("gone")
	for name, c := range map[string]struct {
		first       Side
		primary     *Response
		copied      *Response
		err         error
		again       *Response // of the old side, asked once more
		old, new    bool      // failed
		compared    bool
		different   bool
		asked       int64 // of the old side, in all
		unmatched   uint64
		failedCount uint64
	}{
		"alike":                     {first: OldSide, primary: good("a"), copied: good("a"), compared: true},
		"different":                 {first: OldSide, primary: good("a"), copied: good("b"), compared: true, different: true},
		"failed copy":               {first: OldSide, primary: good("a"), copied: failing(), again: good("a"), new: true, compared: true, different: true, asked: 1},
		"no answer":                 {first: OldSide, primary: good("a"), err: gone, again: good("a"), new: true, asked: 1, failedCount: 1},
		"failed copy, shared":       {first: OldSide, primary: good("a"), copied: failing(), again: failing(), old: true, new: true, asked: 1, unmatched: 1},
		"failed primary":            {first: OldSide, primary: failing(), copied: good("a"), old: true, unmatched: 1},
		"both failed":               {first: OldSide, primary: failing(), copied: failing(), old: true, new: true, unmatched: 1},
		"moved, alike":              {first: NewSide, primary: good("a"), copied: good("a"), compared: true, asked: 1},
		"moved, different":          {first: NewSide, primary: good("a"), copied: good("b"), compared: true, different: true, asked: 1},
		"moved, the old side fails": {first: NewSide, primary: good("a"), copied: failing(), old: true, asked: 1, unmatched: 1},
		"moved, no answer":          {first: NewSide, primary: good("a"), err: gone, old: true, asked: 1, unmatched: 1},
		"moved, failed primary":     {first: NewSide, primary: failing(), copied: good("a"), new: true, asked: 1, unmatched: 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				copied := func(*Request) (*Response, error) { return c.copied, c.err }
				s := &sides{old: copied, new: copied}
				if c.first == OldSide {
					s.old = func(*Request) (*Response, error) { return c.again, nil }
				}
				cfg := testConfig()
				cfg.Noise = 0
				m := start(t, cfg, s)
				r := get("/")
				r.First = c.first
				m.Offer(r, c.primary)
				synctest.Wait()
				told := s.told()
				if len(told) != 1 {
					t.Fatalf("told %+v", told)
				}
				got := told[0]
				if got.Old.Failed != c.old || got.New.Failed != c.new || got.Compared != c.compared || got.Different != c.different || got.Noisy {
					t.Errorf("told %+v", got)
				}
				if n := s.asked[OldSide].Load(); n != c.asked {
					t.Errorf("the old side was asked %d times", n)
				}
				stats := m.Stats()
				if stats.Unmatched != c.unmatched || stats.Failed != c.failedCount || stats.Compared != count(c.compared) || stats.UnderWay != 0 {
					t.Errorf("stats %+v", stats)
				}
			})
		})
	}
}

func count(is bool) uint64 {
	if is {
		return 1
	}
	return 0
}

// A copy has as much time as the user's request had, and a limit that only the copy has says nothing.
func TestPatienceIsTheSame(t *testing.T) {
	for name, c := range map[string]struct {
		primary, copied time.Duration
		told, failed    bool
	}{
		"usual":                       {time.Second, 2 * time.Second, true, false},
		"slow everywhere":             {12 * time.Second, 13 * time.Second, true, false},
		"twice as slow":               {12 * time.Second, 28 * time.Second, true, false},
		"cut, but the primary is not": {12 * time.Second, time.Hour, false, false},
		"hangs":                       {time.Second, time.Hour, true, true},
		"hangs, and the primary half": {8 * time.Second, 22 * time.Second, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &sides{}
				m := New(testConfig(), func(ctx context.Context, side Side, _ *Request, _ int64) (*Response, error) {
					if side == OldSide {
						return good("a"), nil
					}
					select {
					case <-ctx.Done():
						return nil, fmt.Errorf("timeout: %w", ctx.Err())
					case <-time.After(c.copied):
						return good("a"), nil
					}
				}, s.tell, slog.New(slog.DiscardHandler))
				primary := good("a")
				primary.Took = c.primary
				m.Offer(get("/"), primary)
				time.Sleep(2 * time.Hour)
				told := s.told()
				if (len(told) == 1) != c.told || c.told && told[0].New.Failed != c.failed {
					t.Errorf("told %+v", told)
				}
				m.Close()
			})
		})
	}
}

// Where there is nobody to ask, nothing is told.
func TestNobodyToAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sides{old: func(*Request) (*Response, error) { return nil, fmt.Errorf("%w: drained", ErrNobody) }}
		m := start(t, testConfig(), s)
		r := get("/")
		r.First = NewSide
		m.Offer(r, good("a"))
		synctest.Wait()
		if told := s.told(); len(told) > 0 || m.Stats().Unmatched != 1 {
			t.Errorf("told %+v, stats %+v", told, m.Stats())
		}
	})
}

// noise: 0% asks the old side nothing a second time, also of what is new.
func TestNoiseCanBeSwitchedOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sides{old: page(`{"a":1}`), new: page(`{"a":2}`)}
		cfg := testConfig()
		cfg.Noise = 0
		m := start(t, cfg, s)
		if got := run(t, m, s, 50, get("/")); got != (totals{Compared: 50, Different: 50}) || s.asked[OldSide].Load() != 0 {
			t.Errorf("got %+v, the old side was asked %d times", got, s.asked[OldSide].Load())
		}
		packed := answer("application/json", "x")
		packed.Header.Set("Content-Encoding", "br")
		m.Offer(get("/"), packed)
		synctest.Wait()
		if n := s.asked[OldSide].Load(); n != 0 || m.Stats().Opaque != 1 {
			t.Errorf("for an unknown coding the old side was asked %d times; %+v", n, m.Stats())
		}
	})
}

// Noise is learned in the stages after mirror as well.
func TestNoiseOfMovedUsers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int64
		noisy := func(*Request) (*Response, error) {
			return answer("application/json", fmt.Sprintf(`{"at":%d,"title":"Wiki"}`, n.Add(1))), nil
		}
		s := &sides{old: noisy}
		m := start(t, testConfig(), s)
		r := get("/")
		r.First = NewSide
		for range 40 {
			primary, _ := noisy(r)
			m.Offer(r, primary)
			synctest.Wait()
		}
		if got := s.totals(); got != (totals{Compared: 40, Noisy: 40}) {
			t.Errorf("got %+v", got)
		}
	})
}

// TestPlaces: what differs between the new side's answer and the old one's is told apart from what differs between two of
// the old side's, place by place, in an order that does not depend on the side.
func TestPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int64
		s := &sides{old: func(*Request) (*Response, error) {
			return answer("application/json", fmt.Sprintf(`{"newest":%d,"both":%d,"title":"Wiki"}`, n.Load()/2, n.Add(1))), nil
		}}
		m := start(t, testConfig(), s)
		r := get("/")
		r.First = NewSide
		m.Offer(r, answer("application/json", `{"newest":0,"both":99,"title":"Wild"}`)) // the old side's own: newest 0, both 1; newest 0, both 2
		synctest.Wait()
		n.Store(1)
		m.Offer(r, answer("application/json", `{"newest":0,"both":99,"title":"Wiki"}`)) // the old side's own: newest 0, both 2; newest 1, both 3
		synctest.Wait()
		told := s.told()
		if len(told) != 2 || len(told[0].Places) != 1 || !told[0].Places[0].New || len(told[1].Places) != 1 || told[1].Places[0].New {
			t.Errorf("told %+v", told)
		}
	})
}

// TestTurns: what the old side is asked late is compared with nothing, and very late it is not asked.
func TestTurns(t *testing.T) {
	for took, want := range map[time.Duration]struct{ told, compared int }{10 * time.Millisecond: {3, 3}, 200 * time.Millisecond: {3, 1}, 3 * time.Second: {1, 1}} {
		synctest.Test(t, func(t *testing.T) {
			s := &sides{old: func(*Request) (*Response, error) { time.Sleep(took); return good("a"), nil }}
			cfg := testConfig()
			cfg.Concurrency, cfg.Noise = 1, 0
			m := start(t, cfg, s)
			for range 3 {
				r := get("/")
				r.First = NewSide
				m.Offer(r, good("a"))
			}
			time.Sleep(time.Minute)
			told, compared := s.told(), 0
			for _, one := range told {
				compared += int(count(one.Compared))
			}
			if len(told) != want.told || compared != want.compared || m.Stats().Unmatched != uint64(3-want.compared) {
				t.Errorf("an answer took %s: told %d, compared %d, stats %+v", took, len(told), compared, m.Stats())
			}
		})
	}
}

// A body that is not what its Content-Encoding says is a difference when it is the new side's, and nobody's when both
// sides have it.
func TestWrongCoding(t *testing.T) {
	const text = "<p>hello hello hello</p>"
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = w.Write([]byte(text))
	_ = w.Close()
	coded := func(coding, body string) *Response {
		r := answer("text/html", body)
		r.Header.Set("Content-Encoding", coding)
		return r
	}
	for name, c := range map[string]struct {
		old, new *Response
		want     bool
	}{
		"both right":    {coded("gzip", packed.String()), coded("gzip", packed.String()), false},
		"one packed":    {answer("text/html", text), coded("gzip", packed.String()), false},
		"new wrong":     {coded("gzip", packed.String()), coded("gzip", text), true},
		"new wrong too": {answer("text/html", text), coded("gzip", text), true},
		"both wrong":    {coded("gzip", text), coded("gzip", text), false},
	} {
		for _, first := range []Side{OldSide, NewSide} {
			t.Run(fmt.Sprint(name, ", first ", first), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := &sides{old: func(*Request) (*Response, error) { return c.old, nil }, new: func(*Request) (*Response, error) { return c.new, nil }}
					m := start(t, testConfig(), s)
					r, primary := get("/"), c.old
					if r.First = first; first == NewSide {
						primary = c.new
					}
					m.Offer(r, primary)
					synctest.Wait()
					if got := s.totals(); got.Compared != 1 || (got.Different == 1) != c.want {
						t.Errorf("got %+v, examples %+v", got, m.Examples())
					}
				})
			})
		}
	}
	synctest.Test(t, func(t *testing.T) { // a user's browser may know a coding that is not known here
		s := &sides{old: func(*Request) (*Response, error) { return answer("text/html", text), nil }}
		m := start(t, testConfig(), s)
		r := get("/")
		r.First = NewSide
		m.Offer(r, coded("br", "\x1b\x03"))
		synctest.Wait()
		if got := s.totals(); got.Different != 0 || m.Stats().Opaque != 1 {
			t.Errorf("got %+v", got)
		}
	})
}

// A place is taken when a request is chosen, and given back whatever comes of it.
func TestSamples(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sides{old: func(*Request) (*Response, error) { return good("a"), nil }}
		cfg := testConfig()
		cfg.Body, cfg.Moved = 10, 0.1
		m := start(t, cfg, s)
		var open []*Capture
		for range inLine * cfg.Concurrency {
			open = append(open, m.Sample(time.Now(), true))
		}
		if m.Sample(time.Now(), true) != nil || m.Want() || m.Stats().Skipped != 2 {
			t.Errorf("more than there is place for: %+v", m.Stats())
		}
		open[0].Drop()
		open[0].Drop()
		r := get("/")
		r.First = NewSide
		open[1].Offer(r, &Response{Status: 304})
		_, _ = open[2].Write([]byte("a"))
		open[2].Offer(r, good("a"))
		open[3].full = true
		open[3].Offer(r, good("a"))
		for _, c := range open[4:] {
			c.Drop()
		}
		synctest.Wait()
		if stats := m.Stats(); stats.UnderWay != 0 || stats.Compared != 2 || stats.Unfit != 1 || stats.Different != 0 {
			t.Errorf("stats %+v", stats)
		}
		m.Close()
		m.Sample(time.Now(), true).Offer(r, good("a"))
		if m.Stats().UnderWay != 0 {
			t.Error("a place is lost with the end")
		}
	})
	for moved, want := range map[setting.Share]int{0: 0, 1e-12: 0, 1: 10} { // of 100 within half a second
		cfg := testConfig()
		cfg.Moved, cfg.Concurrency = moved, 1000
		m, n := New(cfg, nil, nil, nil), 0
		now := time.Now()
		for i := range 100 {
			if m.Sample(now.Add(time.Duration(i)*5*time.Millisecond), false) != nil {
				n++
			}
		}
		if n != want {
			t.Errorf("moved %v: %d of 100", moved, n)
		}
		if always := m.Sample(now, true) != nil; always != (moved > 0) {
			t.Errorf("moved %v: always %v", moved, always)
		}
	}
}

// What changes headers alone is seen.
func TestCompareHeaders(t *testing.T) {
	cfg := testConfig()
	cfg.Headers = []string{"content-type", "Location", "Set-Cookie", "Content-Security-Policy", "WWW-Authenticate"}
	c := newComparer(&cfg)
	for name, tc := range map[string]struct {
		header, old, new string
		want             []string
	}{
		"same cookie":        {"Set-Cookie", "S=1; Path=/; HttpOnly; SameSite=Lax; Domain=.App.example", "S=2; samesite=lax; domain=app.example; httponly; path=/", nil},
		"cookie path":        {"Set-Cookie", "S=1; Path=/", "S=1; Path=/app", []string{"header Set-Cookie"}},
		"cookie domain":      {"Set-Cookie", "S=1; Domain=a.example", "S=1; Domain=b.example", []string{"header Set-Cookie"}},
		"cookie same site":   {"Set-Cookie", "S=1; SameSite=Lax", "S=1; SameSite=Strict", []string{"header Set-Cookie"}},
		"cookie not secure":  {"Set-Cookie", "S=1; Secure", "S=1", []string{"header Set-Cookie"}},
		"cookie time":        {"Set-Cookie", "S=1; Max-Age=100; Expires=Fri, 01-Jan-2100 00:00:00 GMT", "S=1; Max-Age=99; Expires=Fri, 01 Jan 2100 00:00:01 GMT", nil},
		"session cookie":     {"Set-Cookie", "S=1; Max-Age=100", "S=1", []string{"header Set-Cookie"}},
		"cookie taken away":  {"Set-Cookie", "S=1; Max-Age=100", "S=; Max-Age=0", []string{"header Set-Cookie"}},
		"taken away by date": {"Set-Cookie", "S=1; Expires=Fri, 01-Jan-2100 00:00:00 GMT", "S=; Expires=Thu, 01-Jan-1970 00:00:01 GMT", []string{"header Set-Cookie"}},
		"cookie name":        {"Set-Cookie", "S=1", "T=1", []string{"header Set-Cookie"}},
		"redirect host":      {"Location", "https://app.example/a?x=1", "http://internal:8080/a?x=1", []string{"header Location.host"}},
		"redirect path":      {"Location", "/a?state=1", "/login?state=2", []string{"header Location", "header Location.query"}},
		"redirect query":     {"Location", "/a?state=1", "/a?state=2", []string{"header Location.query"}},
		"relative redirect":  {"Location", "https://app.example/a", "/a", []string{"header Location.host"}},
		"url in a query":     {"Location", "/go?to=http://a.example/", "/go?to=http://b.example/", []string{"header Location.query"}},
		"nonces":             {"Content-Security-Policy", "script-src 'nonce-abc' 'self'", "script-src 'nonce-def' 'self'", nil},
		"policy":             {"Content-Security-Policy", "script-src 'nonce-abc' 'self'", "script-src 'nonce-def'", []string{"header Content-Security-Policy"}},
		"challenge":          {"WWW-Authenticate", `Basic realm="a"`, "", []string{"header Www-Authenticate"}},
	} {
		old, new := answer("text/html", ""), answer("text/html", "")
		old.Header.Set(tc.header, tc.old)
		if tc.new != "" {
			new.Header.Set(tc.header, tc.new)
		}
		if got := kinds(c.compare("GET", old, new)); !slices.Equal(got, append([]string{}, tc.want...)) {
			t.Errorf("%s: got %q, want %q", name, got, tc.want)
		}
	}
	cfg.Ignore = []string{"Location"}
	old, new := answer("", ""), answer("", "")
	old.Header, new.Header = http.Header{"Location": {"http://a/b?c"}}, http.Header{"Location": {"http://d/e?f"}}
	if got := kinds(newComparer(&cfg).compare("GET", old, new)); len(got) > 0 {
		t.Errorf("although ignored: %q", got)
	}
}

// A page that leads to another host is another page.
func TestHostsInPages(t *testing.T) {
	cfg := testConfig()
	c := newComparer(&cfg)
	page := `<a href="https://app.example/wiki">wiki</a>`
	if found := c.compare("GET", answer("text/html", page), answer("text/html", `<a href="https://old.example/wiki">wiki</a>`)); len(found) != 1 {
		t.Errorf("a page: %q", kinds(found))
	}
	if found := c.compare("GET", answer("application/json", `{"next":"https://app.example/2"}`), answer("application/json", `{"next":"https://old.example/2"}`)); len(found) != 1 {
		t.Errorf("JSON: %q", kinds(found))
	}
}
