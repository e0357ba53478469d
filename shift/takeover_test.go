package shift

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"yadokari/judge"
)

// TestANewBinaryTakesOver runs two controllers on one directory, as while a new binary takes the port
// over: the second serves by the stored shares, follows the first, and becomes the owner after it.
func TestANewBinaryTakesOver(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		first, firstFiles := openFiles(t, dir)
		first.traffic(healthy)
		first.must(first.Set(t.Context(), "wiki", 0.05, somebody, ""))

		second, secondFiles := openFiles(t, dir)
		second.expect(Paused, 0.05)
		if _, err := second.Resume(t.Context(), "wiki", somebody, ""); !errors.Is(err, ErrNotOwner) {
			t.Fatalf("resume by the second: %v", err)
		}
		first.must(first.Promote(t.Context(), "wiki", somebody, ""))
		wait(watchEvery)
		second.expect(Paused, 0.5)

		second.traffic(dead)
		wait(600 * time.Millisecond)
		second.expect(RolledBack, 0)
		if s := second.now(); !strings.Contains(s.Problem, "not yet saved") {
			t.Errorf("problem %q", s.Problem)
		}
		first.expect(Paused, 0.5) // its own users fare well
		first.stop()
		if err := firstFiles.Close(); err != nil {
			t.Fatal(err)
		}
		wait(2 * watchEvery)
		second.expect(RolledBack, 0)
		if s := second.now(); s.Problem != "" || second.Health() != nil {
			t.Errorf("problem %q, health %v", s.Problem, second.Health())
		}
		second.traffic(healthy)
		second.must(second.Start(t.Context(), "wiki", somebody, ""))
		second.stop()
		if err := secondFiles.Close(); err != nil {
			t.Fatal(err)
		}
	})
	entries, err := readAll(dir)
	if err != nil {
		t.Fatal(err)
	}
	if places := chained(t, entries); len(entries) != 4 || places["wiki"].State != Shifting {
		t.Errorf("%d entries, %+v", len(entries), places)
	}
}

func openFiles(t *testing.T, dir string) (*world, *FileStore) {
	t.Helper()
	files := OpenFileStore(dir)
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	j := &journal{}
	w := &world{t: t, journal: j, plane: &plane{journal: j, places: map[string]Placement{}, at: map[string]time.Time{},
		traffic: map[string]func(Placement, *judge.Window){}}}
	c, err := New(Options{Routes: []RouteConfig{wiki(testConfig())}, Plane: w.plane, Store: files, Ledger: OpenFileLedger(dir, quiet), Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	w.Controller = c
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = c.Run(ctx)
	}()
	w.stop = func() {
		cancel()
		<-done
	}
	synctest.Wait()
	return w, files
}

// TestStoppingWhileTheDiskHangs ends, and says that something is not saved.
func TestStoppingWhileTheDiskHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, wiki(testConfig()))
		w.must(w.Set(t.Context(), "wiki", 0.5, somebody, ""))
		w.stop()
		c, err := New(w.options(wiki(testConfig())))
		if err != nil {
			t.Fatal(err)
		}
		release := make(chan struct{})
		defer close(release)
		w.store.set(func() { w.store.hang = release })
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- c.Run(ctx) }()
		if _, err := c.Rollback(t.Context(), "wiki", somebody, ""); err != nil {
			t.Fatal(err)
		}
		cancel()
		if err := <-ended; err == nil || !strings.Contains(err.Error(), "does not answer") {
			t.Errorf("Run: %v", err)
		}
		if share := w.plane.share("wiki"); share != 0 {
			t.Errorf("share %s", share)
		}
	})
}

func TestARequestThatIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, wiki(testConfig()))
		defer w.stop()
		release := make(chan struct{})
		w.store.set(func() { w.store.hang = release })
		saving := make(chan error)
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			_, err := w.Start(ctx, "wiki", somebody, "")
			saving <- err
		}()
		wait(100 * time.Millisecond)
		if _, err := w.Set(t.Context(), "wiki", 1, somebody, ""); !errors.Is(err, ErrBusy) {
			t.Errorf("set meanwhile: %v", err)
		}
		if err := <-saving; !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "look at the status") {
			t.Errorf("start: %v", err)
		}
		w.store.set(func() { w.store.hang = nil })
		close(release)
		wait(time.Second)
		w.expect(Shifting, 0)
		w.stop()
		if _, err := w.Promote(t.Context(), "wiki", somebody, ""); !errors.Is(err, ErrStopped) {
			t.Errorf("after the end: %v", err)
		}
	})
}

// TestAReloadOvertakesWhatIsBeingSaved leaves the stored state and the data plane of one mind.
func TestAReloadOvertakesWhatIsBeingSaved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, wiki(testConfig()))
		defer w.stop()
		w.must(w.Set(t.Context(), "wiki", 0.05, somebody, ""))
		release := make(chan struct{})
		w.store.set(func() { w.store.hang = release })
		promoted := make(chan error)
		go func() {
			_, err := w.Promote(context.Background(), "wiki", somebody, "")
			promoted <- err
		}()
		wait(100 * time.Millisecond)
		other := testConfig()
		other.MinRequests = 7
		if err := w.Reload([]RouteConfig{wiki(other)}); err != nil {
			t.Fatal(err)
		}
		w.store.set(func() { w.store.hang = nil })
		close(release)
		if err := <-promoted; !errors.Is(err, errOvertaken) {
			t.Errorf("promote: %v", err)
		}
		wait(time.Second)
		w.expect(Paused, 0.05)
		if r := w.store.held.Routes["wiki"]; r.Stage.Share != 0.05 {
			t.Errorf("stored: %+v", r)
		}
		w.chained()
	})
}

// TestAFullDiskIsReportedUntilThereIsRoom also when nothing waits to be saved.
func TestAFullDiskIsReportedUntilThereIsRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, wiki(testConfig()))
		defer w.stop()
		w.store.set(func() { w.store.failing = errFull })
		if _, err := w.Start(t.Context(), "wiki", somebody, ""); !errors.Is(err, errFull) {
			t.Fatalf("start: %v", err)
		}
		for range 20 {
			wait(900 * time.Millisecond)
			if !errors.Is(w.Health(), errFull) {
				t.Fatalf("health: %v", w.Health())
			}
		}
		w.store.set(func() { w.store.failing = nil })
		wait(lastRetry)
		if w.Health() != nil {
			t.Errorf("health: %v", w.Health())
		}
		w.expect(Idle, 0)
	})
}

// TestAFallingShareDoesNotWaitForTheDisk when a person lowers it, either.
func TestAFallingShareDoesNotWaitForTheDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, wiki(testConfig()))
		defer w.stop()
		w.must(w.Set(t.Context(), "wiki", 0.5, somebody, ""))
		release := make(chan struct{})
		w.store.set(func() { w.store.hang = release })
		s := w.must(w.Set(t.Context(), "wiki", 0.2, somebody, ""))
		w.expect(Paused, 0.2)
		if !strings.Contains(s.Problem, "not yet saved") {
			t.Errorf("problem %q", s.Problem)
		}
		w.store.set(func() { w.store.hang = nil })
		close(release)
	})
}

// TestOnlyTheOwnerWritesTheLedger: what is missing in it may be what the owner is writing right now.
func TestOnlyTheOwnerWritesTheLedger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, wiki(testConfig()))
		w.ledger.failing = errFull
		w.must(w.Set(t.Context(), "wiki", 0.5, somebody, ""))
		w.stop()
		w.ledger.failing, w.store.failing = nil, ErrNotOwner
		w.start(wiki(testConfig()))
		defer w.stop()
		wait(time.Minute)
		if n := len(w.ledger.entries); n != 0 {
			t.Fatalf("%d entries written by one that is not the owner", n)
		}
		w.store.set(func() { w.store.failing = nil })
		wait(lastRetry)
		if n := len(w.ledger.entries); n != 1 {
			t.Fatalf("%d entries", n)
		}
		w.chained()
	})
}
