package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"yadokari/admin"
	"yadokari/gateway"
	"yadokari/shift"
)

// Backend is one backend and the state of its servers.
type Backend struct {
	Name    string                 `json:"name"`
	Servers []gateway.ServerStatus `json:"servers"`
	// Names are the servers as configured, with the addresses they lead to.
	Names []gateway.NameStatus `json:"names"`
}

func (a *API) backends(*http.Request) (any, error) {
	list, names := []Backend{}, a.Plane.Names()
	for name, servers := range a.Plane.Servers() {
		list = append(list, Backend{Name: name, Servers: servers, Names: names[name]})
	}
	slices.SortFunc(list, func(a, b Backend) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}

func (a *API) drain(change func(backend, server string) error, action shift.Action) func(*http.Request) (any, error) {
	return func(r *http.Request) (any, error) {
		backend, id := r.PathValue("backend"), r.PathValue("server")
		if err := change(backend, id); err != nil {
			return answer(nil, err)
		}
		a.Controller.Note(action, actor(r), backend, id)
		return a.server(backend, id)
	}
}

// server is the state of one server.
func (a *API) server(backend, id string) (any, error) {
	for _, s := range a.Plane.Servers()[backend] {
		if s.ID == id {
			return s, nil
		}
	}
	return nil, &admin.Error{Status: http.StatusNotFound, Code: "unknown-server", Message: "backend " + backend + " has no server " + id}
}

// waitMost is how long one call waits; a client that waits longer asks again.
const waitMost = 20 * time.Second

// wait answers when the server has no request under way, or after timeout (20 s at most) with its
// state as it is.
func (a *API) wait(r *http.Request) (any, error) {
	most := waitMost
	if text := r.URL.Query().Get("timeout"); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil || d < 0 {
			return nil, badQuery("timeout", text, "a duration like 10s")
		}
		most = min(d, waitMost)
	}
	ctx, cancel := context.WithTimeout(r.Context(), most)
	defer cancel()
	backend, id := r.PathValue("backend"), r.PathValue("server")
	if err := a.Plane.WaitIdle(ctx, backend, id); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return answer(nil, err)
	}
	return a.server(backend, id)
}
