package shift

import (
	"testing"
	"testing/synctest"
	"time"

	"yadokari/judge"
)

// A clock that is put back, by an hour here, makes of the last minute neither an hour nor a second.
func TestClockThatIsPutBack(t *testing.T) {
	var m minute
	var p pace
	w := &judge.Window{}
	w.Old.Requests = 1
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	for i := range 20 * 60 {
		if i == 10*60 {
			now = now.Add(-time.Hour)
		}
		m.add(now, w)
		p.add(now, w)
		if n := m.numbers(now).Old.Requests; n > 61 {
			t.Fatalf("%s: %d requests in the last minute, at one a second", now, n)
		}
		if rate := p.rates(now).Old; rate > 2 || i%600 > 1 && rate < 0.5 {
			t.Fatalf("%s: %g a second, of one", now, rate)
		}
		now = now.Add(time.Second)
	}
}

// A stage that was entered while the clock was wrong, as it may be just after a machine has started, is held
// for its time and not until the wrong moment.
func TestStageThatWasEnteredInTheFuture(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, wiki(testConfig()))
		w.traffic(healthy)
		w.must(w.Start(t.Context(), "wiki", somebody, ""))
		w.stop()
		record := w.store.held.Routes["wiki"]
		record.Entered = record.Entered.Add(1000 * time.Hour)
		w.store.held.Routes["wiki"] = record
		w.start(wiki(testConfig()))
		defer w.stop()
		hold := testConfig().Hold
		if left := time.Duration(w.now().Hold * float64(time.Second)); left > hold {
			t.Fatalf("a hold of %s has %s left", hold, left)
		}
		wait(hold + time.Minute)
		if s := w.now(); s.Stage == record.Stage.Name {
			t.Errorf("still in %s: %s", s.Stage, s.Next)
		}
	})
}
