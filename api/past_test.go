package api

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"yadokari/admin"
	"yadokari/admin/client"
	"yadokari/gateway"
	"yadokari/history"
	"yadokari/judge"
	"yadokari/setting"
	"yadokari/shift"
)

// fakePlane carries no requests; a test says what has ended.
type fakePlane struct {
	mu      sync.Mutex
	pending map[string]judge.Window
}

func (p *fakePlane) Apply(string, shift.Placement) error { return nil }

func (p *fakePlane) Collect(route string, w *judge.Window) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if from, ok := p.pending[route]; ok {
		w.Old.Merge(&from.Old)
		w.New.Merge(&from.New)
		delete(p.pending, route)
	}
}

func (p *fakePlane) Servers() map[string][]gateway.ServerStatus          { return nil }
func (p *fakePlane) Names() map[string][]gateway.NameStatus              { return nil }
func (p *fakePlane) Drain(string, string) error                          { return nil }
func (p *fakePlane) Undrain(string, string) error                        { return nil }
func (p *fakePlane) WaitIdle(context.Context, string, string) error      { return nil }
func (p *fakePlane) Keys() (k gateway.KeyStatus)                         { return k }
func (p *fakePlane) Differences(string) (d gateway.Differences, _ error) { return d, nil }

// fixture is the API over a real control loop, on a real port.
type fixture struct {
	*client.Client
	url        string
	controller *shift.Controller
	keeper     *history.Keeper
	plane      *fakePlane
}

func newFixture(t *testing.T, before ...shift.Entry) *fixture {
	t.Helper()
	return newFixtureOn(t, admin.Config{Listen: "127.0.0.1:0"}, before...)
}

func newFixtureOn(t *testing.T, on admin.Config, before ...shift.Entry) *fixture {
	t.Helper()
	dir, log := t.TempDir(), slog.New(slog.DiscardHandler)
	ledger := shift.OpenFileLedger(dir, log)
	if err := ledger.Append(before...); err != nil {
		t.Fatal(err)
	}
	store := shift.OpenFileStore(dir)
	f := &fixture{keeper: &history.Keeper{}, plane: &fakePlane{pending: map[string]judge.Window{}}}
	var err error
	f.controller, err = shift.New(shift.Options{
		Routes: []shift.RouteConfig{{Name: "wiki", From: "vm", To: "containers", Config: journey()}, {Name: "rest", From: "vm", To: "containers"}},
		Plane:  f.plane, Store: store, Ledger: ledger, Logger: log, Observer: f.keeper.Observe,
	})
	if err != nil {
		t.Fatal(err)
	}
	port, err := admin.New(on, admin.Options{Logger: log, Registry: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	(&API{Controller: f.controller, Plane: f.plane, History: f.keeper, About: func() About { return About{} }}).Register(port)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = f.controller.Run(ctx) })
	running.Go(func() { _ = port.Serve(ctx, listener) })
	t.Cleanup(func() { stop(); running.Wait(); _ = store.Close() })
	f.url = "http://" + listener.Addr().String()
	if f.Client, err = client.New(client.Options{URL: f.url, Actor: "ann"}); err != nil {
		t.Fatal(err)
	}
	return f
}

func journey() *shift.Config {
	return &shift.Config{Stages: []string{"5%", "100%"}, MinRequests: 10, Promote: shift.Manual, Alpha: 0.001}
}

// past puts a minute of traffic before now into the history.
func (f *fixture) past(now time.Time) {
	for i := range 60 {
		var w judge.Window
		w.Old.Requests, w.New.Requests, w.New.Failures = 95, 5, 1
		for range 95 {
			w.Old.Latency.Observe(10 * time.Millisecond)
		}
		f.keeper.Observe(shift.Observation{Route: "wiki", Time: now.Add(time.Duration(i-60) * time.Second),
			Place: shift.Place{State: shift.Shifting, Stage: "5%", Share: setting.Share(0.05)}, Window: &w})
	}
}

