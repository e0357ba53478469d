package shift

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"yadokari/judge"
)

func TestAJourneyEndsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, wiki(testConfig()))
		defer w.stop()
		w.traffic(healthy)
		w.must(w.Start(t.Context(), "wiki", somebody, "try it"))
		w.expect(Shifting, 0)
		if p := w.plane.places["wiki"]; !p.Mirror || !p.Ahead {
			t.Fatalf("in the mirror stage the placement is %+v", p)
		}
		wait(59 * time.Second)
		w.expect(Shifting, 0)
		wait(2 * time.Second)
		w.expect(Shifting, 0.05)
		wait(61 * time.Second)
		w.expect(Shifting, 0.5)
		wait(61 * time.Second)
		w.expect(Shifting, 1)
		wait(61 * time.Second)
		w.expect(Done, 1)

		var told []string
		entries, _ := w.History(Filter{})
		for _, e := range slices.Backward(entries) {
			told = append(told, string(e.Action)+" "+e.To.Stage+" by "+e.Actor.Name)
			if e.Action == ActPromote && (len(e.Evidence) == 0 || e.Why == "") {
				t.Errorf("entry %d has no evidence or reason: %+v", e.Seq, e)
			}
		}
		want := "start mirror by aiko, promote 5% by yadokari, promote 50% by yadokari, promote 100% by yadokari, promote 100% by yadokari"
		if got := strings.Join(told, ", "); got != want {
			t.Errorf("the ledger says\n%s, want\n%s", got, want)
		}
	})
}

func TestAForwardChangeIsSavedAppliedAndWrittenDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, wiki(testConfig()))
		defer w.stop()
		w.must(w.Start(t.Context(), "wiki", somebody, ""))
		if got, want := strings.Join(w.journal.take(), ", "), "save 1, apply wiki 0%, ledger 1 start"; got != want {
			t.Errorf("start: %s, want %s", got, want)
		}
		w.must(w.Promote(t.Context(), "wiki", somebody, ""))
		if got, want := strings.Join(w.journal.take(), ", "), "save 2, apply wiki 5%, ledger 2 promote-forced"; got != want {
			t.Errorf("promote: %s, want %s", got, want)
		}
		w.must(w.Rollback(t.Context(), "wiki", somebody, ""))
		if got, want := strings.Join(w.journal.take(), ", "), "apply wiki 0%, save 3, ledger 3 rollback"; got != want {
			t.Errorf("rollback: %s, want %s", got, want)
		}
	})
}

// TestRollbackWaitsForNothing lets the new side die while the store hangs, with a promotion under way.
func TestRollbackWaitsForNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, wiki(testConfig()))
		defer w.stop()
		w.traffic(healthy)
		w.must(w.Set(t.Context(), "wiki", 0.05, somebody, ""))
		release := make(chan struct{})
		w.store.set(func() { w.store.hang = release })
		promoted := make(chan error)
		go func() {
			_, err := w.Promote(context.Background(), "wiki", somebody, "")
			promoted <- err
		}()
		wait(time.Second)
		if s := w.now(); !strings.Contains(s.Next, "as soon as it is saved") {
			t.Errorf("while it is being saved, next is %q", s.Next)
		}
		w.traffic(dead)
		died := time.Now()
		wait(time.Second)
		w.expect(RolledBack, 0)
		// What strikes one side within half a second may strike the other one a little later.
		if took := w.plane.at["wiki"].Sub(died); took > 600*time.Millisecond {
			t.Errorf("share 0 after %s", took)
		}
		if s := w.now(); !strings.Contains(s.Problem, "not yet saved") || s.Verdict != Fail {
			t.Errorf("problem %q, verdict %q", s.Problem, s.Verdict)
		}
		w.store.set(func() { w.store.hang = nil })
		close(release)
		if err := <-promoted; !errors.Is(err, errOvertaken) {
			t.Errorf("the promotion ended with %v", err)
		}
		wait(time.Second)
		w.expect(RolledBack, 0)
		if s := w.now(); s.Problem != "" {
			t.Errorf("problem %q", s.Problem)
		}
		if r := w.store.held.Routes["wiki"]; r.State != RolledBack {
			t.Errorf("stored: %+v", r)
		}
		w.chained()
	})
}

// chained checks that the ledger has no gap and each entry begins where the last of its route ended.
func (w *world) chained() {
	w.t.Helper()
	chained(w.t, w.ledger.entries)
}

func chained(t *testing.T, entries []Entry) map[string]Place {
	t.Helper()
	places := map[string]Place{}
	for i, e := range entries {
		if e.Seq != uint64(i+1) {
			t.Fatalf("entry %d has seq %d", i+1, e.Seq)
		}
		former, known := places[e.Route]
		if !known {
			former = Place{State: Idle}
		}
		if e.From != former {
			t.Fatalf("entry %d begins at %+v, the one before ended at %+v", e.Seq, e.From, former)
		}
		places[e.Route] = e.To
	}
	return places
}

func TestFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, wiki(testConfig()))
		defer w.stop()
		w.traffic(healthy)
		w.must(w.Set(t.Context(), "wiki", 0.5, somebody, ""))
		w.store.set(func() { w.store.failing = errFull })
		s, err := w.Promote(t.Context(), "wiki", somebody, "")
		if !errors.Is(err, errFull) || s.Share != 0.5 {
			t.Fatalf("promote: %v at %s", err, s.Share)
		}
		w.expect(Paused, 0.5)
		if _, err := w.Resume(t.Context(), "wiki", somebody, ""); !errors.Is(err, errFull) {
			t.Fatalf("resume: %v", err)
		}
		before := time.Now()
		s, err = w.Rollback(t.Context(), "wiki", somebody, "")
		if err != nil || s.State != RolledBack || !strings.Contains(s.Problem, errFull.Error()) {
			t.Fatalf("rollback: %v, %+v", err, s)
		}
		if took := w.plane.at["wiki"].Sub(before); took != 0 {
			t.Errorf("share 0 after %s", took)
		}
		if w.Health() == nil {
			t.Error("health says all is well")
		}
		wait(time.Minute)
		w.store.set(func() { w.store.failing = nil })
		wait(lastRetry)
		if r := w.store.held.Routes["wiki"]; r.State != RolledBack {
			t.Errorf("stored: %+v", r)
		}
		if s := w.now(); s.Problem != "" || w.Health() != nil {
			t.Errorf("problem %q, health %v", s.Problem, w.Health())
		}
		w.chained()
	})
}

// TestAutomaticPromotionSurvivesAFullDisk waits and goes on when there is room again.
func TestAutomaticPromotionSurvivesAFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, wiki(testConfig()))
		defer w.stop()
		w.traffic(healthy)
		w.must(w.Start(t.Context(), "wiki", somebody, ""))
		w.store.set(func() { w.store.failing = errFull })
		wait(2 * time.Minute)
		w.expect(Shifting, 0)
		if s := w.now(); !strings.Contains(s.Problem, errFull.Error()) {
			t.Errorf("problem %q", s.Problem)
		}
		w.store.set(func() { w.store.failing = nil })
		wait(2 * time.Second)
		w.expect(Shifting, 0.05)
		w.chained()
	})
}

func TestTheLedgerIsCaughtUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, wiki(testConfig()))
		defer w.stop()
		w.ledger.mu.Lock()
		w.ledger.failing = errFull
		w.ledger.mu.Unlock()
		w.must(w.Start(t.Context(), "wiki", somebody, ""))
		w.must(w.Promote(t.Context(), "wiki", somebody, ""))
		if n := len(w.store.held.Outbox); n != 2 {
			t.Fatalf("%d entries wait in the state, want 2", n)
		}
		if s := w.now(); !strings.Contains(s.Problem, "ledger") {
			t.Errorf("problem %q", s.Problem)
		}
		w.ledger.mu.Lock()
		w.ledger.failing = nil
		w.ledger.mu.Unlock()
		wait(lastRetry)
		if len(w.ledger.entries) != 2 || w.Health() != nil {
			t.Errorf("%d entries, health %v", len(w.ledger.entries), w.Health())
		}
		w.chained()
	})
}

func TestARefusingDataPlane(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, wiki(testConfig()))
		defer w.stop()
		w.traffic(healthy)
		w.must(w.Set(t.Context(), "wiki", 0.05, somebody, ""))
		no := errors.New("nginx: configuration file test failed")
		w.plane.set(func() { w.plane.refuse = no })
		if _, err := w.Promote(t.Context(), "wiki", somebody, ""); !errors.Is(err, no) {
			t.Fatalf("promote: %v", err)
		}
		w.expect(Paused, 0.05)
		wait(time.Second)
		if r := w.store.held.Routes["wiki"]; r.Stage.Share != 0.05 {
			t.Errorf("stored: %+v", r)
		}
		// A rollback that is refused is tried until it is in force.
		s, err := w.Rollback(t.Context(), "wiki", somebody, "")
		if !errors.Is(err, no) || !strings.Contains(s.Problem, "still serves 5%") {
			t.Fatalf("rollback: %v, %q", err, s.Problem)
		}
		wait(time.Minute)
		w.plane.set(func() { w.plane.refuse = nil })
		wait(time.Second)
		w.expect(RolledBack, 0)
		if s := w.now(); s.Problem != "" {
			t.Errorf("problem %q", s.Problem)
		}
		w.chained()
	})
}

