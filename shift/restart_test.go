package shift

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"yadokari/setting"
)

// TestEveryCrashLeavesOneTruth kills the controller at each step of each kind of change, by letting the
// steps after it fail until the end, and starts another one from what is stored.
func TestEveryCrashLeavesOneTruth(t *testing.T) {
	errCrash := errors.New("crash")
	steps := map[string]func(w *world){
		"before the save":             func(w *world) { w.store.set(func() { w.store.failing = errCrash }) },
		"in the save, after it wrote": func(w *world) { w.store.set(func() { w.store.late = errCrash }) },
		"after the save":              func(w *world) { w.ledger.failing = errCrash },
		"after the ledger":            func(*world) {},
	}
	actions := map[string]func(w *world) (Status, error){
		"promote":  func(w *world) (Status, error) { return w.Promote(w.t.Context(), "wiki", somebody, "") },
		"rollback": func(w *world) (Status, error) { return w.Rollback(w.t.Context(), "wiki", somebody, "") },
		"set down": func(w *world) (Status, error) { return w.Set(w.t.Context(), "wiki", 0.01, somebody, "") },
		"pause":    func(w *world) (Status, error) { return w.Pause(w.t.Context(), "wiki", somebody, "") },
	}
	for at, crash := range steps {
		for name, action := range actions {
			t.Run(name+", "+at, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := open(t, wiki(testConfig()))
					w.must(w.Set(t.Context(), "wiki", 0.05, somebody, ""))
					w.must(w.Resume(t.Context(), "wiki", somebody, ""))
					crash(w)
					_, err := action(w)
					w.stop()
					stored := w.store.copied()
					if at == "before the save" && stored.Routes["wiki"].Stage.Share != 0.05 {
						t.Fatalf("saved: %+v", stored.Routes["wiki"])
					}
					if at == "after the ledger" && err != nil {
						t.Fatal(err)
					}
					if at == "in the save, after it wrote" {
						w.store.held.Revision++
					}
					w.store.failing, w.store.late, w.ledger.failing = nil, nil, nil
					w.plane.places = map[string]Placement{}
					w.start(wiki(testConfig()))
					wait(time.Second)
					now := w.now()
					record := stored.Routes["wiki"]
					w.expect(record.State, record.Stage.Share)
					if !now.Since.Equal(record.Since) {
						t.Errorf("since %s, stored %s", now.Since, record.Since)
					}
					w.chained()
					if last := w.ledger.entries[len(w.ledger.entries)-1]; last.To != record.place() {
						t.Errorf("the ledger ends at %+v, the state is %+v", last.To, record.place())
					}
					w.stop()
				})
			})
		}
	}
}

func TestARestartKeepsShareAndSinceAndJudgesAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, wiki(testConfig()))
		w.traffic(healthy)
		w.must(w.Start(t.Context(), "wiki", somebody, ""))
		wait(61 * time.Second)
		w.expect(Shifting, 0.05)
		wait(50 * time.Second)
		before := w.now()
		w.stop()
		w.traffic(nil)
		w.start(wiki(testConfig()))
		defer w.stop()
		after := w.now()
		if !after.Since.Equal(before.Since) || after.Share != before.Share || after.New.Requests != 0 {
			t.Errorf("before %+v\nafter %+v", before, after)
		}
		wait(time.Minute)
		w.expect(Shifting, 0.05) // the hold is over, but nothing is known yet
		w.traffic(healthy)
		wait(20 * time.Second)
		w.expect(Shifting, 0.5)
	})
}

func TestTheLastStageSurvivesARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, wiki(testConfig()))
		w.traffic(healthy)
		w.must(w.Set(t.Context(), "wiki", 0.5, somebody, ""))
		w.must(w.Resume(t.Context(), "wiki", somebody, ""))
		wait(61 * time.Second)
		w.expect(Shifting, 1)
		text, err := MarshalSnapshot(w.store.held)
		if err != nil {
			t.Fatal(err)
		}
		if w.store.held, err = UnmarshalSnapshot(text); err != nil {
			t.Fatal(err)
		}
		w.stop()
		w.start(wiki(testConfig()))
		wait(61 * time.Second)
		w.expect(Done, 1)
		w.stop()
	})
}

