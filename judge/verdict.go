package judge

import "fmt"

// Outcome is one of the three things that can be said of a stage.
type Outcome int

const (
	// NotEnoughTraffic says that the requests so far do not allow a pass and do not demand a fail.
	NotEnoughTraffic Outcome = iota
	// Pass says that there were enough requests and nothing speaks for a side worse than tolerated.
	Pass
	// Fail says that the new side is worse than tolerated. It is final for a Trial.
	Fail
)

var outcomes = [...]string{NotEnoughTraffic: "not enough traffic", Pass: "pass", Fail: "fail"}

// String is the outcome as it is written everywhere: pass, fail, not enough traffic.
func (o Outcome) String() string {
	if o < 0 || int(o) >= len(outcomes) {
		return fmt.Sprintf("outcome %d", int(o))
	}
	return outcomes[o]
}

// MarshalText writes String.
func (o Outcome) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (o *Outcome) UnmarshalText(text []byte) error {
	for i, name := range outcomes {
		if name == string(text) {
			*o = Outcome(i)
			return nil
		}
	}
	return fmt.Errorf("%q is not a verdict: pass, fail or not enough traffic", text)
}

// Verdict is what a Trial says, with what it says it from.
type Verdict struct {
	Outcome Outcome `json:"outcome"`
	// Reason is one sentence with the figures that decided.
	Reason   string   `json:"reason"`
	Evidence Evidence `json:"evidence"`
}

// Evidence is all that a verdict was made from.
type Evidence struct {
	// Decided names the signal that failed, or is breaker; else empty.
	Decided string `json:"decided,omitempty"`
	// Alpha is the chance that the statistics ever condemn a side that is as good, all signals together.
	Alpha float64 `json:"alpha"`
	Old   Figures `json:"old"`
	New   Figures `json:"new"`
	// Missed is how many requests were not looked at because there were too many at once.
	Missed uint64 `json:"missed,omitempty"`
	// Reference says that Old is from earlier stages, not from the same time as New.
	Reference bool `json:"reference,omitempty"`
	// Signals are the tests, the most important first.
	Signals []Signal `json:"signals"`
	Breaker Breaker  `json:"breaker"`
	// Missing is what a pass still waits for.
	Missing []Need `json:"missing,omitempty"`
}

// Figures are the counts of one side.
type Figures struct {
	Requests uint64 `json:"requests"`
	Failures uint64 `json:"failures"`
	// Users is how many users the side has served, exact up to some thousands and within 3 % beyond.
	Users uint64 `json:"users"`
	// FailedUsers is how many of them met a failure.
	FailedUsers uint64 `json:"failedUsers"`
}

// What a Signal counts.
const (
	Users   = "users"   // each user once, however often it happens to him
	Pairs   = "pairs"   // requests that both sides were asked and answered differently
	Answers = "answers" // pages of a user that were compared; of a latency or the size, answers beyond the limit
	Counts  = "counts"  // what a Count counts, of which users is not known
)

// Signal is one bet against "the new side is as good": the trial fails once EValue reaches Threshold.
type Signal struct {
	// Name is errors, pairs, differences, a latency (p50, p95, p99, firstByte), size, stalled, a class of
	// answers as tolerate: names it, or signals.NAME of a Count.
	Name string `json:"name"`
	// Unit is what Old and New count: users, pairs, answers or counts.
	Unit string `json:"unit"`
	Old  uint64 `json:"old"`
	New  uint64 `json:"new"`
	// Of is how many there were in all: of pairs and of answers; 0 for users, of whom Figures tells.
	Of uint64 `json:"of,omitempty"`
	// EValue is how many times over the data outweigh "as good"; below 1 they speak for it.
	EValue float64 `json:"eValue"`
	// Threshold is one by the signal's part of alpha.
	Threshold float64 `json:"threshold"`
	// Part is how far EValue has come on its way to Threshold, as logarithms: 0 to 1.
	Part float64 `json:"part"`
	// Tolerance is what tolerate: grants.
	Tolerance float64 `json:"tolerance"`
	// Limit is, for a latency, the time in seconds from which on an answer of the old side counts as slow,
	// for size the length in bytes below which one counts as short; 0: not known yet.
	Limit float64 `json:"limit,omitempty"`
	// OldEstimate and NewEstimate are, for a latency, the quantile in seconds; 0: not known.
	OldEstimate float64 `json:"oldEstimate,omitempty"`
	NewEstimate float64 `json:"newEstimate,omitempty"`
	// Text says it in words: "7 users failed on containers, 0 on vm".
	Text string `json:"text"`
}

// Breaker is the run of failures on the new side.
type Breaker struct {
	// Run is how many first attempts have failed one after the other, each user twice at most, those left
	// out that the old side failed as well.
	Run uint64 `json:"run"`
	// Users is how many users they were.
	Users uint64 `json:"users"`
	// Limit is the run that fails the trial; 0: none.
	Limit uint64 `json:"limit"`
	// Shared says that the old side fails as well, so that the run does not count.
	Shared bool `json:"shared,omitempty"`
}

// Need is one thing a pass waits for.
type Need struct {
	// What is what is counted: "requests on containers".
	What string `json:"what"`
	// Have of Want are there; both 0 where only time tells.
	Have uint64 `json:"have"`
	Want uint64 `json:"want"`
	// Old says that the old side's requests are what is counted.
	Old bool `json:"old,omitempty"`
	// Users says that users are counted, not requests.
	Users bool `json:"users,omitempty"`
	// Counted says that it is a Count, of which nobody here knows how soon there are more.
	Counted bool `json:"counted,omitempty"`
	// Text says it in words.
	Text string `json:"text"`
}