// TestAPlacementThatComesLateIsJudgedFromThenOn: what ended before was not of its share.
func TestAPlacementThatComesLateIsJudgedFromThenOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, wiki(testConfig()))
		w.must(w.Set(t.Context(), "wiki", 0.5, somebody, ""))
		w.stop()
		w.plane.set(func() { w.plane.refuse = errors.New("no such backend yet") })
		w.start(wiki(testConfig()))
		defer w.stop()
		wait(time.Minute)
		w.plane.set(func() { w.plane.refuse = nil })
		came := time.Now()
		wait(10 * time.Second)
		w.expect(Paused, 0.5)
		if begun := w.now().Begun; begun.Before(came) {
			t.Errorf("judged since %s before it came", came.Sub(begun))
		}
	})
}

// TestASlowDataPlaneHoldsUpNoOtherRoute hangs one route's promotion in Apply and lets another's new
// side die.
func TestASlowDataPlaneHoldsUpNoOtherRoute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		blog := wiki(testConfig())
		blog.Name = "blog"
		w := open(t, wiki(testConfig()), blog)
		w.traffic(healthy)
		w.must(w.Set(t.Context(), "wiki", 0.5, somebody, ""))
		hang := make(chan struct{})
		w.plane.set(func() { w.plane.hang = hang })
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = w.Set(context.Background(), "blog", 0.5, somebody, "")
		}()
		wait(5 * time.Second) // the loop comes past the hanging route several times
		died := time.Now()
		w.traffic(dead)
		wait(600 * time.Millisecond)
		w.expect(RolledBack, 0)
		if took := w.plane.at["wiki"].Sub(died); took > 600*time.Millisecond {
			t.Errorf("share 0 after %s", took)
		}
		close(hang)
		<-done
		w.stop()
	})
}

func TestDoneIsGuardedByTheBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, wiki(testConfig()))
		defer w.stop()
		w.traffic(healthy)
		w.must(w.Set(t.Context(), "wiki", 1, somebody, ""))
		w.expect(Done, 1)
		wait(5 * time.Minute)
		w.expect(Done, 1)
		w.traffic(dead)
		wait(900 * time.Millisecond)
		w.expect(Done, 1) // an outage of both that ends is told from the new side's own by going on
		wait(200 * time.Millisecond)
		w.expect(RolledBack, 0)
		wait(5 * time.Minute)
		w.expect(RolledBack, 0)
		if s := w.now(); s.New.Failures == 0 || s.Verdict != Fail {
			t.Errorf("after the rollback: %+v", s)
		}
		w.traffic(healthy)
		w.must(w.Start(t.Context(), "wiki", somebody, "mended"))
		w.expect(Shifting, 0)
	})
}

func TestPausedIsGuarded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, wiki(testConfig()))
		defer w.stop()
		w.traffic(healthy)
		w.must(w.Start(t.Context(), "wiki", somebody, ""))
		wait(61 * time.Second)
		w.expect(Shifting, 0.05)
		w.must(w.Pause(t.Context(), "wiki", somebody, "lunch"))
		wait(5 * time.Minute)
		w.expect(Paused, 0.05)
		seen := w.now().New.Requests
		w.must(w.Resume(t.Context(), "wiki", somebody, ""))
		if now := w.now().New.Requests; now < seen {
			t.Errorf("resume forgot the evidence: %d requests, %d before", now, seen)
		}
		wait(time.Second)
		w.expect(Shifting, 0.5)
		w.must(w.Pause(t.Context(), "wiki", somebody, ""))
		w.traffic(dead)
		wait(600 * time.Millisecond)
		w.expect(RolledBack, 0)
	})
}

func TestManualWaitsForAPerson(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := testConfig()
		config.Promote = Manual
		w := open(t, wiki(config))
		defer w.stop()
		w.traffic(healthy)
		w.must(w.Start(t.Context(), "wiki", somebody, ""))
		wait(5 * time.Minute)
		w.expect(Shifting, 0)
		if s := w.now(); s.Verdict != Pass || s.Next != "5% when a person promotes" {
			t.Errorf("verdict %q, next %q", s.Verdict, s.Next)
		}
		w.must(w.Promote(t.Context(), "wiki", somebody, "looks good"))
		w.expect(Shifting, 0.05)
		if e := w.ledger.entries[1]; e.Action != ActPromote || e.Actor != somebody || len(e.Evidence) == 0 {
			t.Errorf("the ledger says %+v", e)
		}
	})
}

// zone is this machine's at the time of the tests, as Next writes it.
var zone = time.Date(2000, 1, 1, 0, 0, 0, 0, time.Local).Format("Z07:00")