func TestTheLastStageWithoutAReferenceWaitsForAPerson(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, wiki(testConfig()))
		defer w.stop()
		w.must(w.Set(t.Context(), "wiki", 0.5, somebody, ""))
		w.must(w.Promote(t.Context(), "wiki", somebody, ""))
		w.must(w.Resume(t.Context(), "wiki", somebody, ""))
		w.traffic(healthy)
		wait(5 * time.Minute)
		w.expect(Shifting, 1)
		if s := w.now(); !strings.Contains(s.Next, "nothing is known of the old side") {
			t.Errorf("next %q", s.Next)
		}
		w.must(w.Promote(t.Context(), "wiki", somebody, "fine"))
		w.expect(Done, 1)
	})
}

func TestADamagedStateLeavesEveryoneOnTheOldSide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, wiki(testConfig()))
		w.must(w.Set(t.Context(), "wiki", 0.5, somebody, ""))
		w.stop()
		damaged := &DamagedError{Name: "/var/lib/yadokari/shift.json", Err: errors.New("it ends too early")}
		w.store.set(func() { w.store.broken = damaged })
		w.start(wiki(testConfig()))
		defer w.stop()
		w.expect(Idle, 0)
		for name, act := range map[string]func() (Status, error){
			"start":    func() (Status, error) { return w.Start(t.Context(), "wiki", somebody, "") },
			"set":      func() (Status, error) { return w.Set(t.Context(), "wiki", 0.5, somebody, "") },
			"rollback": func() (Status, error) { return w.Rollback(t.Context(), "wiki", somebody, "") },
		} {
			s, err := act()
			if !errors.Is(err, damaged) || !strings.Contains(s.Problem, damaged.Name) {
				t.Errorf("%s: %v, problem %q", name, err, s.Problem)
			}
		}
		if !errors.Is(w.Health(), damaged) {
			t.Errorf("health: %v", w.Health())
		}
		wait(time.Minute)
		if lines := slices.DeleteFunc(w.journal.take(), func(l string) bool { return l == "apply wiki 0%" }); len(lines) > 0 {
			t.Errorf("with a damaged state: %v", lines)
		}
		w.store.set(func() { w.store.broken = nil }) // restored
		wait(lastRetry)
		w.expect(Paused, 0.5)
		if w.Health() != nil {
			t.Errorf("health: %v", w.Health())
		}
	})
}

// TestDamageWhileRunning leaves traffic where it is and still rolls back.
func TestDamageWhileRunning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, wiki(testConfig()))
		defer w.stop()
		w.traffic(healthy)
		w.must(w.Set(t.Context(), "wiki", 0.5, somebody, ""))
		damaged := &DamagedError{Name: "shift.json", Err: errors.New("it ends too early")}
		w.store.set(func() { w.store.broken, w.store.failing = damaged, damaged; w.store.news <- struct{}{} })
		wait(time.Second)
		w.expect(Paused, 0.5)
		if _, err := w.Resume(t.Context(), "wiki", somebody, ""); !errors.Is(err, damaged) {
			t.Errorf("resume: %v", err)
		}
		w.traffic(dead)
		wait(600 * time.Millisecond)
		w.expect(RolledBack, 0)
	})
}

func TestARecordOfAnotherNewSideDoesNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, wiki(testConfig()))
		w.must(w.Set(t.Context(), "wiki", 0.5, somebody, ""))
		w.stop()
		other := wiki(testConfig())
		other.To = "blue"
		w.start(other)
		defer w.stop()
		w.expect(RolledBack, 0)
		if s := w.now(); !strings.Contains(s.Reason, "containers") || !strings.Contains(s.Reason, "blue") {
			t.Errorf("reason %q", s.Reason)
		}
		w.chained()
	})
}