func TestThePast(t *testing.T) {
	f := newFixture(t)
	f.past(time.Now())
	var series SeriesAnswer
	if err := f.Do(t.Context(), "GET", "/api/v1/routes/wiki/series", nil, &series); err != nil {
		t.Fatal(err)
	}
	n := len(series.Time)
	if series.Step != 1 || n < 58 || n > 60 || series.Old.Requests[n-1] != 95 || series.New.Failures[0] != 1 || series.Share[n-1] != 0.05 || series.Doubt[0] != -1 ||
		len(series.Old.P99) != n || len(series.Fallbacks) != n || series.Old.P95[0] < 9.7 || series.Old.P95[0] > 10.3 {
		t.Errorf("%+v", series)
	}
	var later SeriesAnswer
	if err := f.Do(t.Context(), "GET", "/api/v1/routes/wiki/series?span=2h", nil, &later); err != nil || later.Step != 10 {
		t.Errorf("two hours: %+v %v", later, err)
	}
	var recent RecentAnswer
	if err := f.Do(t.Context(), "GET", "/api/v1/series", nil, &recent); err != nil || recent.Step != 5 || len(recent.Routes) != 1 || recent.Routes["wiki"].Old.Requests[2] != 5*95 {
		t.Errorf("all routes: %+v %v", recent, err)
	}
	var l history.Latencies
	if err := f.Do(t.Context(), "GET", "/api/v1/routes/wiki/latencies", nil, &l); err != nil || l.Stage != "5%" || len(l.Old) != 1 || l.Old[0].N != 60*95 || l.New == nil {
		t.Errorf("latencies: %+v %v", l, err)
	}
}

// TestLatenciesOfAnotherJourney are not shown as those of the stage that has just begun.
func TestLatenciesOfAnotherJourney(t *testing.T) {
	f := newFixture(t)
	f.past(time.Now())
	if _, err := f.controller.Start(t.Context(), "wiki", shift.Actor{Name: "ann"}, ""); err != nil {
		t.Fatal(err)
	}
	var l history.Latencies
	if err := f.Do(t.Context(), "GET", "/api/v1/routes/wiki/latencies", nil, &l); err != nil || l.Stage != "5%" || len(l.Old) != 0 || l.Since.IsZero() {
		t.Errorf("latencies: %+v %v", l, err)
	}
}

func TestQueriesThatCannotBeRead(t *testing.T) {
	f := newFixture(t)
	for path, code := range map[string]string{
		"routes/nobody/series":          "unknown-route",
		"routes/nobody/latencies":       "unknown-route",
		"routes/wiki/series?span=25h":   "bad-query",
		"routes/wiki/series?span=0s":    "bad-query",
		"routes/wiki/series?since=soon": "bad-query",
		"series?since=-1":               "bad-query",
		"events?batch=1ms":              "bad-query",
		"events?batch=1s&brief=yes":     "bad-query",
		"events?series=1":               "bad-query",
		"events?ledger=1":               "bad-query",
		"events?batch=1s&ledger=all":    "bad-query",
		"ledger.jsonl?limit=0":          "bad-query",
		"ledger?before=x":               "bad-query",
	} {
		err := f.Do(t.Context(), "GET", "/api/v1/"+path, nil, &struct{}{})
		if refused := (*client.Error)(nil); !errors.As(err, &refused) || refused.Code != code {
			t.Errorf("%s: %v, want %s", path, err, code)
		}
	}
}

