package tracker

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestTwoProcessesWriteOnePage lets two copies edit one page, each edit on top of the newest revision
// its writer has seen: every accepted edit is a revision, none is overwritten.
func TestTwoProcessesWriteOnePage(t *testing.T) {
	const writers, edits = 3, 20
	dir := t.TempDir()
	store, err := OpenStore(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	copies := []*Child{child(t, Config{Data: dir}), child(t, Config{Data: dir, Version: "containers"})}
	var all sync.WaitGroup
	var conflicts atomic.Int64
	for _, c := range copies {
		for n := range writers {
			all.Go(func() {
				v := login(t, c.URL, fmt.Sprintf("w%d.%d", c.Pid(), n))
				for done := 0; done < edits; {
					p, err := store.Page(t.Context(), "Home")
					if err != nil {
						t.Error(err)
						return
					}
					r := v.post("/wiki/Home", "base", fmt.Sprint(p.Number), "body", fmt.Sprintf("%s %d", v.url, done))
					switch r.StatusCode {
					case http.StatusSeeOther:
						done++
					case http.StatusConflict:
						conflicts.Add(1)
					default:
						t.Errorf("status %d: %s", r.StatusCode, r.body)
						return
					}
				}
			})
		}
	}
	all.Wait()
	p, err := store.Page(t.Context(), "Home")
	if want := 1 + len(copies)*writers*edits; err != nil || p.Number != want {
		t.Errorf("revision %d, want %d: %v", p.Number, want, err)
	}
	history, err := store.History(t.Context(), "Home", 1000)
	if err != nil || len(history) != p.Number {
		t.Errorf("%d revisions, %v", len(history), err)
	}
	t.Logf("%d edits met a newer revision and were refused", conflicts.Load())
}

func TestSessionsAreShared(t *testing.T) {
	dir := t.TempDir()
	old, next := newSite(t, Config{Data: dir}), newSite(t, Config{Data: dir})
	alice := login(t, old.url, "alice")
	alice.url = next.url // cookies know no ports
	alice.get("/board").has(`data-user="alice"`)
	alice.post("/issues", "title", "made by the new").want(http.StatusSeeOther)
	alice.url = old.url
	alice.get("/issues").has("made by the new")
	alice.post("/logout").want(http.StatusSeeOther)
	alice.url = next.url
	alice.get("/board").has(`data-user=""`)
}

func TestSessionEnds(t *testing.T) {
	store, err := OpenStore(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	begun := time.Now()
	token, err := store.NewSession(t.Context(), "alice", begun)
	if err != nil {
		t.Fatal(err)
	}
	if user, err := store.SessionUser(t.Context(), token, begun.Add(sessionAge-time.Second)); user != "alice" || err != nil {
		t.Errorf("young: %q, %v", user, err)
	}
	if _, err := store.SessionUser(t.Context(), token, begun.Add(sessionAge)); !errors.Is(err, errNotFound) {
		t.Errorf("old: %v", err)
	}
}

func TestStoreOfAnotherSchemaIsRefused(t *testing.T) {
	dir := t.TempDir()
	store, err := OpenStore(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.write.Exec("PRAGMA user_version = 99"); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenStore(t.Context(), dir); err == nil {
		t.Error("opened")
	}
}

func TestEventsAreTrimmed(t *testing.T) {
	store, err := OpenStore(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	tx, err := store.write.Begin()
	if err != nil {
		t.Fatal(err)
	}
	for range eventsKept + eventsKept/5 {
		if err := publish(t.Context(), tx, Event{Kind: "test"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	events, err := store.Events(t.Context(), 0, 2*eventsKept)
	if err != nil || len(events) < eventsKept || len(events) > eventsKept+eventsKept/10 {
		t.Errorf("%d events kept, %v", len(events), err)
	}
}

// TestKilledCopyLosesNothing kills a copy at moments when it writes. Whatever it said is stored must
// be there once, with everything that belongs to it, and another copy must go on at once.
func TestKilledCopyLosesNothing(t *testing.T) {
	const rounds, writers = 6, 4
	dir := t.TempDir()
	var stored []string
	for round := range rounds {
		c := child(t, Config{Data: dir})
		var mu sync.Mutex
		var all sync.WaitGroup
		enough := make(chan struct{})
		accepted := 0
		for n := range writers {
			v := login(t, c.URL, fmt.Sprintf("w%d", n))
			all.Go(func() {
				for k := 0; ; k++ {
					text := fmt.Sprintf("kill.%d.%d.%d", round, n, k)
					response, err := v.PostForm(c.URL+"/issues/1/comments", map[string][]string{"body": {text}})
					if err != nil {
						return // killed
					}
					_ = response.Body.Close()
					if response.StatusCode != http.StatusSeeOther {
						t.Errorf("status %d", response.StatusCode)
						return
					}
					mu.Lock()
					stored = append(stored, text)
					if accepted++; accepted == 10+3*round {
						close(enough)
					}
					mu.Unlock()
				}
			})
		}
		<-enough
		if err := c.Kill(); err != nil {
			t.Fatal(err)
		}
		all.Wait()
	}
	checkStored(t, dir, stored)
}

func checkStored(t *testing.T, dir string, stored []string) {
	t.Helper()
	store, err := OpenStore(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	var verdict string
	if err := store.read.QueryRow("PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
		t.Errorf("integrity: %q, %v", verdict, err)
	}
	comments, err := store.CommentsLike(t.Context(), "kill.", 0, 1_000_000)
	if err != nil {
		t.Fatal(err)
	}
	times := map[string]int{}
	for _, c := range comments {
		times[c.Body]++
	}
	for _, text := range stored {
		if times[text] != 1 {
			t.Errorf("%s is there %d times", text, times[text])
		}
	}
	var texts, events int64
	if err := store.read.QueryRow("SELECT (SELECT count(*) FROM texts), (SELECT count(*) FROM events WHERE kind = 'issue.commented')").Scan(&texts, &events); err != nil {
		t.Fatal(err)
	}
	counts, err := store.Counts(t.Context())
	if err != nil || texts != counts.Issues+counts.Comments+counts.Pages || events != counts.Comments {
		t.Errorf("%d texts, %d events for %+v: %v", texts, events, counts, err)
	}
	t.Logf("%d comments accepted, %d found", len(stored), len(comments))
}
