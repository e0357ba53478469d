package simulate

import (
	"cmp"
	"context"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Options say how often a scenario is run.
type Options struct {
	// Stages is how many stages there are.
	Stages int
	// Seed is what they follow from: the same seed, the same stages.
	Seed uint64
	// Alphas are the levels at which each is judged; none: the scenario's own.
	Alphas []float64
	// Progress, if there is one, hears from time to time how many stages are done. It must not take long.
	Progress func(done int)
}

// Report is what came of many stages of one scenario.
type Report struct {
	Scenario string  `json:"scenario"`
	Same     bool    `json:"sameProgram"`
	Stages   int     `json:"stages"`
	Seed     uint64  `json:"seed"`
	Requests Range   `json:"requestsOfStage"` // on the new side, of stages that were not condemned
	Levels   []Level `json:"levels"`
}

// Level is what was found at one alpha.
type Level struct {
	Alpha float64 `json:"alpha"`
	// Condemned is how many stages failed, and Allowed how many of them chance allows if it is the same
	// program.
	Condemned int `json:"condemned"`
	Allowed   int `json:"allowed"`
	// Signals are what condemned them, the most frequent first.
	Signals []Count `json:"signals"`
	// Users, Requests and Seconds are what the new side had served, and the time it took, until it was condemned.
	Users    Range `json:"usersUntilFail"`
	Requests Range `json:"requestsUntilFail"`
	Seconds  Range `json:"secondsUntilFail"`
}

// Count is a signal with how often it has condemned, and with one case.
type Count struct {
	Signal  string `json:"signal"`
	Stages  int    `json:"stages"`
	Example string `json:"example"`
	Seed    uint64 `json:"seed"` // of the stage of the example: with --seed and --runs 1 it is run again
}

// Range is the middle of many figures, and what 95 of 100 do not exceed. Where a side is worse, a stage in which that
// was not seen is beyond any figure, and 0 says that so many were.
type Range struct {
	Median float64 `json:"median"`
	P95    float64 `json:"p95"`
}

// Run runs many stages of a plan, on every processor, until the context ends.
func Run(ctx context.Context, name string, p *Plan, o Options) (*Report, error) {
	if len(o.Alphas) == 0 {
		o.Alphas = []float64{float64(p.Alpha)}
	}
	all := make([][]Stage, o.Stages)
	var next, done atomic.Int64
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), max(o.Stages, 1)) {
		workers.Go(func() {
			t := NewTraffic(p)
			for i := next.Add(1) - 1; i < int64(o.Stages) && ctx.Err() == nil; i = next.Add(1) - 1 {
				all[i] = t.Run(o.Seed+uint64(i), o.Alphas...)
				if n := done.Add(1); o.Progress != nil {
					o.Progress(int(n))
				}
			}
		})
	}
	workers.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return report(name, p, &o, all), nil
}

func report(name string, p *Plan, o *Options, all [][]Stage) *Report {
	r := &Report{Scenario: name, Same: p.Worse == nil, Stages: o.Stages, Seed: o.Seed}
	for i, alpha := range o.Alphas {
		stages := make([]Stage, len(all))
		for j := range all {
			stages[j] = all[j][i]
		}
		r.Levels = append(r.Levels, level(stages, r.Same, alpha, o.Seed))
		if i == 0 {
			r.Requests = rangeOf(stages, len(stages)-r.Levels[0].Condemned, false, func(s *Stage) float64 { return float64(s.Requests) })
		}
	}
	return r
}

func level(stages []Stage, same bool, alpha float64, seed uint64) Level {
	l := Level{Alpha: alpha, Allowed: Allowed(len(stages), alpha), Signals: []Count{}}
	for i := range stages {
		s := &stages[i]
		if s.Signal == "" {
			continue
		}
		l.Condemned++
		at := slices.IndexFunc(l.Signals, func(c Count) bool { return c.Signal == s.Signal })
		if at < 0 {
			at = len(l.Signals)
			l.Signals = append(l.Signals, Count{Signal: s.Signal, Example: s.Reason, Seed: seed + uint64(i)})
		}
		l.Signals[at].Stages++
	}
	slices.SortStableFunc(l.Signals, func(a, b Count) int { return cmp.Compare(b.Stages, a.Stages) })
	all := len(stages)
	if same {
		all = l.Condemned
	}
	l.Users = rangeOf(stages, all, true, func(s *Stage) float64 { return float64(s.Users) })
	l.Requests = rangeOf(stages, all, true, func(s *Stage) float64 { return float64(s.Requests) })
	l.Seconds = rangeOf(stages, all, true, func(s *Stage) float64 { return s.After.Round(time.Millisecond).Seconds() })
	return l
}

// rangeOf is the range of a figure of those stages that were condemned, or were not, out of so many.
func rangeOf(stages []Stage, of int, condemned bool, figure func(*Stage) float64) Range {
	var list []float64
	for i := range stages {
		if (stages[i].Signal != "") == condemned {
			list = append(list, figure(&stages[i]))
		}
	}
	slices.Sort(list)
	at := func(i int) float64 {
		if i >= len(list) {
			return 0
		}
		return list[i]
	}
	return Range{Median: at(of / 2), P95: at(of * 95 / 100)}
}
