package keys

import (
	"strings"
	"testing"
	"time"
)

// people ask for n pages each, and the app gives those below changing another key with every answer.
func people(c *Churn, users, changing, pages int, now time.Time) {
	for u := range users {
		key := Mix(uint64(u) + 1)
		for range pages {
			c.Asked(key, now)
			if u < changing {
				next := Mix(key)
				c.Replaced(key, next, now)
				key = next
			}
		}
	}
}

func TestChurnCountsUsersNotAnswers(t *testing.T) {
	var c Churn
	now := time.Unix(1_800_000_000, 0)
	people(&c, 100, 38, 7, now)
	if got := c.Last(now); got.Users != 100 || got.Changed != 38 {
		t.Errorf("before the minute is over: %+v", got)
	}
	now = now.Add(churnSpan)
	got := c.Last(now)
	if got != (Holding{Users: 100, Changed: 38, Requests: 700}) {
		t.Errorf("got %+v", got)
	}
	if w := got.Warning("SESSION"); !strings.HasPrefix(w, "38 % of users changed key within a minute") || !strings.Contains(w, "SESSION") {
		t.Error(w)
	}
	if got := c.Last(now.Add(3 * churnSpan)); got != (Holding{}) {
		t.Errorf("long after: %+v", got)
	}
}

func TestChurnOfVeryManyUsersIsASample(t *testing.T) {
	var c Churn
	now := time.Unix(1_800_000_000, 0)
	people(&c, 200_000, 50_000, 2, now)
	if len(c.keys) > churnMost {
		t.Errorf("%d keys are remembered", len(c.keys))
	}
	got := c.Last(now.Add(churnSpan))
	if part := float64(got.Changed) / float64(got.Users); got.Users < churnMost/8 || part < 0.2 || part > 0.3 {
		t.Errorf("got %+v, want a quarter", got)
	}
}

func TestHoldingKeysAreNoWarning(t *testing.T) {
	for _, h := range []Holding{
		{}, {Users: 19, Changed: 19}, {Users: 1000, Changed: 99, Requests: 5000, Without: 2000}, {Requests: 99, Without: 99},
	} {
		if w := h.Warning("SESSION"); w != "" {
			t.Errorf("%+v: %s", h, w)
		}
	}
	if w := (Holding{Requests: 1000, Without: 620}).Warning("SESSION"); !strings.HasPrefix(w, "62 % of requests carry no cookie SESSION") {
		t.Error(w)
	}
}

func TestRequestsWithoutKeyAreCounted(t *testing.T) {
	var c Churn
	now := time.Unix(1_800_000_000, 0)
	for range 128 {
		c.Asked(0, now)
	}
	if got := c.Last(now); got.Requests != 128 || got.Without != 128 {
		t.Errorf("got %+v", got)
	}
}

func TestReturning(t *testing.T) {
	r := NewReturning()
	if r.Keeps("10.0.0.1", "curl") {
		t.Error("nobody has come back, and yet a client is said to")
	}
	for range 3 {
		r.Back("10.0.0.1", "Firefox")
		for i := range patience {
			if !r.Keeps("10.0.0.1", "Firefox") {
				t.Errorf("cookie %d after one came back", i)
			}
		}
		if r.Keeps("10.0.0.1", "Firefox") {
			t.Error("so many were given and none brought back: these clients keep none")
		}
	}
	if r.Keeps("10.0.0.1", "curl") || r.Keeps("10.0.0.2", "Firefox") {
		t.Error("what one client does says nothing of another program or address")
	}
}
