package shift

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"yadokari/judge"
)

func someSnapshot(revision uint64) Snapshot {
	at := time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
	return Snapshot{Revision: revision, Seq: 7, Routes: map[string]Record{
		"wiki": {State: Paused, Stage: stageAt(0.05), From: "vm", To: "containers", Since: at, Entered: at, By: "aiko", Why: `"<why>"`, Evidence: []byte(`{"n":1}`)},
		"blog": {State: RolledBack, From: "vm", To: "containers", Since: at, Last: &Numbers{Fallbacks: 3}},
	}, Outbox: []Entry{{Seq: 7, Time: at, Route: "wiki", Action: ActPause, To: Place{State: Paused, Stage: "5%", Share: 0.05}}}}
}

func openStore(t *testing.T, dir string) *FileStore {
	t.Helper()
	s := OpenFileStore(dir)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestFileStoreKeepsWhatItIsGiven(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "state")
	s := openStore(t, dir)
	if got, err := s.Load(t.Context()); err != nil || got.Revision != 0 {
		t.Fatalf("fresh: %+v, %v", got, err)
	}
	for revision := range uint64(3) {
		if err := s.Save(t.Context(), someSnapshot(revision)); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	a, _ := MarshalSnapshot(got)
	b, _ := MarshalSnapshot(someSnapshot(3))
	if string(a) != string(b) {
		t.Errorf("%s\nwant\n%s", a, b)
	}
	if err := s.Save(t.Context(), someSnapshot(1)); !errors.Is(err, ErrConflict) {
		t.Errorf("an old revision: %v", err)
	}
}

func TestDamagedStateFiles(t *testing.T) {
	whole, err := MarshalSnapshot(someSnapshot(1))
	if err != nil {
		t.Fatal(err)
	}
	swap := func(old, new string) string {
		if !strings.Contains(string(whole), old) {
			t.Fatalf("%q is not in the file", old)
		}
		return strings.Replace(string(whole), old, new, 1)
	}
	signed := func(change func(*Snapshot)) string {
		s := someSnapshot(1)
		change(&s)
		text, err := MarshalSnapshot(s)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	record := func(change func(*Record)) string {
		return signed(func(s *Snapshot) { r := s.Routes["wiki"]; change(&r); s.Routes["wiki"] = r })
	}
	for name, c := range map[string]struct{ text, says string }{
		"empty":            {"", "ends too early"},
		"zeros":            {strings.Repeat("\x00", 100), "invalid character"},
		"truncated":        {string(whole[:len(whole)/2]), "ends too early"},
		"two of them":      {string(whole) + string(whole), "follows its end"},
		"a bit":            {swap("paused", "pausee"), "checksum"},
		"a share":          {swap(`"share": "5%"`, `"share": "50%"`), "checksum"},
		"another version":  {swap(`"version": 1`, `"version": 2`), "version 2"},
		"no state":         {`{"version": 1}`, "holds no state"},
		"no object":        {`[]`, "cannot unmarshal"},
		"an unknown state": {record(func(r *Record) { r.State = "lost" }), `"lost" is not a state`},
		"a share too big":  {record(func(r *Record) { r.Stage.Share = 2 }), "not a share"},
		"done at 5%":       {record(func(r *Record) { r.State = Done }), "done at 5%"},
		"idle in a stage":  {record(func(r *Record) { r.State = Idle }), "idle in stage"},
		"no stage":         {record(func(r *Record) { r.Stage = Stage{} }), "in no stage"},
		"mirror at 5%":     {record(func(r *Record) { r.Stage.Mirror = true }), "mirror stage has"},
		"outbox ahead":     {signed(func(s *Snapshot) { s.Seq = 6 }), "out of order"},
	} {
		t.Run(name, func(t *testing.T) {
			s := openStore(t, t.TempDir())
			if err := os.WriteFile(s.Path(), []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := s.Load(t.Context())
			var damaged *DamagedError
			if !errors.As(err, &damaged) || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), s.Path()) || !strings.Contains(err.Error(), "backup") {
				t.Errorf("load: %v, want %q", err, c.says)
			}
			for revision := range uint64(3) {
				if err := s.Save(t.Context(), someSnapshot(revision)); !errors.As(err, &damaged) {
					t.Errorf("save over it: %v", err)
				}
			}
			if text, _ := os.ReadFile(s.Path()); string(text) != c.text {
				t.Error("the damaged file was overwritten")
			}
		})
	}
	t.Run("a directory", func(t *testing.T) {
		s := openStore(t, t.TempDir())
		if err := os.Mkdir(s.Path(), 0o700); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Load(t.Context()); !errors.As(err, new(*DamagedError)) {
			t.Errorf("load: %v", err)
		}
	})
	t.Run("only indented anew", func(t *testing.T) {
		s := openStore(t, t.TempDir())
		if err := os.WriteFile(s.Path(), []byte(strings.ReplaceAll(string(whole), "\n", "\n  ")), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Load(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// TestASecondProcessFollowsAndTakesOver uses two open files, which flock(2) treats as two processes.
func TestASecondProcessFollowsAndTakesOver(t *testing.T) {
	dir := t.TempDir()
	old := openStore(t, dir)
	if err := old.Save(t.Context(), someSnapshot(0)); err != nil {
		t.Fatal(err)
	}
	next := openStore(t, dir)
	if got, err := next.Load(t.Context()); err != nil || got.Revision != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
	if err := next.Save(t.Context(), someSnapshot(1)); !errors.Is(err, ErrNotOwner) || next.owned {
		t.Fatalf("save without the lock: %v", err)
	}
	news := next.Watch(t.Context())
	if err := old.Save(t.Context(), someSnapshot(1)); err != nil {
		t.Fatal(err)
	}
	<-news
	if got, err := next.Load(t.Context()); err != nil || got.Revision != 2 {
		t.Fatalf("%+v, %v", got, err)
	}
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	<-news
	if !next.owned {
		t.Fatal("the lock is not taken over")
	}
	if err := next.Save(t.Context(), someSnapshot(2)); err != nil {
		t.Fatal(err)
	}
	if err := old.Save(t.Context(), someSnapshot(3)); !errors.Is(err, os.ErrClosed) {
		t.Errorf("save after close: %v", err)
	}
}

// TestASaveThatFailedAtTheVeryEnd has written the file: the next Save of the same revision must work.
func TestASaveThatFailedAtTheVeryEnd(t *testing.T) {
	s := openStore(t, t.TempDir())
	if err := s.Save(t.Context(), someSnapshot(0)); err != nil {
		t.Fatal(err)
	}
	text, err := MarshalSnapshot(someSnapshot(2))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.Path(), text, 0o600); err != nil { // as after a rename whose fsync failed
		t.Fatal(err)
	}
	if err := s.Save(t.Context(), someSnapshot(1)); !errors.Is(err, ErrConflict) {
		t.Fatalf("a file that another wrote: %v", err)
	}
	s.failed = checksum(text)
	if err := s.Save(t.Context(), someSnapshot(1)); err != nil {
		t.Fatal(err)
	}
}

func TestACrashLeavesNoTemporaryFiles(t *testing.T) {
	dir := t.TempDir()
	left := filepath.Join(dir, stateName+".new-123")
	if err := os.WriteFile(left, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	openStore(t, dir)
	if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

func FuzzUnmarshalSnapshot(f *testing.F) {
	whole, err := MarshalSnapshot(someSnapshot(1))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(whole[:len(whole)-20])
	f.Add([]byte(`{"version":1,"checksum":"","state":{}}`))
	f.Add([]byte(`{"version":1,"state":null}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := UnmarshalSnapshot(text)
		if err != nil {
			return
		}
		again, err := MarshalSnapshot(s)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := UnmarshalSnapshot(again); err != nil {
			t.Fatalf("%v in\n%s", err, again)
		}
	})
}

// FuzzSnapshotState gets past the checksum.
func FuzzSnapshotState(f *testing.F) {
	f.Add([]byte(`{"revision":1,"routes":{"a":{"state":"idle"}}}`))
	f.Add([]byte(`{"seq":1,"outbox":[{"seq":1}]}`))
	f.Fuzz(func(t *testing.T, state []byte) {
		var s Snapshot
		if decodeWhole(state, &s) != nil || s.check() != nil {
			return
		}
		text, err := MarshalSnapshot(s)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := UnmarshalSnapshot(text); err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		for _, r := range s.Routes {
			readReference(r.Reference)
			if p := r.Placement(); !(p.Share >= 0 && p.Share <= 1) {
				t.Fatalf("%+v", p)
			}
		}
	})
}

// TestStateDirectoryThatCannotBeUsed: everyone is on the old side, every command says why, and when the
// directory can be used the state that is there is taken up.
func TestStateDirectoryThatCannotBeUsed(t *testing.T) {
	place := t.TempDir()
	dir := filepath.Join(place, "state")
	if err := os.WriteFile(dir, nil, 0o600); err != nil { // a file where the directory should be
		t.Fatal(err)
	}
	store := openStore(t, dir)
	if _, err := store.Load(t.Context()); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("load: %v", err)
	}
	if err := store.Save(t.Context(), Snapshot{}); err == nil {
		t.Error("saved")
	}
	quiet := slog.New(slog.DiscardHandler)
	j := &journal{}
	plane := &plane{journal: j, places: map[string]Placement{}, at: map[string]time.Time{}, traffic: map[string]func(Placement, *judge.Window){}}
	c, err := New(Options{Routes: []RouteConfig{wiki(testConfig())}, Plane: plane, Store: store, Ledger: OpenFileLedger(dir, quiet), Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = c.Run(ctx) }) // its error is that of the last save
	defer running.Wait()
	defer end()
	if _, err := c.Set(t.Context(), "wiki", 0.5, somebody, ""); err == nil || c.Health() == nil {
		t.Errorf("set: %v; health: %v", err, c.Health())
	}
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	for until := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if _, err = c.Set(t.Context(), "wiki", 0.5, somebody, ""); err == nil {
			return
		}
		if time.Now().After(until) {
			t.Fatalf("the directory can be used again, and: %v", err)
		}
	}
}