// TestNextNamesTheHoldWhenItIsLonger: when enough requests come sooner than the stage's hold ends, it is
// the hold that is waited for, and the words say so.
func TestNextNamesTheHoldWhenItIsLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := testConfig()
		c.Hold, c.MinRequests = time.Hour, 10_000
		w := open(t, wiki(c))
		defer w.stop()
		w.must(w.Set(t.Context(), "wiki", 0.05, somebody, ""))
		w.must(w.Resume(t.Context(), "wiki", somebody, ""))
		w.traffic(healthy)
		wait(2 * time.Minute)
		if s := w.now(); !strings.Contains(s.Next, "before the stage's hold ends, 58m0s from now, at 2000-01-01 01:00:00"+zone) {
			t.Errorf("next %q", s.Next)
		}
	})
}

// TestNextInMirrorCountsCopies: there requests are counted that were copied, which come as fast as the copies
// and not as the users' requests do.
func TestNextInMirrorCountsCopies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, wiki(testConfig()))
		defer w.stop()
		w.must(w.Start(t.Context(), "wiki", somebody, ""))
		last := time.Now()
		w.traffic(func(_ Placement, w *judge.Window) { // a hundred requests a second, one of them copied
			if now := time.Now(); now.Sub(last) >= time.Second {
				last = now
				requests(w, false, 100, false)
				copies(w, 1, false)
			}
		})
		wait(60 * time.Second)
		s := w.now()
		if !strings.Contains(s.Next, "40 more requests on containers") || !strings.Contains(s.Next, "which at 1.0") {
			t.Errorf("verdict %q, next %q", s.Verdict, s.Next)
		}
	})
}

// TestNextSaysUntilWhenForEverythingThatIsCounted: the stage's requests on the new side are not all that a
// verdict waits for.
func TestNextSaysUntilWhenForEverythingThatIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, wiki(testConfig()))
		defer w.stop()
		w.must(w.Set(t.Context(), "wiki", 0.5, somebody, ""))
		w.must(w.Resume(t.Context(), "wiki", somebody, ""))
		last := time.Now()
		w.traffic(func(_ Placement, w *judge.Window) { // ten requests a second, one of them on the old side
			if now := time.Now(); now.Sub(last) >= time.Second {
				last = now
				requests(w, false, 1, false)
				requests(w, true, 9, false)
			}
		})
		wait(60 * time.Second)
		s := w.now()
		if !strings.HasPrefix(s.Next, "100% after 40 more requests on vm, which at 1.02 a second is 39s from now, at ") {
			t.Errorf("verdict %q, next %q", s.Verdict, s.Next)
		}
	})
}

func TestNotEnoughTraffic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, wiki(testConfig()))
		defer w.stop()
		w.must(w.Set(t.Context(), "wiki", 0.05, somebody, ""))
		w.must(w.Resume(t.Context(), "wiki", somebody, ""))
		wait(5 * time.Minute)
		s := w.now()
		if s.Verdict != NotEnoughTraffic || s.Next != "50% after 100 more requests on containers, and none came in the last minute" {
			t.Errorf("verdict %q, next %q", s.Verdict, s.Next)
		}
		start := time.Now()
		last := start
		w.traffic(func(p Placement, w *judge.Window) { // one a second
			if now := time.Now(); now.Sub(last) >= time.Second {
				last = now
				requests(w, false, 1, false)
				requests(w, true, 1, false)
			}
		})
		wait(62 * time.Second)
		s = w.now()
		if !strings.HasPrefix(s.Next, "50% after 3") || !strings.Contains(s.Next, "s from now, at 2000-01-01 00:0") {
			t.Errorf("next %q", s.Next)
		}
		if s.Rates.New < 0.9 || s.Rates.New > 1.1 {
			t.Errorf("rates %+v", s.Rates)
		}
	})
}

// TestNote: what was done to a server is in the ledger, numbered with the rest, as soon as it can be saved.
func TestNote(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, wiki(testConfig()))
		defer w.stop()
		w.must(w.Set(t.Context(), "wiki", 0.05, somebody, ""))
		w.store.set(func() { w.store.failing = errFull })
		w.Note(ActDrain, somebody, "vm", "10.0.0.1:80")
		wait(time.Minute)
		if n := len(w.ledger.entries); n != 1 {
			t.Fatalf("%d entries while nothing can be saved", n)
		}
		w.store.set(func() { w.store.failing = nil })
		wait(time.Minute)
		w.must(w.Resume(t.Context(), "wiki", somebody, ""))
		if len(w.ledger.entries) != 3 {
			t.Fatalf("the ledger says %+v", w.ledger.entries)
		}
		note := w.ledger.entries[1]
		if note.From != (Place{}) || note.Seq != 2 || note.Action != ActDrain || note.Actor != somebody || note.Backend != "vm" || note.Server != "10.0.0.1:80" || note.Route != "" {
			t.Errorf("the ledger says %+v", note)
		}
	})
}
