package replay

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"yadokari/judge"
)

// Report is what came of many splits of one log.
type Report struct {
	Times     int            `json:"times"`
	Condemned int            `json:"condemned"`
	Signals   map[string]int `json:"signals"`
	// Example is the reason of one verdict that condemned.
	Example string `json:"example,omitempty"`
}

// Split has the log judged that many times, each time with other users on the new side, on every processor,
// until the context ends. progress, if there is one, hears how many are done.
func (l *Log) Split(ctx context.Context, c judge.Criteria, times int, seed uint64, progress func(int)) (*Report, error) {
	l.sort()
	verdicts := make([]judge.Verdict, times)
	var next, done atomic.Int64
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), max(times, 1)) {
		workers.Go(func() {
			for i := next.Add(1) - 1; i < int64(times) && ctx.Err() == nil; i = next.Add(1) - 1 {
				verdicts[i] = l.judge(c, mix(seed+uint64(i)))
				if n := done.Add(1); progress != nil {
					progress(int(n))
				}
			}
		})
	}
	workers.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r := &Report{Times: times, Signals: map[string]int{}}
	for i := range verdicts {
		if v := &verdicts[i]; v.Outcome == judge.Fail {
			if r.Condemned == 0 {
				r.Example = v.Reason
			}
			r.Condemned++
			r.Signals[v.Evidence.Decided]++
		}
	}
	return r, nil
}

// tick is the length of a window, in milliseconds: logs tell the second.
const tick = 1000

// judge is the verdict of one split.
func (l *Log) judge(c judge.Criteria, seed uint64) judge.Verdict {
	trial := judge.NewTrial(c)
	var w judge.Window
	var until int64
	if len(l.entries) > 0 {
		until = l.entries[0].at - l.entries[0].at%tick + tick
	}
	for i := range l.entries {
		if at := l.entries[i].at; at >= until {
			next := at - at%tick + tick
			w.Span = time.Duration(next-until) * time.Millisecond
			trial.Add(&w)
			w.Reset()
			until = next
		}
		l.entries[i].into(&w, seed, float64(c.Share))
	}
	w.Span = tick * time.Millisecond
	trial.Add(&w)
	return trial.Verdict()
}

// into adds an entry to a window, on the side on which the seed places its user.
func (e *entry) into(w *judge.Window, seed uint64, share float64) {
	point := mix(seed + uint64(e.user)*0x9e3779b97f4a7c15)
	event := judge.Event{
		User:    point,
		Began:   e.at * int64(time.Millisecond),
		New:     float64(point>>11)/(1<<53) < share,
		Changes: e.changes,
		Answer:  judge.Answer{Failed: e.failed, Class: judge.Class(e.class), First: -1, Last: e.last, Size: e.size},
	}
	tally := &w.Old
	if event.New {
		tally = &w.New
	}
	tally.Count(&event.Answer)
	w.Events = append(w.Events, event)
}

// mix is the finaliser of splitmix64 (Steele, Lea, Flood, OOPSLA 2014).
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
