package shift

import (
	"fmt"
	"io"
	"log/slog"
	"testing"

	"yadokari/judge"
)

type busyPlane struct{}

func (busyPlane) Apply(string, Placement) error { return nil }
func (busyPlane) Collect(_ string, w *judge.Window) {
	w.Old.Requests, w.New.Requests = 10, 1
	w.Old.Latency.Add(100, 10)
	w.New.Latency.Add(100, 1)
}

// BenchmarkTick is one tick of 10,000 routes; 20 of them a second make the control loop's cost.
func BenchmarkTick(b *testing.B) {
	for _, c := range []struct {
		name   string
		plane  DataPlane
		active int
	}{{"idle", idlePlane{}, 0}, {"10 active", busyPlane{}, 10}, {"1000 active", busyPlane{}, 1000}} {
		b.Run(c.name, func(b *testing.B) {
			held := Snapshot{Routes: map[string]Record{}}
			var routes []RouteConfig
			for i := range 10_000 {
				r := wiki(testConfig())
				r.Name = fmt.Sprintf("route%d", i)
				routes = append(routes, r)
				if i < c.active {
					held.Routes[r.Name] = Record{State: Paused, Stage: stageAt(0.05), From: r.From, To: r.To}
				}
			}
			j := &journal{}
			controller, err := New(Options{Routes: routes, Plane: c.plane, Store: &store{journal: j, held: held}, Ledger: &notebook{journal: j},
				Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				controller.look()
			}
		})
	}
}
