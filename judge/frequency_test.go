package judge

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// browsing has users with many answers each, of which a part is slow, as likely on either side but for slower: what the
// new side's slow answers are multiplied by.
func browsing(r *rand.Rand, share, slow, slower float64, users, each int) []Event {
	const ms = 1e6
	var list []Event
	for range users {
		user := r.Uint64()
		new := float64(user)/(1<<64) < share
		often := slow * (0.2 + 1.6*r.Float64()) // some users' pages are slower than others'
		if new {
			often *= slower
		}
		for range 1 + r.IntN(2*each) {
			took := 100 * ms
			if r.Float64() < often {
				took *= 2 + 20*r.Float64()
			}
			bucket := int16(Bucket(time.Duration(took * (0.9 + 0.2*r.Float64()))))
			list = append(list, Event{User: user, New: new, Answer: Answer{First: bucket, Last: bucket, Size: -1}})
		}
	}
	r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}

// condemned judges events, a hundred a second, by the frequencies alone, and says after how many events they condemned; -1: never.
func condemned(c Criteria, alpha float64, events []Event) int {
	c = c.withDefaults()
	f := newFrequencies(&c, alpha)
	for i := 0; i+100 <= len(events); i += 100 {
		f.add(&Window{Span: time.Second, Events: events[i : i+100]})
		if f.failed() != "" {
			return i + 100
		}
	}
	return -1
}

func TestHowOftenAUserWaits(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(8, 30))
	c := Criteria{Share: 0.25, Tolerance: Tolerance{SlowFor: 2 * time.Second}}
	c.Tolerance.P95 = defaults().P95
	wrong := 0
	for range 100 {
		if condemned(c, 0.05, browsing(r, 0.25, 0.05, 1, 300+r.IntN(700), 20)) >= 0 {
			wrong++
		}
	}
	if most := mayCondemn(100, 0.05); wrong > most {
		t.Errorf("%d of 100 equal sides condemned, chance allows %d", wrong, most)
	}
	// Nearly every user meets a slow answer on either side, so the first one tells little.
	for range 5 {
		at := condemned(c, 0.001*frequencyPart, browsing(r, 0.25, 0.05, 3, 2000, 20))
		t.Logf("three times as often slow: after %d answers on both sides", at)
		if at < 0 || at > 25000 {
			t.Errorf("three times as often slow was condemned after %d answers (-1: never)", at)
		}
	}
}

// TestASlowTimeDoesNotDecide: for as long as slowFor everything is slow on the new side.
func TestASlowTimeDoesNotDecide(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(8, 31))
	c := Criteria{Share: 0.25, Tolerance: Tolerance{SlowFor: 15 * time.Second, P95: defaults().P95}}
	events := browsing(r, 0.25, 0.05, 1, 1000, 20)
	slow := int16(Bucket(3 * time.Second))
	for i := range events[:8100] { // at 81 s to 96 s, in the midst of two blocks
		if e := &events[i]; i >= 8100-1500 && e.New {
			e.First, e.Last = slow, slow
		}
	}
	if at := condemned(c, 0.05, events); at >= 0 {
		t.Errorf("condemned after %d answers", at)
	}
}

// TestAnOutageDoesNotBlind: every user has met a failure, on either side, before the new side becomes slow.
func TestAnOutageDoesNotBlind(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(8, 32))
	c := Criteria{Share: 0.25, Tolerance: Tolerance{SlowFor: 2 * time.Second, P95: defaults().P95}}
	events := browsing(r, 0.25, 0.05, 1, 1000, 40)
	begun, slow := len(events)/2, int16(Bucket(3*time.Second))
	failed := map[uint64]bool{}
	for i := range events {
		e := &events[i]
		switch {
		case i < begun:
			e.Failed, failed[e.User] = !failed[e.User], true
		case e.New && r.Float64() < 0.2:
			e.First, e.Last = slow, slow
		}
	}
	at := condemned(c, 0.001*frequencyPart, events)
	t.Logf("condemned %d answers after it was slow", at-begun)
	if at < begun {
		t.Errorf("condemned after %d of %d answers, slow after %d (-1: never)", at, len(events), begun)
	}
}

// TestUsersWhoAreNotSeen: half of the new side's users have never come, which does not make the side slow.
func TestUsersWhoAreNotSeen(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(8, 33))
	c := Criteria{Share: 0.5, Tolerance: Tolerance{SlowFor: 2 * time.Second, P95: defaults().P95}}
	for range 5 {
		events := browsing(r, 0.5, 0.05, 1, 2000, 10)
		events = slices.DeleteFunc(events, func(e Event) bool { return e.New && e.User%2 == 0 })
		if at := condemned(c, 0.05, events); at >= 0 {
			t.Errorf("condemned after %d answers", at)
		}
	}
}

// BenchmarkLook is one look at one limit, with as many users as are remembered.
func BenchmarkLook(b *testing.B) {
	c := Criteria{Share: 0.25, Tolerance: defaults()}.withDefaults()
	f := newFrequency(&c, 0.001)
	for _, e := range browsing(rand.New(rand.NewPCG(8, 34)), 0.25, 0.05, 1, marked, 20) {
		f.add(&Window{Events: []Event{e}})
	}
	b.ReportAllocs()
	for b.Loop() {
		least, most := f.usual.shares(f.share)
		f.outweighs(0, newBets(f.tests[0].limit.usually(), least, most))
	}
}
