package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"yadokari/admin"
	"yadokari/gateway"
	"yadokari/setting"
	"yadokari/shift"
)

func (a *API) status(r *http.Request) (any, error) {
	status, err := a.Controller.Status(r.PathValue("route"))
	return answer(status, err)
}

func (a *API) differences(r *http.Request) (any, error) {
	found, err := a.Plane.Differences(r.PathValue("route"))
	return answer(found, err)
}

// action is a call that moves the users of one route.
func action(act func(context.Context, string, shift.Actor, string) (shift.Status, error)) func(*http.Request) (any, error) {
	return func(r *http.Request) (any, error) {
		var body Reason
		if err := read(r, &body); err != nil {
			return nil, err
		}
		status, err := act(r.Context(), r.PathValue("route"), actor(r), body.Why)
		return answer(status, err)
	}
}

// NewShare is the body of a call that sets a share by hand.
type NewShare struct {
	Share setting.Share `json:"share"`
	Why   string        `json:"why"`
}

func (a *API) setShare(r *http.Request) (any, error) {
	body := NewShare{Share: -1}
	if err := read(r, &body); err != nil {
		return nil, err
	}
	if body.Share < 0 {
		return nil, &admin.Error{Status: http.StatusBadRequest, Code: "no-share", Message: "the body names no share", Remedy: `send {"share": "25%"}`}
	}
	status, err := a.Controller.Set(r.Context(), r.PathValue("route"), body.Share, actor(r), body.Why)
	return answer(status, err)
}

func (a *API) rollbackAll(r *http.Request) (any, error) {
	var body Reason
	if err := read(r, &body); err != nil {
		return nil, err
	}
	moved, err := a.Controller.RollbackAll(r.Context(), actor(r), body.Why)
	if moved == nil {
		moved = []shift.Status{}
	}
	return answer(moved, err)
}

func badQuery(name, value, want string) error {
	return &admin.Error{
		Status: http.StatusBadRequest, Code: "bad-query",
		Message: fmt.Sprintf("%s=%q is not %s", name, value, want),
	}
}

// answer gives value, or err as the API tells it.
func answer(value any, err error) (any, error) {
	if err == nil {
		return value, nil
	}
	var unknown *shift.UnknownRouteError
	var state *shift.StateError
	var damaged *shift.DamagedError
	var missing *gateway.UnknownError
	switch {
	case errors.As(err, &unknown):
		return nil, &admin.Error{Status: http.StatusNotFound, Code: "unknown-route", Message: err.Error()}
	case errors.As(err, &missing):
		return nil, &admin.Error{Status: http.StatusNotFound, Code: "unknown", Message: err.Error()}
	case errors.As(err, &state):
		return nil, &admin.Error{Status: http.StatusConflict, Code: "wrong-state", Message: err.Error()}
	case errors.Is(err, shift.ErrBusy), errors.Is(err, shift.ErrConflict):
		return nil, &admin.Error{Status: http.StatusConflict, Code: "busy", Message: err.Error()}
	case errors.As(err, &damaged):
		return nil, &admin.Error{Status: http.StatusServiceUnavailable, Code: "damaged-state", Message: err.Error()}
	case errors.Is(err, shift.ErrNotOwner), errors.Is(err, shift.ErrStopped):
		return nil, &admin.Error{Status: http.StatusServiceUnavailable, Code: "not-in-charge", Message: err.Error(), Remedy: "ask the process that is"}
	}
	return nil, &admin.Error{Status: http.StatusInternalServerError, Code: "failed", Message: err.Error()}
}