// TestTwoGatewaysShareAState lets another gateway change the state under this one.
func TestTwoGatewaysShareAState(t *testing.T) {
	other := func(w *world, state State, share setting.Share) {
		w.store.set(func() {
			s := w.store.copied()
			r := s.Routes["wiki"]
			from := r.place()
			r.State, r.Stage, r.Since = state, stageAt(share), time.Now()
			if share == 0 {
				r.Stage = Stage{}
			}
			s.Revision++
			s.Seq++
			s.Routes["wiki"] = r
			s.Outbox = []Entry{{Seq: s.Seq, Route: "wiki", Actor: Actor{Name: "other"}, Action: ActSet, From: from, To: r.place()}}
			w.store.held = s
		})
	}
	synctest.Test(t, func(t *testing.T) {
		w := open(t, wiki(testConfig()))
		defer w.stop()
		w.must(w.Set(t.Context(), "wiki", 0.05, somebody, ""))
		other(w, Paused, 0.25)
		w.store.news <- struct{}{}
		wait(time.Second)
		w.expect(Paused, 0.25)
		w.chained()
		// What the other did meanwhile makes a forward change fail and shows itself.
		wait(time.Second)
		other(w, Paused, 0.3)
		if _, err := w.Set(t.Context(), "wiki", 0.5, somebody, ""); !errors.Is(err, ErrConflict) {
			t.Fatalf("set: %v", err)
		}
		wait(time.Second)
		w.expect(Paused, 0.3)
		// A rollback needs no agreement.
		wait(time.Second)
		other(w, Paused, 0.6)
		w.must(w.Rollback(t.Context(), "wiki", somebody, ""))
		wait(time.Second)
		w.expect(RolledBack, 0)
		if got := w.store.held.Routes["wiki"].State; got != RolledBack {
			t.Errorf("stored: %s", got)
		}
		w.chained()
		// A share that was lowered on what was true before is given up for the newer one.
		w.must(w.Set(t.Context(), "wiki", 0.5, somebody, ""))
		wait(time.Second)
		other(w, RolledBack, 0)
		_, _ = w.Set(t.Context(), "wiki", 0.2, somebody, "")
		wait(time.Second)
		w.expect(RolledBack, 0)
		w.chained()
	})
}

// TestTheLedgerDecidesOnNumbers restores an old state under a newer ledger.
func TestTheLedgerDecidesOnNumbers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, wiki(testConfig()))
		w.must(w.Set(t.Context(), "wiki", 0.05, somebody, ""))
		backup := w.store.copied()
		w.must(w.Set(t.Context(), "wiki", 0.5, somebody, ""))
		w.stop()
		w.store.held = backup
		w.start(wiki(testConfig()))
		defer w.stop()
		w.must(w.Set(t.Context(), "wiki", 1, somebody, ""))
		if n := len(w.ledger.entries); n != 3 || w.ledger.last() != 3 {
			t.Errorf("%d entries, the last is %d", n, w.ledger.last())
		}
	})
}

func TestStatusIsWhatProgramsExpect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, wiki(testConfig()))
		defer w.stop()
		w.traffic(healthy)
		w.must(w.Set(t.Context(), "wiki", 0.5, somebody, "by hand"))
		wait(10 * time.Second)
		text, err := json.Marshal(slices.Collect(w.Statuses()))
		if err != nil {
			t.Fatal(err)
		}
		var got []map[string]any
		if err := json.Unmarshal(text, &got); err != nil || len(got) != 1 {
			t.Fatal(err, string(text))
		}
		for _, key := range strings.Fields("route from to state stage share verdict reason vm containers fallbacks since stages holdRemaining evidence promote next rates") {
			if _, ok := got[0][key]; !ok {
				t.Errorf("no %s in %s", key, text)
			}
		}
		side := got[0]["containers"].(map[string]any)
		if side["requests"].(float64) != 1000 || side["p95"].(float64) < 19 || side["p95"].(float64) > 21 {
			t.Errorf("containers: %v", side)
		}
		if got[0]["share"] != "50%" || got[0]["state"] != "paused" {
			t.Errorf("%s", text)
		}
	})
}
