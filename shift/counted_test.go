package shift

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"yadokari/setting"
)

// shopkeeper is a Counter whose sides sell so much a second.
type shopkeeper struct {
	mu      sync.Mutex
	vm, new float64
	err     error
	queries []string
}

func (s *shopkeeper) Every() time.Duration { return 15 * time.Second }

func (s *shopkeeper) Count(_ context.Context, query string) (float64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queries = append(s.queries, query)
	var side string
	var seconds float64
	if _, err := fmt.Sscanf(query, "orders %s %fs", &side, &seconds); err != nil {
		return 0, err
	}
	if side == "vm" {
		return s.vm * seconds, s.err
	}
	return s.new * seconds, s.err
}

func (s *shopkeeper) set(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// selling is a controller that counts orders, at 50 %.
func selling(t *testing.T, s *shopkeeper) *world {
	t.Helper()
	c := testConfig()
	c.Signals = []Signal{{Name: "orders", Query: "orders {side} {since}", Worse: fewer, Tolerate: 0.1, PerUser: 2}}
	w := open(t, wiki(c))
	w.stop()
	options := w.options(wiki(c))
	options.Counter = s
	w.startWith(options)
	w.traffic(healthy)
	w.must(w.Start(t.Context(), "wiki", somebody, ""))
	w.must(w.Promote(t.Context(), "wiki", somebody, ""))
	w.must(w.Promote(t.Context(), "wiki", somebody, ""))
	return w
}

func TestASignalRollsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shopkeeper{vm: 1, new: 0}
		w := selling(t, s)
		defer w.stop()
		wait(74 * time.Second)
		s.set(func() {
			if len(s.queries) != 0 {
				t.Errorf("asked for what the former placement may have done: %v", s.queries)
			}
		})
		wait(3 * time.Minute)
		w.expect(RolledBack, 0)
		if now := w.now(); !strings.Contains(now.Reason, "0 orders on containers and ") || !strings.Contains(now.Reason, "fewer tolerated") {
			t.Errorf("%s", now.Reason)
		}
	})
}

// TestASignalIsCountedSinceTheStageIsJudged: setting the share that is there begins a hold anew, but no verdict.
func TestASignalIsCountedSinceTheStageIsJudged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shopkeeper{vm: 1, new: 1, err: errors.New("no pass yet")}
		w := selling(t, s)
		defer w.stop()
		wait(3 * time.Minute)
		w.must(w.Set(t.Context(), "wiki", 0.5, somebody, ""))
		wait(time.Minute)
		s.set(func() {
			var seconds float64
			last := s.queries[len(s.queries)-1]
			if _, err := fmt.Sscanf(strings.Fields(last)[2], "%fs", &seconds); err != nil || seconds < 150 {
				t.Errorf("after four minutes: %q, %v", last, err)
			}
		})
	})
}

// TestWhatOthersCountComesAtAnUnknownRate: a verdict that waits for orders does not reckon them by the requests.
func TestWhatOthersCountComesAtAnUnknownRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shopkeeper{vm: 0.01, new: 0.01}
		w := selling(t, s)
		defer w.stop()
		wait(10 * time.Minute)
		w.expect(Shifting, 0.5)
		if now := w.now(); !strings.Contains(now.Reason, "orders needed") || strings.Contains(now.Next, "more orders") {
			t.Errorf("reason %q, next %q", now.Reason, now.Next)
		}
	})
}

func TestASignalThatIsNotKnownHoldsUpAPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shopkeeper{vm: 1, new: 1, err: errors.New("connection refused")}
		w := selling(t, s)
		defer w.stop()
		wait(10 * time.Minute)
		w.expect(Shifting, 0.5)
		if now := w.now(); now.Reason != "signals.orders is not known: containers: connection refused" && now.Reason != "signals.orders is not known: vm: connection refused" {
			t.Errorf("%s", now.Reason)
		}
		s.set(func() { s.err = nil })
		wait(20 * time.Second)
		w.expect(Shifting, 1)
	})
}

func TestSignalsThatAreWrong(t *testing.T) {
	for want, spoil := range map[string]func(*Signal){
		"signals.0.name":     func(s *Signal) { s.Name = "a b" },
		"signals.0.query":    func(s *Signal) { s.Query = "sum(orders_total[{since}])" },
		"signals.0.worse":    func(s *Signal) { s.Worse = "less" },
		"signals.0.tolerate": func(s *Signal) { s.Tolerate = 1 },
		"signals.0.perUser":  func(s *Signal) { s.PerUser = 0 },
	} {
		c := testConfig()
		c.Signals = []Signal{{Name: "orders", Query: "{side} {since}", Worse: fewer, PerUser: 1}}
		if err := c.Validate(); err != nil {
			t.Fatal(err)
		}
		spoil(&c.Signals[0])
		problems := setting.Problems(c.Validate())
		if len(problems) != 1 || strings.NewReplacer("[", ".", "]", "").Replace(problems[0].Path.String()) != want {
			t.Errorf("%s: %v", want, problems)
		}
	}
	c := testConfig()
	c.Signals = []Signal{{Name: "orders", Query: "{side} {since}", Worse: more, PerUser: 1}, {Name: "orders", Query: "{side} {since}", Worse: more, PerUser: 1}}
	if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "another signal") {
		t.Errorf("%v", err)
	}
}
