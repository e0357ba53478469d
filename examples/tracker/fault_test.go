package tracker

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestParseFault(t *testing.T) {
	for text, want := range map[string]Fault{
		"/:error":                              {Prefix: "/", Kind: FaultError},
		"/wiki/:error:p=0.5,after=100":         {Prefix: "/wiki/", Kind: FaultError, Probability: 0.5, After: 100},
		"POST /issues:close:late":              {Method: "POST", Prefix: "/issues", Kind: FaultClose, Late: true},
		"/a:slow:delay=1.5s,limit=3":           {Prefix: "/a", Kind: FaultSlow, Delay: 1500 * time.Millisecond, Limit: 3},
		"/api/:error:status=503":               {Prefix: "/api/", Kind: FaultError, Status: 503},
		"/a:hang:p=1,after=1,limit=2,status=0": {Prefix: "/a", Kind: FaultHang, Probability: 1, After: 1, Limit: 2},
	} {
		got, err := ParseFault(text)
		if err != nil || got != want {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{
		"", "/", "wiki:error", "/:", "/:explode", "/:slow", "/:error:p=0", "/:error:p=2", "/:error:p=NaN", "/:error:p=x",
		"/:error:after=-1", "/:error:status=200", "/:error:hurry=1", "/:slow:delay=5", "A B /:error",
	} {
		if f, err := ParseFault(text); err == nil {
			t.Errorf("%q: %+v", text, f)
		}
	}
}

func FuzzParseFault(f *testing.F) {
	for _, text := range []string{"/wiki/:error:p=0.5,after=100", "POST /issues:close:late", "/:slow:delay=2s,limit=1,status=500", "::", " :", "/:error:p="} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		fault, err := ParseFault(text)
		if err != nil {
			return
		}
		again, err := ParseFault(fault.String())
		if err != nil || again != fault {
			t.Errorf("%q: %+v, then %+v (%v)", text, fault, again, err)
		}
	})
}

// faulty is a server with one fault whose own answer is JSON, and how often its handler ran.
func faulty(t *testing.T, fault string) (*visitor, *int) {
	t.Helper()
	f, err := ParseFault(fault)
	if err != nil {
		t.Fatal(err)
	}
	ran := new(int)
	web := httptest.NewServer(newFaultSet([]Fault{f}).handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*ran++
		_, _ = io.WriteString(w, `{"n":1}`)
	})))
	t.Cleanup(web.Close)
	v := visit(t, web.URL)
	v.Transport = &http.Transport{DisableKeepAlives: true} // so that nothing is sent again by itself
	return v, ran
}

func TestFaultsThatAnswer(t *testing.T) {
	v, ran := faulty(t, "/a:error:status=503,after=2,limit=3")
	for n, want := range []int{200, 200, 503, 503, 503, 200} {
		v.get("/b").want(http.StatusOK)
		if got := v.get("/a").StatusCode; got != want {
			t.Errorf("request %d: %d, want %d", n+1, got, want)
		}
	}
	if *ran != 9 {
		t.Errorf("%d requests were done", *ran)
	}
	v, ran = faulty(t, "POST /:error:late")
	v.get("/").want(http.StatusOK)
	v.post("/").want(http.StatusInternalServerError)
	if *ran != 2 {
		t.Error("a late fault comes after the work")
	}
	v, _ = faulty(t, "/:wrong")
	v.get("/").want(http.StatusOK).has(`{"n":2}`)
}

func TestFaultsThatCut(t *testing.T) {
	for kind, check := range map[string]func(*http.Response, error) bool{
		"close": func(_ *http.Response, err error) bool { return errors.Is(err, io.EOF) },
		"reset": func(r *http.Response, err error) bool {
			if err != nil { // the reset can overtake the header
				return errors.Is(err, syscall.ECONNRESET)
			}
			_, err = io.ReadAll(r.Body)
			return errors.Is(err, syscall.ECONNRESET)
		},
		"truncate": func(r *http.Response, err error) bool {
			if err != nil {
				return false
			}
			got, err := io.ReadAll(r.Body)
			return errors.Is(err, io.ErrUnexpectedEOF) && len(got) > 1000
		},
	} {
		for _, late := range []bool{false, true} {
			text := "/:" + kind
			if late {
				text += ":late"
			}
			v, ran := faulty(t, text)
			response, err := v.Get(v.url)
			if response != nil {
				defer response.Body.Close()
			}
			if !check(response, err) {
				t.Errorf("%s: %v", text, err)
			}
			if done := *ran == 1; done != late {
				t.Errorf("%s: the work was done: %v", text, done)
			}
		}
	}
}

