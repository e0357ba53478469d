package shift

import (
	"encoding/json"

	"yadokari/judge"
)

// At the 100 % stage the old side serves nobody, so the new one is compared with what the old side
// did in the stages before. That reference is the one piece of evidence that is kept over a restart.

// referenceForm is a tally as it is written in the state. Buckets guards against a histogram of
// another shape: its numbers would mean other latencies.
type referenceForm struct {
	Requests uint64      `json:"requests"`
	Failures uint64      `json:"failures"`
	Buckets  int         `json:"buckets"`
	Latency  [][2]uint64 `json:"latency"` // bucket, count
}

func writeReference(t *judge.Tally) (json.RawMessage, error) {
	form := referenceForm{Requests: t.Requests, Failures: t.Failures, Buckets: judge.Buckets, Latency: [][2]uint64{}}
	for bucket, n := range t.Latency.All() {
		form.Latency = append(form.Latency, [2]uint64{uint64(bucket), n})
	}
	return json.Marshal(form)
}

// readReference returns nil for what it cannot use: the stage then waits for a person.
func readReference(text json.RawMessage) *judge.Tally {
	var form referenceForm
	if len(text) == 0 || json.Unmarshal(text, &form) != nil || form.Buckets != judge.Buckets || form.Requests == 0 {
		return nil
	}
	t := &judge.Tally{Requests: form.Requests, Failures: form.Failures}
	for _, pair := range form.Latency {
		if pair[0] >= judge.Buckets {
			return nil
		}
		t.Latency.Add(int(pair[0]), pair[1])
	}
	return t
}
