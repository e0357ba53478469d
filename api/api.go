// Package api is the admin API of a gateway under /api/v1/: everything that the command line and the
// page show and do. docs/admin-api.md is its reference.
package api

import (
	"context"
	"iter"
	"net/http"
	"time"

	"yadokari/admin"
	"yadokari/gateway"
	"yadokari/setting"
	"yadokari/shift"
)

// Controller is what the API needs of the control loop. *shift.Controller is one.
type Controller interface {
	Statuses() iter.Seq[shift.Status]
	Status(route string) (shift.Status, error)
	Start(ctx context.Context, route string, by shift.Actor, why string) (shift.Status, error)
	Pause(ctx context.Context, route string, by shift.Actor, why string) (shift.Status, error)
	Resume(ctx context.Context, route string, by shift.Actor, why string) (shift.Status, error)
	Promote(ctx context.Context, route string, by shift.Actor, why string) (shift.Status, error)
	Rollback(ctx context.Context, route string, by shift.Actor, why string) (shift.Status, error)
	RollbackAll(ctx context.Context, by shift.Actor, why string) ([]shift.Status, error)
	Set(ctx context.Context, route string, share setting.Share, by shift.Actor, why string) (shift.Status, error)
	Note(action shift.Action, by shift.Actor, backend, server string)
	History(shift.Filter) ([]shift.Entry, error)
	Subscribe() *shift.Subscription
	SubscribeBrief() *shift.Subscription
	Health() error
}

// Plane is what the API needs of the data plane. *gateway.Gateway is one.
type Plane interface {
	Servers() map[string][]gateway.ServerStatus
	Names() map[string][]gateway.NameStatus
	Drain(backend, server string) error
	Undrain(backend, server string) error
	WaitIdle(ctx context.Context, backend, server string) error
	Differences(route string) (gateway.Differences, error)
	Keys() gateway.KeyStatus
}

// About says what runs here.
type About struct {
	App     string    `json:"app"`
	Cluster string    `json:"cluster"`
	Version string    `json:"version"`
	Started time.Time `json:"started"`
	// Routes are the patterns of every route, by name.
	Routes map[string][]string `json:"routes"`
	// Clusters are all service clusters of the file, in its order.
	Clusters []Cluster `json:"clusters"`
}

// Cluster is a service cluster, and where its gateway's page is.
type Cluster struct {
	Name string `json:"name"`
	Page string `json:"page,omitempty"` // "" when the file does not say
}

// API answers the calls. Make it with its fields set; all are needed.
type API struct {
	Controller Controller
	Plane      Plane
	History    History
	// About is asked at each call, because a reload changes the answer.
	About func() About
}

// Register adds every call to the admin port.
func (a *API) Register(s *admin.Server) {
	view := func(pattern string, f func(r *http.Request) (any, error)) {
		s.Handle(pattern, admin.Viewer, admin.JSON(f))
	}
	change := func(pattern string, f func(r *http.Request) (any, error)) {
		s.Handle(pattern, admin.Operator, admin.JSON(f))
	}
	view("GET /api/v1/gateway", a.about)
	view("GET /api/v1/routes", func(*http.Request) (any, error) { return admin.ListOf(a.Controller.Statuses()), nil })
	view("GET /api/v1/routes/{route}", a.status)
	view("GET /api/v1/routes/{route}/differences", a.differences)
	view("GET /api/v1/routes/{route}/series", a.series)
	view("GET /api/v1/routes/{route}/latencies", a.latencies)
	view("GET /api/v1/series", a.recent)
	view("GET /api/v1/ledger", a.ledger)
	s.Handle("GET /api/v1/ledger.jsonl", admin.Viewer, http.HandlerFunc(a.export))
	view("GET /api/v1/backends", a.backends)
	view("GET /api/v1/backends/{backend}/servers/{server}/wait", a.wait)
	s.Handle("GET /api/v1/events", admin.Viewer, http.HandlerFunc(a.events))
	for name, act := range map[string]func(context.Context, string, shift.Actor, string) (shift.Status, error){
		"start": a.Controller.Start, "pause": a.Controller.Pause, "resume": a.Controller.Resume,
		"promote": a.Controller.Promote, "rollback": a.Controller.Rollback,
	} {
		change("POST /api/v1/routes/{route}/"+name, action(act))
	}
	change("PUT /api/v1/routes/{route}/share", a.setShare)
	change("POST /api/v1/rollback", a.rollbackAll)
	change("POST /api/v1/backends/{backend}/servers/{server}/drain", a.drain(a.Plane.Drain, shift.ActDrain))
	change("POST /api/v1/backends/{backend}/servers/{server}/undrain", a.drain(a.Plane.Undrain, shift.ActUndrain))
}

// about says what runs here, how it is, and what the caller may do.
func (a *API) about(r *http.Request) (any, error) {
	caller := admin.Caller(r.Context())
	answer := struct {
		About
		Caller  string `json:"caller"`
		Role    string `json:"role"`
		Problem string `json:"problem,omitempty"`
		// Keys is how well the key holds by which users are known.
		Keys gateway.KeyStatus `json:"keys"`
	}{About: a.About(), Caller: caller.Name, Role: caller.Role.String(), Keys: a.Plane.Keys()}
	if err := a.Controller.Health(); err != nil {
		answer.Problem = err.Error()
	}
	return answer, nil
}

// Reason is the body of every call that moves users: why it is made, for the ledger. It may be left
// out.
type Reason struct {
	Why string `json:"why"`
}

// read reads a body that may be missing.
func read(r *http.Request, into any) error {
	if r.ContentLength == 0 {
		return nil
	}
	return admin.ReadJSON(r, into)
}

func actor(r *http.Request) shift.Actor { return shift.Actor{Name: admin.Caller(r.Context()).Name} }
