package lifecycle

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// lasts is a phase that takes d and, when it is cut short, settle more.
func lasts(d, settle time.Duration) func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			time.Sleep(settle)
			return ctx.Err()
		}
	}
}

func planOf(first, second time.Duration) *Plan {
	return &Plan{Grace: 100 * time.Second, Reserve: 0.2, Phases: []Phase{
		{Name: "app", Share: 0.3, Do: lasts(first, 0)},
		{Name: "mail", After: []string{"app"}, Share: 0.3, Do: lasts(second, time.Second)},
	}}
}

func seconds(steps []Step) (had, used []float64, outcomes []Outcome) {
	for _, s := range steps {
		had, used, outcomes = append(had, s.Had), append(used, s.Used), append(outcomes, s.Outcome)
	}
	return had, used, outcomes
}

func TestTimePassesOn(t *testing.T) {
	for name, c := range map[string]struct {
		first, second time.Duration
		had, used     []float64
		outcomes      []Outcome
	}{
		// 20 s are promised to nobody: the first may have them, and the second has what the first leaves.
		"quick":    {10 * time.Second, 20 * time.Second, []float64{50, 70}, []float64{10, 20}, []Outcome{Done, Done}},
		"long":     {10 * time.Second, time.Hour, []float64{50, 70}, []float64{10, 71}, []Outcome{Done, CutShort}},
		"too long": {time.Hour, 20 * time.Second, []float64{50, 30}, []float64{50, 20}, []Outcome{CutShort, Done}},
		"both":     {time.Hour, time.Hour, []float64{50, 30}, []float64{50, 31}, []Outcome{CutShort, CutShort}},
	} {
		synctest.Test(t, func(t *testing.T) {
			had, used, outcomes := seconds(planOf(c.first, c.second).Run(t.Context()))
			if !slices.Equal(had, c.had) || !slices.Equal(used, c.used) || !slices.Equal(outcomes, c.outcomes) {
				t.Errorf("%s: had %v, used %v, %v", name, had, used, outcomes)
			}
		})
	}
}

// TestPromisesHoldBehindAPhaseThatHangs: 19.5 of the reserve's 20 s are for settling, half of them for
// each phase, and the second has its 30 s although the first never returned.
func TestPromisesHoldBehindAPhaseThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := planOf(0, time.Hour)
		forever := make(chan struct{})
		defer close(forever)
		p.Phases[0].Do = func(context.Context) error { <-forever; return nil }
		steps := p.Run(t.Context())
		if s := steps[0]; s.Outcome != Abandoned || s.Error != ErrBudget.Error() || s.Used != 59.75 {
			t.Errorf("%+v", s)
		}
		if s := steps[1]; s.Had != 30 || s.Used != 31 || s.Outcome != CutShort {
			t.Errorf("%+v", s)
		}
	})
}

func TestRunLeavesTimeForWhatComesAfterwards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		forever := make(chan struct{})
		defer close(forever)
		hang := func(context.Context) error { <-forever; return nil }
		p := Plan{Grace: 100 * time.Second, Reserve: 0.2, Phases: []Phase{
			{Name: "a", Share: 0.1, Do: hang}, {Name: "b", After: []string{"a"}, Share: 0.3, Do: hang},
			{Name: "c", After: []string{"a"}, Share: 0.2, Do: hang}, {Name: "d", After: []string{"b", "c"}, Share: 0.2, Do: hang},
		}}
		start := time.Now()
		for _, s := range p.Run(t.Context()) {
			if s.Outcome != Abandoned || s.Had < s.Planned {
				t.Errorf("%+v", s)
			}
		}
		if took := time.Since(start); took != 99500*time.Millisecond {
			t.Errorf("took %v", took)
		}
	})
}

func TestAbandonGoesOnAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := planOf(time.Hour, 25*time.Second)
		p.Phases[0].OnTimeout = Abandon
		p.Phases[0].Do = lasts(time.Hour, 30*time.Second)
		steps := p.Run(t.Context())
		if s := steps[0]; s.Outcome != Abandoned || s.Used != 50 {
			t.Errorf("%+v", s)
		}
		if s := steps[1]; s.Outcome != Done || s.Began != 50 {
			t.Errorf("%+v", s)
		}
		time.Sleep(time.Minute) // what was abandoned ends
	})
}

func TestHurry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := planOf(time.Hour, time.Hour)
		var mu sync.Mutex
		var causes []error
		for i := range p.Phases {
			do := p.Phases[i].Do
			p.Phases[i].Do = func(ctx context.Context) error {
				err := do(ctx)
				mu.Lock()
				defer mu.Unlock()
				causes = append(causes, context.Cause(ctx))
				return err
			}
		}
		hurry, cancel := context.WithCancel(t.Context())
		time.AfterFunc(3*time.Second, cancel)
		_, used, outcomes := seconds(p.Run(hurry))
		if !slices.Equal(used, []float64{3, 1}) || !slices.Equal(outcomes, []Outcome{CutShort, CutShort}) {
			t.Errorf("used %v, %v", used, outcomes)
		}
		if len(causes) != 2 || causes[0] != ErrHurried || causes[1] != ErrHurried {
			t.Errorf("%v", causes)
		}
	})
}

func TestHurriedBeforeItBegins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hurry, cancel := context.WithCancel(t.Context())
		cancel()
		steps := planOf(0, time.Hour).Run(hurry)
		if _, used, _ := seconds(steps); used[0] != 0 || used[1] != 1 {
			t.Errorf("%+v", steps)
		}
	})
}

func TestFailureStopsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := planOf(0, time.Second)
		p.Phases[0].Do = func(context.Context) error { return errors.New("broken") }
		var events []string
		p.Began = func(phase string, left time.Duration) { events = append(events, phase+" "+left.String()) }
		p.Ended = func(s Step) { events = append(events, s.Phase+" "+string(s.Outcome)) }
		steps := p.Run(t.Context())
		if steps[0].Outcome != Failed || steps[0].Error != "broken" || steps[1].Outcome != Done {
			t.Errorf("%+v", steps)
		}
		if got := strings.Join(events, ", "); got != "app 50s, app failed, mail 1m20s, mail done" {
			t.Error(got)
		}
	})
}

func TestErrorWhileCutShortIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := planOf(0, 0)
		p.Phases[1].Do = func(ctx context.Context) error { <-ctx.Done(); return errors.New("the disk is full") }
		if s := p.Run(t.Context())[1]; s.Outcome != CutShort || s.Error != "its budget ran out; the disk is full" {
			t.Errorf("%+v", s)
		}
	})
}
