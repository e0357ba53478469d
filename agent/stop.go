package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"yadokari/lifecycle"
)

// PodMargin is how much longer than Shutdown.Grace a pod's grace period must be.
const PodMargin = lifecycle.PodMargin

const (
	deregisterPhase = "deregister"
	appPhase        = "app"
)

// plan is the stop: with a command, keep serving while the address is taken out; then the app; then the
// phases of the parts, one part after the other.
func (c *Config) plan(f form, do func(context.Context) error, parts []lifecycle.Phase) lifecycle.Plan {
	s := &c.Shutdown
	app := lifecycle.Phase{Name: appPhase, Share: s.App, Do: do}
	plan := lifecycle.Plan{Grace: s.Grace, Reserve: s.Reserve}
	if f == withCommand {
		app.After = []string{deregisterPhase}
		plan.Phases = append(plan.Phases, lifecycle.Phase{Name: deregisterPhase, Time: s.Deregister, Do: do})
	}
	plan.Phases = append(append(plan.Phases, app), parts...)
	return plan
}

// partPhases are the phases of all parts, each part after the one before it.
func (p *process) partPhases() []lifecycle.Phase {
	var all []lifecycle.Phase
	before := []string{appPhase}
	for _, part := range p.parts {
		var own []string
		for _, phase := range part.Phases() {
			if len(phase.After) == 0 {
				phase.After = before
			}
			own = append(own, phase.Name)
			all = append(all, phase)
		}
		if len(own) > 0 {
			before = own
		}
	}
	return all
}

// stop does the plan and gathers the receipt.
func (p *process) stop(reason, fault string, hurry context.Context) *lifecycle.Receipt {
	start := time.Now()
	p.stopping.Store(true)
	p.log.Info("stopping", "reason", reason, "grace", p.config.Shutdown.Grace.String())
	extend, extended := context.WithCancel(context.Background())
	defer extended()
	go p.notifier.Stopping(extend, p.config.Shutdown.Grace)

	plan := p.config.plan(p.form, p.stopApp, p.partPhases())
	if p.form == withCommand {
		plan.Phases[0].Do = p.deregister
	}
	plan.Began = func(phase string, left time.Duration) {
		p.phase.Store(&phase)
		p.log.Info("phase began", "phase", phase, "seconds", left.Seconds())
	}
	plan.Ended = func(s lifecycle.Step) {
		p.log.Info("phase ended", "phase", s.Phase, "outcome", string(s.Outcome), "seconds", s.Used, "error", s.Error)
	}
	receipt := &lifecycle.Receipt{
		Version: p.options.Version, Started: p.started, Reason: reason, Phases: plan.Run(hurry), App: p.appEnd(),
	}
	if receipt.Phases == nil { // a part has phases other than its settings promise
		receipt.Faults = append(receipt.Faults, fmt.Sprintf("the stop was not done: %v", plan.Check()))
	}
	if fault != "" {
		receipt.Faults = append(receipt.Faults, fault)
	}
	host, err := os.Hostname()
	if err == nil {
		receipt.Host = host
	}
	receipt.Seconds = time.Since(start).Seconds()
	return receipt
}

// deregister keeps the app serving while balancers take its address out; without an app there is nothing
// to serve.
func (p *process) deregister(ctx context.Context) error {
	if p.child.Load() == nil {
		return nil
	}
	select {
	case <-time.After(p.config.Shutdown.Deregister):
		return nil
	case <-p.gone:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// stopApp ends the app that we have started, or waits for proof that the other's has finished.
func (p *process) stopApp(ctx context.Context) error {
	if p.form == withCommand {
		if child := p.child.Load(); child != nil {
			return child.Stop(ctx)
		}
		return nil
	}
	s := &p.config.Shutdown
	proof := lifecycle.Proof{Marker: s.Marker, Since: p.started, Ports: s.Ports, Files: s.Files, Quiet: s.Quiet}
	for _, part := range p.parts {
		proof.Activity = append(proof.Activity, part.Activity)
	}
	evidence, err := proof.Wait(ctx)
	p.evidence.Store(&evidence)
	return err
}

// appEnd says how the app ended.
func (p *process) appEnd() *lifecycle.AppEnd {
	end := &lifecycle.AppEnd{Words: "was not started"}
	switch child := p.child.Load(); {
	case p.startErr != nil:
		end.Words = p.startErr.Error()
		code := 126
		if e := (*lifecycle.StartError)(nil); errors.As(p.startErr, &e) {
			code = e.Code
		}
		end.Exit = &lifecycle.Exit{Code: code}
	case child != nil:
		select {
		case <-child.Done():
			exit := child.Exit()
			end.Exit, end.Words = &exit, exit.String()
		default:
			end.Words = "runs on" // not even SIGKILL ended it
		}
	case p.form == sidecar:
		end.Words = "is not proven finished"
		if end.Evidence = p.evidence.Load(); end.Evidence == nil {
			break
		}
		if end.Evidence.Finished {
			end.Words = "has finished, by " + end.Evidence.By
		} else {
			end.Words += ", " + end.Evidence.By
		}
	}
	return end
}

// finish writes the receipt and, last of all, the agent's own marker.
func (p *process) finish(r *lifecycle.Receipt) *lifecycle.Receipt {
	s := &p.config.Shutdown
	for _, part := range p.parts {
		r.Parts = append(r.Parts, part.Accounts()...)
	}
	p.lookAgain(r.App)
	r.Seal(time.Now())
	if err := r.Deliver(p.options.Output, s.Receipt, s.Termination); err != nil {
		p.log.Error("receipt", "error", err.Error())
	}
	if s.Done != "" {
		if err := lifecycle.LeaveMark(s.Done, r.Exit); err != nil {
			p.log.Error("marker", "error", err.Error())
		}
	}
	return r
}

// lookAgain notes the marker that the app has left, which may have come too late to be waited for.
func (p *process) lookAgain(app *lifecycle.AppEnd) {
	if p.config.Shutdown.Marker == "" {
		return
	}
	mark, err := lifecycle.FindMark(p.config.Shutdown.Marker)
	if err != nil || mark == nil {
		return // the receipt shows that there is none
	}
	app.Mark = mark
	app.LateMark = app.Evidence != nil && !mark.Same(app.Evidence.Mark)
}