func TestHangSlowAndSlower(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answer := func(h http.Handler, ctx context.Context) (took time.Duration, code int) {
			begun := time.Now()
			w := httptest.NewRecorder()
			defer func() {
				took = time.Since(begun)
				if recover() == nil {
					code = w.Code
				}
			}()
			h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil))
			return took, code
		}
		work := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(100 * time.Millisecond)
			_, _ = io.WriteString(w, "done")
			time.Sleep(time.Millisecond)
			_, _ = io.WriteString(w, "done")
		})
		patient, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		hang := newFaultSet([]Fault{{Prefix: "/", Kind: FaultHang}}).handler(work)
		if took, code := answer(hang, patient); took != time.Minute || code != 0 {
			t.Errorf("hang: %d after %v", code, took)
		}
		slow := newFaultSet([]Fault{{Prefix: "/", Kind: FaultSlow, Delay: time.Second}}).handler(work)
		if took, code := answer(slow, t.Context()); took != 1101*time.Millisecond || code != 200 {
			t.Errorf("slow: %d after %v", code, took)
		}
		if took, code := answer(slower(0.6, work), t.Context()); took != 161*time.Millisecond || code != 200 {
			t.Errorf("slower: %d after %v", code, took)
		}
	})
}

func TestProbability(t *testing.T) {
	set := newFaultSet([]Fault{{Prefix: "/", Kind: FaultError, Probability: 0.25}})
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	const n = 20_000
	hit := 0
	for range n {
		if set.pick(r) != nil {
			hit++
		}
	}
	// Six standard deviations of a binomial distribution: about one false alarm in a thousand million.
	if hit < n/4-368 || hit > n/4+368 {
		t.Errorf("%d of %d", hit, n)
	}
	if c := set.counts()[0]; c.Seen != n || c.Hit != int64(hit) {
		t.Errorf("%+v, want %d", c, hit)
	}
}

func TestWrongContent(t *testing.T) {
	for body, want := range map[string]string{
		`{"a":[1,true,"x",null]}`: `{"a":[2,false,"x?",null]}` + "\n",
		"<h1>Board</h1></html>":   "<h1>Board (as the other build sees it)</h1></html>",
		"plain":                   "plaio",
		"":                        "",
	} {
		if got := string(wrongContent([]byte(body))); got != want {
			t.Errorf("%q: %q, want %q", body, got, want)
		}
	}
}

func TestWrongPageOfTheWholeApplication(t *testing.T) {
	s := newSite(t, Config{Version: "containers", Faults: []Fault{{Prefix: "/wiki/", Kind: FaultWrong}}})
	v := visit(t, s.url)
	r := v.get("/wiki/Home").want(http.StatusOK).has("as the other build sees it", "</html>")
	if r.Header.Get(HeaderBuild) != "containers" {
		t.Error("a wrong answer must say who made it")
	}
	v.get("/board").lacks("as the other build")
}

func TestControl(t *testing.T) {
	c := child(t, Config{Data: t.TempDir(), Control: "127.0.0.1:0"})
	v := visit(t, c.URL)
	v.get("/wiki/Home").want(http.StatusOK)
	fault := Fault{Prefix: "/wiki/", Kind: FaultError, Status: 502}
	if err := SetFaults(t.Context(), c.ControlURL, fault); err != nil {
		t.Fatal(err)
	}
	v.get("/wiki/Home").want(http.StatusBadGateway)
	v.get("/board").want(http.StatusOK)
	admin := visit(t, c.ControlURL)
	admin.get("/faults").want(http.StatusOK).has(`"fault":"/wiki/:error:status=502"`, `"hit":1`)
	admin.get("/stats").want(http.StatusOK).has(`"GET /wiki/{page}":1`)
	if err := SetFaults(t.Context(), c.ControlURL, Fault{Prefix: "none"}); err == nil || !strings.Contains(err.Error(), "prefix") {
		t.Errorf("a bad fault: %v", err)
	}
	v.get("/wiki/Home").want(http.StatusBadGateway)
	admin.request(http.MethodDelete, "/faults", "").want(http.StatusOK)
	v.get("/wiki/Home").want(http.StatusOK)
	admin.request(http.MethodDelete, "/faults", "", "Sec-Fetch-Site", "cross-site").want(http.StatusForbidden)

	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.ControlURL+"/stats", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "rebound.example:80"
	admin.do(r).want(http.StatusForbidden)
	for _, address := range []string{"0.0.0.0:0", ":0", "192.0.2.1:80", "nonsense"} {
		if _, err := (Config{Data: "x", Control: address}).normal(); err == nil {
			t.Errorf("control on %q", address)
		}
	}
}
