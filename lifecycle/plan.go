package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"yadokari/setting"
)

// Policy says what follows when a phase does not end within its budget. In either case its context
// ends, and it is up to Do to cut short what it is at: to kill a process, say.
type Policy int

const (
	// Settle waits for the phase to leave things safe, out of the plan's reserve, which the phases that
	// follow one another share evenly; what one does not use passes on. The last of the reserve, a
	// quarter but no more than half a second, is for what comes after the plan. What has not settled in
	// its part is abandoned.
	Settle Policy = iota
	// Abandon goes on without it at once. It may end later, while other phases run.
	Abandon
)

// Phase is one step of a stop.
type Phase struct {
	// Name tells the phase from others, in After and in reports.
	Name string
	// After are the names of the phases that must be over, well or not, before this one begins.
	After []string
	// Time is a fixed part of the budget, at least 0.
	Time time.Duration
	// Share is the part of the budget that grows with the grace period, 0 to 1.
	Share setting.Share
	// Do does it, and returns soon after its context has ended: nil if all was done, else what was not.
	// Its error is reported; the phases after it take place all the same. The context's deadline is
	// the end of the budget, and its cause ErrBudget or ErrHurried.
	Do func(ctx context.Context) error
	// OnTimeout says what follows when the budget runs out.
	OnTimeout Policy
}

// PodMargin is how much longer than Grace a pod's grace period must be. At the end of it the kubelet
// sends SIGTERM again to what still runs, and SIGKILL no more than two seconds later.
const PodMargin = 2 * time.Second

// afterwards is what a receipt takes at most, on a slow disk.
const afterwards = 500 * time.Millisecond

// Plan is a whole stop. Its budgets are promises of at least so much time: a phase that begins early,
// because those before it did not use theirs, or because the plan has time to spare, may use all that
// the phases after it do not need. This is the latest finish of the critical path method (Kelley and
// Walker, "Critical-path planning and scheduling", 1959).
type Plan struct {
	// Grace is the time for everything.
	Grace time.Duration
	// Reserve is the share of Grace that no phase may count on, 0 to 1: in it, what did not end in
	// time leaves things safe, and the receipt is written.
	Reserve setting.Share
	// Pod is the pod's terminationGracePeriodSeconds; 0: not in a pod, or unknown.
	Pod time.Duration
	// Phases in any order.
	Phases []Phase

	// Began and Ended are told as it happens, from several goroutines; nil: nobody.
	Began func(phase string, left time.Duration)
	Ended func(Step)
}

// Outcome is how a phase ended.
type Outcome string

// The ways in which a phase ends.
const (
	Done      Outcome = "done"
	Failed    Outcome = "failed"    // within its budget, with an error
	CutShort  Outcome = "cut short" // its budget ran out, or the stop was hurried; then it settled
	Abandoned Outcome = "abandoned" // its budget ran out, and it was not waited for any longer
)

// Step is what became of one phase.
type Step struct {
	Phase   string  `json:"phase"`
	Planned float64 `json:"plannedSeconds"` // its budget
	Began   float64 `json:"beganSeconds"`   // since the start of the stop
	Had     float64 `json:"hadSeconds"`     // its budget with what passed on to it
	Used    float64 `json:"usedSeconds"`
	Outcome Outcome `json:"outcome"`
	Error   string  `json:"error,omitempty"`
}

// PlanError is a plan that cannot be kept.
type PlanError struct{ What string }

// Error says why, with the arithmetic.
func (e *PlanError) Error() string { return e.What }

// Check tells whether the plan can be kept: names, circles, and whether the budgets along the longest
// path and the reserve fit into Grace, and Grace into the pod's grace period. Its error is a *PlanError.
func (p *Plan) Check() error {
	_, err := p.schedule()
	return err
}

// schedule is when each phase, by its place in Phases, must be over.
type schedule struct {
	order  []int           // each after those it waits for
	budget []time.Duration // of its own
	latest []time.Duration // since the start: when it must be over so that the others have theirs
	depth  []int           // how many phases come before it, one after another
	settle time.Duration   // how long each may take to settle
}

func (p *Plan) schedule() (*schedule, error) {
	order, err := p.sort()
	if err != nil {
		return nil, err
	}
	s := &schedule{order: order, budget: make([]time.Duration, len(order)), latest: make([]time.Duration, len(order))}
	for i := range p.Phases {
		s.budget[i] = p.budget(&p.Phases[i])
	}
	if err := p.fits(s); err != nil {
		return nil, err
	}
	at := p.places()
	for i := range s.latest {
		s.latest[i] = p.Grace - p.reserve()
	}
	s.depth = make([]int, len(order))
	most := 0
	for _, i := range order {
		for _, name := range p.Phases[i].After {
			s.depth[i] = max(s.depth[i], s.depth[at[name]]+1)
		}
		most = max(most, s.depth[i])
	}
	s.settle = (p.reserve() - min(p.reserve()/4, afterwards)) / time.Duration(most+1)
	for k := len(order) - 1; k >= 0; k-- {
		i := order[k]
		for _, name := range p.Phases[i].After {
			before := at[name]
			s.latest[before] = min(s.latest[before], s.latest[i]-s.budget[i])
		}
	}
	return s, nil
}

