package agent

import (
	"errors"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"yadokari/admin"
	"yadokari/lifecycle"
)

// Status is how an agent fares, at GET /api/v1/agent.
type Status struct {
	Form     string              `json:"form"` // command or sidecar
	Version  string              `json:"version"`
	Started  time.Time           `json:"started"`
	PID      int                 `json:"pid,omitempty"` // the app's
	Running  bool                `json:"running"`       // the app, as far as it is ours
	Stopping bool                `json:"stopping"`
	Phase    string              `json:"phase,omitempty"` // of the stop
	Parts    []lifecycle.Account `json:"parts"`
}

func (p *process) status() Status {
	s := Status{
		Form: string(p.form), Version: p.options.Version, Started: p.started, Running: p.appRuns(),
		Stopping: p.stopping.Load(), Parts: []lifecycle.Account{},
	}
	if child := p.child.Load(); child != nil {
		s.PID = child.PID()
	}
	if phase := p.phase.Load(); phase != nil {
		s.Phase = *phase
	}
	for _, part := range p.parts {
		s.Parts = append(s.Parts, part.Accounts()...)
	}
	return s
}

func (p *process) appRuns() bool {
	if p.child.Load() == nil {
		return false
	}
	select {
	case <-p.gone:
		return false
	default:
		return true
	}
}

// ready is why the agent, and with it the app, is to get no traffic.
func (p *process) ready() error {
	var reasons []error
	if p.stopping.Load() {
		reasons = append(reasons, errors.New("stopping"))
	}
	if p.form == withCommand && !p.appRuns() {
		reasons = append(reasons, errors.New("the app does not run"))
	}
	for _, part := range p.parts {
		reasons = append(reasons, part.Ready())
	}
	return errors.Join(reasons...)
}

// alive goes through every part: one that is stuck holds it up, and with it the watchdog's sign of life.
func (p *process) alive() error {
	for _, part := range p.parts {
		part.Activity()
	}
	return nil
}

// register adds everything to the admin port and the metrics.
func (p *process) register() {
	p.admin.Handle("GET /api/v1/agent", admin.Viewer, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		admin.WriteJSON(w, http.StatusOK, p.status())
	}))
	for _, part := range p.parts {
		part.Register(p.admin)
	}
	gauge := func(name, help string, is func() bool) {
		p.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 {
			if is() {
				return 1
			}
			return 0
		}))
	}
	gauge("yadokari_agent_stopping", "1 while the agent stops.", p.stopping.Load)
	gauge("yadokari_agent_app_running", "1 while the app runs that the agent has started.", p.appRuns)
}
