package api

import (
	"net/http"
	"strconv"

	"yadokari/admin"
	"yadokari/shift"
)

// events streams changes: first "routes" with every status, then "route" with one status at each
// change. A client that was too slow gets "routes" again, so that what it shows is whole.
func (a *API) events(w http.ResponseWriter, r *http.Request) {
	changes := a.Controller.Subscribe()
	defer changes.Close()
	stream, err := admin.Stream(w, r)
	if err != nil {
		admin.WriteError(w, err)
		return
	}
	defer stream.Close()
	number := 0
	send := func(event string, v any) bool {
		number++
		return stream.Send(strconv.Itoa(number), event, v) == nil
	}
	if !send("routes", a.Controller.Statuses()) {
		return
	}
	for {
		select {
		case <-stream.Done():
			return
		case e, open := <-changes.Events():
			if !open || !a.pass(e, send) {
				return
			}
		}
	}
}

func (a *API) pass(e shift.Event, send func(string, any) bool) bool {
	if e.Lagged {
		return send("routes", a.Controller.Statuses())
	}
	return send("route", e.Status)
}