func (p *Plan) budget(f *Phase) time.Duration { return f.Time + portion(p.Grace, f.Share) }

func (p *Plan) reserve() time.Duration { return portion(p.Grace, p.Reserve) }

// portion is in whole milliseconds, so that sums read well.
func portion(d time.Duration, share setting.Share) time.Duration {
	return time.Duration(float64(d) * float64(share)).Round(time.Millisecond)
}

// fits compares the longest path and the reserve with the grace period.
func (p *Plan) fits(s *schedule) error {
	path, sum := p.longest(s)
	sum += p.reserve()
	terms := make([]string, 0, len(path)+1)
	for _, i := range path {
		terms = append(terms, p.term(i, s.budget[i]))
	}
	if p.reserve() > 0 {
		terms = append(terms, fmt.Sprintf("reserve %s (%s)", span(p.reserve()), p.Reserve))
	}
	switch {
	case p.Grace <= 0:
		return &PlanError{"the grace period must be more than 0s"}
	case sum > p.Grace:
		return &PlanError{fmt.Sprintf("the stop does not fit: %s = %s, but the grace period is %s",
			strings.Join(terms, " + "), span(sum), span(p.Grace))}
	case p.Pod > 0 && p.Grace+PodMargin > p.Pod:
		return &PlanError{fmt.Sprintf("the stop does not fit into the pod: grace %s + %s before the kubelet kills = %s, but terminationGracePeriodSeconds is %d: make it %d, or the grace period %s",
			span(p.Grace), span(PodMargin), span(p.Grace+PodMargin), int(p.Pod.Seconds()), int((p.Grace + PodMargin + time.Second - 1).Seconds()), span(max(p.Pod-PodMargin, 0)))}
	}
	return nil
}

func (p *Plan) term(i int, budget time.Duration) string {
	text := p.Phases[i].Name + " " + span(budget)
	if share := p.Phases[i].Share; share > 0 {
		text += " (" + share.String() + ")"
	}
	return text
}

// longest is the path through the phases whose budgets are most together.
func (p *Plan) longest(s *schedule) (path []int, sum time.Duration) {
	at := p.places()
	until := make([]time.Duration, len(p.Phases))
	from := make([]int, len(p.Phases))
	last := -1
	for _, i := range s.order {
		from[i] = -1
		for _, name := range p.Phases[i].After {
			if before := at[name]; from[i] < 0 || until[before] > until[from[i]] {
				from[i] = before
			}
		}
		until[i] = s.budget[i]
		if from[i] >= 0 {
			until[i] += until[from[i]]
		}
		if last < 0 || until[i] > until[last] {
			last = i
		}
	}
	for i := last; i >= 0; i = from[i] {
		path = append([]int{i}, path...)
	}
	if last >= 0 {
		sum = until[last]
	}
	return path, sum
}

// span writes a duration as people do: 5s, not 5.000s; 1m30s stays.
func span(d time.Duration) string { return d.Round(time.Millisecond).String() }

func (p *Plan) checkPhases() error {
	seen := map[string]bool{}
	for i := range p.Phases {
		f := &p.Phases[i]
		switch {
		case f.Name == "":
			return &PlanError{fmt.Sprintf("phase %d has no name", i+1)}
		case seen[f.Name]:
			return &PlanError{fmt.Sprintf("two phases are called %q", f.Name)}
		case f.Do == nil:
			return &PlanError{fmt.Sprintf("phase %q does nothing", f.Name)}
		case f.Time < 0 || !(f.Share >= 0 && f.Share <= 1):
			return &PlanError{fmt.Sprintf("phase %q has a budget of %s and %s", f.Name, f.Time, f.Share)}
		}
		seen[f.Name] = true
	}
	if !(p.Reserve >= 0 && p.Reserve < 1) {
		return &PlanError{fmt.Sprintf("a reserve of %s leaves no time", p.Reserve)}
	}
	return nil
}

// ErrBudget is the cause of a phase's context that ended because its budget ran out.
var ErrBudget = errors.New("its budget ran out")

// ErrHurried is the cause of a phase's context that ended because the stop was hurried.
var ErrHurried = errors.New("the stop was hurried")
