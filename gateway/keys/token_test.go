package keys

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	aSecret = "0123456789abcdef0123456789abcdef"
	another = "fedcba9876543210fedcba9876543210"
	month   = 30 * 24 * time.Hour
)

func ring(t testing.TB, secrets ...string) *Ring {
	t.Helper()
	r, err := ParseRing([]byte(strings.Join(secrets, "\n")))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestTokenComesBackAsItWas(t *testing.T) {
	r, now := ring(t, aSecret), time.Unix(1_800_000_000, 0)
	token := NewToken(1<<63+7, now)
	value := r.Seal(token)
	if got, ok := r.Open(value, now.Add(month), month); !ok || got != token {
		t.Errorf("got %+v, %v; want %+v", got, ok, token)
	}
	if len(value) != 43 || strings.ContainsAny(value, `=;, "`) {
		t.Errorf("%q is no value of a cookie", value)
	}
}

func TestBadTokensAreNone(t *testing.T) {
	r, now := ring(t, aSecret), time.Unix(1_800_000_000, 0)
	good := r.Seal(NewToken(5, now))
	for name, value := range map[string]string{
		"nothing": "", "short": good[:42], "long": good + "A", "not base64": good[:42] + "!", "of another key": ring(t, another).Seal(NewToken(5, now)),
		"old":             r.Seal(NewToken(5, now.Add(-month-time.Second))),
		"from the future": r.Seal(NewToken(5, now.Add(2*time.Hour))),
		"trailing bits":   good[:42] + string(good[42]+1),
	} {
		if token, ok := r.Open(value, now, month); ok {
			t.Errorf("%s: %+v", name, token)
		}
	}
	for i := range good {
		changed := []byte(good)
		if changed[i] = 'A'; good[i] == 'A' {
			changed[i] = 'B'
		}
		if _, ok := r.Open(string(changed), now, month); ok {
			t.Errorf("a change of character %d is not seen", i)
		}
	}
}

// One point makes another value each time: nobody can tell that two users came from one address.
func TestTokensOfOnePointDiffer(t *testing.T) {
	r, now := ring(t, aSecret), time.Now()
	a, b := NewToken(1, now), NewToken(1, now)
	for b.Salt == a.Salt {
		b = NewToken(1, now)
	}
	if r.Seal(a)[:21] == r.Seal(b)[:21] || a.Rank() == b.Rank() {
		t.Error("two users of one point are alike")
	}
}

func TestKeysAreChangedByPuttingTheNewOneFirst(t *testing.T) {
	now := time.Now()
	before, during, after := ring(t, aSecret), ring(t, another, "", aSecret), ring(t, another)
	value := before.Seal(NewToken(9, now))
	if _, ok := during.Open(value, now, month); !ok {
		t.Error("a cookie of the former key is not believed")
	}
	if _, ok := after.Open(value, now, month); ok {
		t.Error("a cookie of a key that was taken out is believed")
	}
	if _, ok := after.Open(during.Seal(NewToken(9, now)), now, month); !ok {
		t.Error("the first key does not sign")
	}
	old, new := before.Marks("vm", "10.0.0.1:80"), during.Marks("vm", "10.0.0.1:80")
	if len(new) != 2 || new[1] != old[0] || new[0] == old[0] || new[0] == during.Marks("containers", "10.0.0.1:80")[0] {
		t.Errorf("marks %x and %x", old, new)
	}
	if before.ID() == after.ID() || before.ID() != ring(t, aSecret).ID() {
		t.Error("IDs do not tell rings apart")
	}
}

func TestRingRefusesWhatIsNoKey(t *testing.T) {
	for _, text := range []string{"", "\n \n", "short\n", aSecret + "\nshort"} {
		if _, err := ParseRing([]byte(text)); err == nil || strings.Contains(err.Error(), "short") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// Processes that begin at the same time in one directory sign with one key, which only its user can read.
func TestOneKeyIsMade(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	var all sync.WaitGroup
	rings := make([]*Ring, 8)
	for i := range rings {
		all.Go(func() {
			r, err := OpenRing(dir)
			if err != nil {
				t.Error(err)
			}
			rings[i] = r
		})
	}
	all.Wait()
	for _, r := range rings {
		if r == nil || r.ID() != rings[0].ID() {
			t.Fatal("processes have different keys")
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Fatalf("%v, %v", entries, err)
	}
	info, err := entries[0].Info()
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	text, err := os.ReadFile(filepath.Join(dir, ringFile))
	if err != nil || len(bytes.TrimSpace(text)) < leastSecret {
		t.Errorf("%d characters, %v", len(text), err)
	}
}

func TestDamagedKeyIsAnErrorAndStays(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, ringFile)
	if err := os.WriteFile(path, []byte("cut"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenRing(dir); err == nil || !strings.Contains(err.Error(), path) {
		t.Error(err)
	}
}

func TestSeatComesBackAsItWas(t *testing.T) {
	seat := Seat{User: 1 << 60, Server: 77, Issued: time.Unix(1_800_000_000, 0)}
	if got, ok := ParseSeat(seat.String()); !ok || got != seat {
		t.Errorf("got %+v, %v", got, ok)
	}
	for _, text := range []string{"", "x", seat.String()[1:], seat.String() + "A", Seat{User: 1}.String(), "!" + seat.String()[1:]} {
		if got, ok := ParseSeat(text); ok {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

func FuzzOpen(f *testing.F) {
	r, now := ring(f, aSecret), time.Unix(1_800_000_000, 0)
	f.Add(r.Seal(NewToken(1, now)))
	f.Add(Seat{User: 1, Server: 2, Issued: now}.String())
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		if token, ok := r.Open(text, now, month); ok && r.Seal(token) != text {
			t.Errorf("%q is believed, and is not what is given", text)
		}
		if seat, ok := ParseSeat(text); ok && seat.String() != text {
			t.Errorf("%q is read as %+v", text, seat)
		}
	})
}
