package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Run does the plan and returns what became of each phase, in an order in which each stands after those
// it waited for. The end of ctx hurries it: the contexts of all phases end at once, and those that
// have not begun take place with a context that has ended, so that each leaves things safe. Run returns
// shortly before the end of the grace period at the latest, see Settle. A plan that Check refuses is not run at all: Run
// returns no steps.
func (p *Plan) Run(ctx context.Context) []Step {
	s, err := p.schedule()
	if err != nil {
		return nil
	}
	r := &running{plan: p, schedule: s, start: time.Now(), over: make([]chan struct{}, len(p.Phases)), steps: make([]Step, len(p.Phases))}
	var cancel context.CancelFunc
	r.ctx, cancel = context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	r.hurry = ctx.Done()
	for i := range r.over {
		r.over[i] = make(chan struct{})
	}
	var phases sync.WaitGroup
	for i := range p.Phases {
		phases.Go(func() { r.phase(i) })
	}
	phases.Wait()
	steps := make([]Step, 0, len(s.order))
	for _, i := range s.order {
		steps = append(steps, r.steps[i])
	}
	return steps
}

// running is a plan that is being done.
type running struct {
	plan     *Plan
	schedule *schedule
	start    time.Time
	ctx      context.Context
	hurry    <-chan struct{}
	over     []chan struct{} // by place in Phases: closed when the phases after it may begin
	steps    []Step          // each written by its own goroutine
}

// deadline is when phase i, which begins now, must be over. Those before it may have taken time to
// settle: it has its budget even so, at the cost of the reserve.
func (r *running) deadline(i int, began time.Time) time.Time {
	deadline := r.start.Add(r.schedule.latest[i])
	if least := began.Add(r.schedule.budget[i]); least.After(deadline) {
		return least
	}
	return deadline
}

// end is when phase i is abandoned if it has not settled.
func (r *running) end(i int) time.Time {
	return r.start.Add(r.schedule.latest[i] + time.Duration(r.schedule.depth[i]+1)*r.schedule.settle)
}

// phase waits for those before it, does phase i, and reports.
func (r *running) phase(i int) {
	defer close(r.over[i])
	p, f := r.plan, &r.plan.Phases[i]
	at := p.places()
	for _, name := range f.After {
		<-r.over[at[name]]
	}
	began := time.Now()
	deadline := r.deadline(i, began)
	if p.Began != nil {
		p.Began(f.Name, max(deadline.Sub(began), 0))
	}
	outcome, err := r.do(f, deadline, r.end(i))
	step := Step{
		Phase: f.Name, Planned: r.schedule.budget[i].Seconds(), Began: began.Sub(r.start).Seconds(),
		Had: max(deadline.Sub(began), 0).Seconds(), Used: time.Since(began).Seconds(), Outcome: outcome,
	}
	if err != nil {
		step.Error = err.Error()
	}
	r.steps[i] = step
	if p.Ended != nil {
		p.Ended(step)
	}
}

func (r *running) do(f *Phase, deadline, end time.Time) (Outcome, error) {
	hurried, hurry := context.WithCancelCause(r.ctx)
	defer hurry(nil)
	ctx, cancel := context.WithDeadlineCause(hurried, deadline, ErrBudget)
	defer cancel()
	select {
	case <-r.hurry: // before it begins, so that it never believes it has time
		hurry(ErrHurried)
	default:
	}
	returned := make(chan error, 1)
	go func() { returned <- f.Do(ctx) }()
	select {
	case err := <-returned:
		return verdict(ctx, err)
	case <-r.hurry:
		hurry(ErrHurried)
	case <-ctx.Done():
	}
	if f.OnTimeout == Abandon {
		return abandon(ctx, returned)
	}
	patience := time.NewTimer(time.Until(end))
	defer patience.Stop()
	select {
	case err := <-returned:
		return verdict(ctx, err)
	case <-patience.C:
		return abandon(ctx, returned)
	}
}

// verdict is the outcome of a phase that has returned. Without an error it is done, even if its context
// has ended meanwhile.
func verdict(ctx context.Context, err error) (Outcome, error) {
	cause := context.Cause(ctx)
	switch {
	case err == nil:
		return Done, nil
	case cause == nil:
		return Failed, err
	case errors.Is(err, cause), errors.Is(err, ctx.Err()):
		return CutShort, err
	}
	return CutShort, fmt.Errorf("%w; %w", cause, err)
}

// abandon is the outcome of a phase that is not waited for; one that has just returned is not.
func abandon(ctx context.Context, returned chan error) (Outcome, error) {
	select {
	case err := <-returned:
		return verdict(ctx, err)
	default:
		return Abandoned, context.Cause(ctx)
	}
}