func TestExportOfTheWholeLedger(t *testing.T) {
	var entries []shift.Entry
	for seq := uint64(1); seq <= 2*exportBlock+7; seq++ {
		route := "wiki"
		if seq%10 == 0 {
			route = "rest"
		}
		entries = append(entries, shift.Entry{Seq: seq, Route: route, Action: shift.ActPause, Actor: shift.Actor{Name: "bob"}, Why: "a\nb"})
	}
	f := newFixture(t, entries...)
	for query, want := range map[string]int{"": 2*exportBlock + 7, "?route=rest": 200, "?limit=1000": 1000, "?limit=1003": 1003, "?before=5": 4, "?actor=nobody": 0} {
		answer, err := http.Get(f.url + "/api/v1/ledger.jsonl" + query)
		if err != nil {
			t.Fatal(err)
		}
		n, last := 0, uint64(1<<62)
		for lines := bufio.NewScanner(answer.Body); lines.Scan(); n++ {
			var e shift.Entry
			if err := json.Unmarshal(lines.Bytes(), &e); err != nil || e.Seq >= last {
				t.Fatalf("%s: line %d: %v, entry %d after %d", query, n, err, e.Seq, last)
			}
			last = e.Seq
		}
		_ = answer.Body.Close()
		if n != want || answer.Header.Get("Content-Type") != "application/jsonl" {
			t.Errorf("%q gives %d entries, want %d", query, n, want)
		}
	}
}

// TestBatches: what a person must see comes at once, however long the batch; numbers wait.
func TestBatches(t *testing.T) {
	f := newFixture(t)
	f.past(time.Now())
	ctx, stop := context.WithTimeout(t.Context(), 8*time.Second) // less than the batch
	defer stop()
	var names []string
	done := errors.New("seen")
	err := f.Stream(ctx, "/api/v1/events?batch=10s&brief=1&series=1", "", func(e client.Event) error {
		names = append(names, e.Name)
		switch e.Name {
		case "series":
			var r RecentAnswer
			if err := json.Unmarshal(e.Data, &r); err != nil || len(r.Routes["wiki"].Time) == 0 {
				t.Errorf("series: %s %v", e.Data, err)
			}
			_, err := f.controller.Start(ctx, "wiki", shift.Actor{Name: "ann"}, "")
			return err
		case "changes":
			var list []shift.Status
			if err := json.Unmarshal(e.Data, &list); err != nil || len(list) != 1 || list[0].Stage != "5%" || list[0].Evidence != nil {
				t.Errorf("changes: %s %v", e.Data, err)
			}
			return done
		}
		return nil
	})
	if !errors.Is(err, done) || len(names) != 3 || names[0] != "routes" {
		t.Errorf("%v after %v", err, names)
	}
	if st, err := f.controller.Status("wiki"); err != nil || st.Evidence == nil {
		t.Errorf("the evidence is gone for everybody: %v", err)
	}
}

// TestWhatElseAPageIsTold: that the ledger was written, when its entry can be read; and every status after
// a reload of the configuration.
func TestWhatElseAPageIsTold(t *testing.T) {
	f := newFixture(t)
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	done := errors.New("seen")
	written := false
	err := f.Stream(ctx, "/api/v1/events?batch=10s&brief=1&ledger=1", "", func(e client.Event) error {
		switch {
		case e.Name == "routes" && !written:
			f.controller.Note(shift.ActDrain, shift.Actor{Name: "ann"}, "vm", "10.0.0.1:80")
		case e.Name == "ledger":
			var news Written
			entries, err := f.controller.History(shift.Filter{})
			if wrong := json.Unmarshal(e.Data, &news); wrong != nil || err != nil || len(entries) != 1 || entries[0].Seq != news.Seq {
				t.Errorf("%s: the ledger holds %v: %v", e.Data, entries, err)
			}
			written = true
			return f.controller.Reload([]shift.RouteConfig{{Name: "new", From: "vm", To: "containers", Config: journey()}})
		case e.Name == "routes":
			var list []shift.Status
			if err := json.Unmarshal(e.Data, &list); err != nil || len(list) != 1 || list[0].Route != "new" {
				t.Errorf("after a reload: %s %v", e.Data, err)
			}
			return done
		}
		return nil
	})
	if !errors.Is(err, done) {
		t.Error(err)
	}
}
