package api

import (
	"net/http"
	"strconv"
	"time"

	"yadokari/history"
)

// History is what the API needs of the past. *history.Keeper is one.
type History interface {
	Series(route string, span time.Duration, from, now time.Time) history.Series
	Recent(from, now time.Time) map[string][]history.Point
	Latencies(route string) history.Latencies
}

// SideColumns are one side's figures, one for each point in time.
type SideColumns struct {
	Requests []uint32  `json:"requests"`
	Failures []uint32  `json:"failures"`
	P50      []float32 `json:"p50"`
	P95      []float32 `json:"p95"`
	P99      []float32 `json:"p99"`
}

// Columns are points in time: the figures of one are at the same place of every list. A time in which
// nothing ended has no point.
type Columns struct {
	Time []int64     `json:"time"` // when the step began, seconds since the epoch
	Old  SideColumns `json:"vm"`
	New  SideColumns `json:"containers"`
}

// SeriesAnswer is the history of one route.
type SeriesAnswer struct {
	Route string `json:"route"`
	Step  int64  `json:"step"`  // length of a step in seconds
	Until int64  `json:"until"` // the end of the last step that is over: since of the next call
	From  int64  `json:"from"`  // when the gateway began to keep such steps, seconds since the epoch
	Columns
	Share     []float32 `json:"share"`
	Doubt     []float32 `json:"doubt"`
	Fallbacks []uint32  `json:"fallbacks"`
	Compared  []uint32  `json:"compared"`
	Different []uint32  `json:"different"`
}

// RecentAnswer is the last five minutes of all routes that had traffic.
type RecentAnswer struct {
	Step   int64              `json:"step"`
	Now    time.Time          `json:"now"`
	Until  int64              `json:"until"`
	Routes map[string]Columns `json:"routes"`
}

const (
	usualSpan = 5 * time.Minute
	mostSpan  = 24 * time.Hour
)

func (a *API) series(r *http.Request) (any, error) {
	name := r.PathValue("route")
	if _, err := a.Controller.Status(name); err != nil {
		return answer(nil, err)
	}
	span := usualSpan
	if text := r.URL.Query().Get("span"); text != "" {
		var err error
		if span, err = time.ParseDuration(text); err != nil || span <= 0 || span > mostSpan {
			return nil, badQuery("span", text, "a duration up to 24h")
		}
	}
	from, err := since(r)
	if err != nil {
		return nil, err
	}
	found := a.History.Series(name, span, from, time.Now())
	made := SeriesAnswer{
		Route: name, Step: found.Step, Until: found.Until, From: max(found.From, a.About().Started.Unix()), Columns: columns(found.Points),
		Share: []float32{}, Doubt: []float32{}, Fallbacks: []uint32{}, Compared: []uint32{}, Different: []uint32{},
	}
	for _, p := range found.Points {
		made.Share = append(made.Share, p.Share)
		made.Doubt = append(made.Doubt, p.Doubt)
		made.Fallbacks = append(made.Fallbacks, p.Fallbacks)
		made.Compared = append(made.Compared, p.Compared)
		made.Different = append(made.Different, p.Different)
	}
	return made, nil
}

func (a *API) recent(r *http.Request) (any, error) {
	from, err := since(r)
	if err != nil {
		return nil, err
	}
	return a.recentSince(from, time.Now()), nil
}

func (a *API) recentSince(from, now time.Time) RecentAnswer {
	made := RecentAnswer{Step: history.RecentStep, Now: now, Routes: map[string]Columns{}}
	made.Until = now.Unix() - now.Unix()%history.RecentStep
	for name, points := range a.History.Recent(from, now) {
		made.Routes[name] = columns(points)
	}
	return made
}

// since is the query's lower bound of time.
func since(r *http.Request) (time.Time, error) {
	text := r.URL.Query().Get("since")
	if text == "" {
		return time.Unix(0, 0), nil
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil || seconds < 0 {
		return time.Time{}, badQuery("since", text, "a time in seconds since the epoch")
	}
	return time.Unix(seconds, 0), nil
}

func (a *API) latencies(r *http.Request) (any, error) {
	name := r.PathValue("route")
	status, err := a.Controller.Status(name)
	if err != nil {
		return answer(nil, err)
	}
	found := a.History.Latencies(name)
	if begun := status.Begun; found.Since.Before(begun) { // nothing has ended in the stage that is judged now
		found = history.Latencies{Stage: status.Stage, Since: begun, Old: []history.Bar{}, New: []history.Bar{}}
	}
	return found, nil
}

func columns(points []history.Point) Columns {
	c := Columns{Time: make([]int64, len(points)), Old: newSideColumns(len(points)), New: newSideColumns(len(points))}
	for i, p := range points {
		c.Time[i] = p.Time
		c.Old.set(i, p.Old)
		c.New.set(i, p.New)
	}
	return c
}

func newSideColumns(n int) SideColumns {
	return SideColumns{make([]uint32, n), make([]uint32, n), make([]float32, n), make([]float32, n), make([]float32, n)}
}

// set puts a point's figures in their places; latencies with a resolution of a microsecond.
func (c *SideColumns) set(i int, s history.Side) {
	c.Requests[i], c.Failures[i] = s.Requests, s.Failures
	c.P50[i], c.P95[i], c.P99[i] = rounded(s.P50), rounded(s.P95), rounded(s.P99)
}

func rounded(ms float32) float32 { return float32(int64(ms*1000+0.5)) / 1000 }
