package gateway

import (
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"yadokari/judge"
	"yadokari/shift"
)

// gathered is the metric with that name and labels; nil: there is none.
func (r *rig) gathered(name string, labels map[string]string) *dto.Metric {
	r.t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(r.Metrics())
	families, err := registry.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "yadokari_gateway_"+name {
			continue
		}
		for _, m := range f.GetMetric() {
			same := true
			for _, l := range m.GetLabel() {
				same = same && labels[l.GetName()] == l.GetValue()
			}
			if same {
				return m
			}
		}
	}
	return nil
}

// The histogram counts every request once, collected by the control loop or not.
func TestDurationsByRouteAndSide(t *testing.T) {
	r := newRig(t)
	labels := map[string]string{"route": "all", "side": "old"}
	add := func(d ...time.Duration) {
		for _, d := range d {
			r.table.Load().byName["all"].sides[oldSide].add(false, d)
		}
	}
	add(time.Millisecond, 7*time.Millisecond, time.Minute)
	var w judge.Window
	r.Collect("all", &w)
	add(8*time.Millisecond, time.Millisecond)
	r.table.Load().byName["all"].sides[oldSide].add(true, time.Second) // a failure has no latency
	h := r.gathered("request_duration_seconds", labels).GetHistogram()
	want := map[float64]uint64{0.0025: 2, 0.005: 2, 0.01: 4, 30: 4}
	for _, b := range h.GetBucket() {
		if n, ok := want[b.GetUpperBound()]; ok && b.GetCumulativeCount() != n {
			t.Errorf("%d up to %v s, want %d", b.GetCumulativeCount(), b.GetUpperBound(), n)
		}
	}
	if sum := h.GetSampleSum(); h.GetSampleCount() != 5 || sum < 58 || sum > 62 {
		t.Errorf("%d samples, %v s together", h.GetSampleCount(), sum)
	}
	if w.Old.Requests != 3 {
		t.Errorf("the control loop saw %d requests of 3", w.Old.Requests)
	}
	if m := r.gathered("request_duration_seconds", map[string]string{"route": "all", "side": "new"}); m != nil {
		t.Errorf("a side without requests has %v", m)
	}
}

func TestMirrorIsMeasured(t *testing.T) {
	r := newRig(t)
	if err := r.Apply("all", shift.Placement{Mirror: true}); err != nil {
		t.Fatal(err)
	}
	r.new.does(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	_ = r.do("GET", "/", "")
	labels := map[string]string{"route": "all"}
	eventually(t, "no difference was counted", func() bool {
		m := r.gathered("mirror_different_total", labels)
		return m != nil && m.GetCounter().GetValue() == 1
	})
	for name, want := range map[string]float64{"mirror_compared_total": 1, "mirror_skipped_total": 0, "mirror_failed_total": 0} {
		if m := r.gathered(name, labels); m == nil || m.GetCounter().GetValue() != want {
			t.Errorf("%s is %v", name, m)
		}
	}
}

func TestAnAddressIsOneMetric(t *testing.T) {
	got := usages([]ServerStatus{
		{ID: "10.0.0.1:80", URL: "http://new:80", InFlight: 2},
		{ID: "10.0.0.1:80", URL: "http://old:80", InFlight: 1, Leaving: true},
		{ID: "10.0.0.2:80", Health: "unhealthy"},
	})
	want := map[string]usage{"10.0.0.1:80": {3, 1}, "10.0.0.2:80": {0, 0}}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// A name that is not found is told of wherever servers are looked at.
func TestNamesThatAreNotFound(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Backends["new"] = backendAt("http://"+neverFound+":80", "http://127.0.0.1:1") })
	names := r.Names()["new"]
	if len(names) != 2 || names[0].Error == "" || names[0].Since.IsZero() || names[1].Error != "" {
		t.Errorf("names: %+v", names)
	}
	if m := r.gathered("name_resolves", map[string]string{"backend": "new", "name": neverFound}); m == nil || m.GetGauge().GetValue() != 0 {
		t.Errorf("name_resolves of a name that is not found: %v", m)
	}
	if m := r.gathered("name_resolves", map[string]string{"backend": "new", "name": "127.0.0.1"}); m != nil {
		t.Errorf("an address is not looked up, and yet: %v", m)
	}
}

// Two servers may have one name on different ports: it resolves when each of its lookups went well.
func TestNameOfSeveralServers(t *testing.T) {
	good, bad := NameStatus{URL: "http://app:80"}, NameStatus{URL: "http://app:81", Error: "no such host"}
	for want, names := range map[float64][][]NameStatus{1: {{good}, {good, good}}, 0: {{bad}, {good, bad}, {bad, good}}} {
		for _, list := range names {
			if got := lookups(list); got["app"] != want || len(got) != 1 {
				t.Errorf("%+v: %v, want %v", list, got, want)
			}
		}
	}
}

// neverFound is refused before anybody is asked: a label has 63 bytes at most.
var neverFound = strings.Repeat("a", 64)
