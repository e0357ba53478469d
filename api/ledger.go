package api

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"yadokari/admin"
	"yadokari/shift"
)

func (a *API) ledger(r *http.Request) (any, error) {
	filter, err := parseFilter(r)
	if err != nil {
		return nil, err
	}
	entries, err := a.Controller.History(filter)
	if entries == nil {
		entries = []shift.Entry{}
	}
	return answer(entries, err)
}

func parseFilter(r *http.Request) (shift.Filter, error) {
	q := r.URL.Query()
	filter := shift.Filter{Route: q.Get("route"), Actor: q.Get("actor"), Action: shift.Action(q.Get("action"))}
	var err error
	if text := q.Get("before"); text != "" {
		if filter.Before, err = strconv.ParseUint(text, 10, 64); err != nil {
			return filter, badQuery("before", text, "a seq of the ledger")
		}
	}
	if text := q.Get("limit"); text != "" {
		if filter.Limit, err = strconv.Atoi(text); err != nil || filter.Limit < 1 {
			return filter, badQuery("limit", text, "a number from 1 to 10000")
		}
	}
	return filter, nil
}

const (
	exportBlock = 1000
	exportTime  = 30 * time.Second // for one block to leave
)

// export writes all entries that the filter chooses as JSON lines, newest first. An error after the
// first of them cuts the answer off, so that it is not taken for a whole one.
func (a *API) export(w http.ResponseWriter, r *http.Request) {
	filter, err := parseFilter(r)
	if err != nil {
		admin.WriteError(w, err)
		return
	}
	most := filter.Limit
	control := http.NewResponseController(w)
	for begun, sent := false, 0; ; begun = true {
		filter.Limit = exportBlock
		if most > 0 {
			filter.Limit = min(exportBlock, most-sent)
		}
		entries, err := a.Controller.History(filter)
		if err != nil && !begun {
			_, err = answer(nil, err)
			admin.WriteError(w, err)
			return
		}
		if err != nil || control.SetWriteDeadline(time.Now().Add(exportTime)) != nil {
			panic(http.ErrAbortHandler)
		}
		if !begun {
			w.Header().Set("Content-Type", "application/jsonl")
			w.Header().Set("Content-Disposition", `attachment; filename="yadokari-ledger.jsonl"`)
		}
		lines := json.NewEncoder(w)
		for _, e := range entries {
			if lines.Encode(e) != nil {
				return // the client is gone
			}
			filter.Before = e.Seq
		}
		if sent += len(entries); len(entries) < filter.Limit || sent == most {
			return
		}
	}
}
