package replay

import (
	"encoding/json"
	"errors"
	"time"
)

// own is a line of Yadokari's own access log.
type own struct {
	Time     time.Time `json:"time"`
	Client   string    `json:"client"`
	Agent    string    `json:"user_agent"`
	User     string    `json:"user"`
	Method   string    `json:"method"`
	Target   string    `json:"target"`
	Status   int       `json:"status"`
	Bytes    *int64    `json:"bytes"`
	Duration *float64  `json:"duration_ms"`
}

func parseJSON(text []byte) (Line, error) {
	var o own
	if err := json.Unmarshal(text, &o); err != nil {
		return Line{}, errors.New("no JSON object with the keys of Yadokari's access log")
	}
	if o.Time.IsZero() || o.Client == "" || o.Status < 0 || o.Status > 999 {
		return Line{}, errors.New("no time, client or status in the JSON object")
	}
	l := Line{Time: o.Time, Client: []byte(o.Client), User: []byte(o.User), Agent: []byte(o.Agent), Method: []byte(o.Method),
		Path: []byte(o.Target), Status: o.Status, Bytes: -1, Took: -1}
	if o.Bytes != nil && *o.Bytes >= 0 {
		l.Bytes = *o.Bytes
	}
	if o.Duration != nil && *o.Duration >= 0 && *o.Duration < 1e9 {
		l.Took = time.Duration(*o.Duration * float64(time.Millisecond))
	}
	return l, nil
}
