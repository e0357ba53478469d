package config

import (
	"strings"
	"testing"
)

const withSignals = `gateway:
  backends:
    vm: {servers: ["http://10.0.0.1"]}
    containers: {servers: ["http://10.0.0.2"]}
  PROMETHEUS
  routes:
    - name: shop
      match: ["/"]
      shift:
        hold: 20s
        signals:
          - {name: orders, query: 'sum(increase(orders{side="{side}"}[{since}]))', worse: fewer}
          - {name: errors, query: 'sum(increase(errors{side="{side}"}[{since}]))', worse: more, tolerate: 150%}
`

func TestWhatSignalsMean(t *testing.T) {
	text := strings.Replace(withSignals, "PROMETHEUS", `prometheus: {url: "http://prometheus:9090"}`, 1)
	f, err := Parse("yadokari.yaml", []byte(text), "")
	if err != nil {
		t.Fatal(err)
	}
	if s := f.Config.Gateway.Routes[0].Shift.Signals[0]; s.PerUser != 5 || s.Tolerate != 0.1 {
		t.Errorf("the defaults are %+v", s)
	}
	m := f.Explain()
	want := "Besides, shop is rolled back for fewer orders, more errors, by what http://prometheus:9090 says every 15s."
	if words := strings.Join(m.Words, "\n"); !strings.Contains(words, want) {
		t.Errorf("%s", words)
	}
	var warned bool
	for _, w := range m.Warnings {
		warned = warned || w.Path == "gateway.routes[0].shift.hold" && strings.Contains(w.Text, "hold each for 30s at the least")
	}
	if !warned {
		t.Errorf("no warning of a hold below twice slowFor: %v", m.Warnings)
	}
	_, err = Parse("yadokari.yaml", []byte(strings.Replace(withSignals, "PROMETHEUS", "", 1)), "")
	if err == nil || !strings.Contains(err.Error(), "gateway.routes[0].shift.signals: nobody can be asked for them (name the server as gateway.prometheus") {
		t.Errorf("%v", err)
	}
}
