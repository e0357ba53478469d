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
	// Decided names the test that failed: breaker, errors, differences, p50, p95 or p99; else empty.
	Decided string `json:"decided,omitempty"`
	// Alpha is the chance that the statistics ever condemn a side that is as good, all tests together.
	Alpha float64 `json:"alpha"`
	Old   Figures `json:"old"`
	New   Figures `json:"new"`
	// Reference says that Old is from earlier stages, not from the same time as New.
	Reference bool `json:"reference,omitempty"`
	// Errors is the test of the failures.
	Errors Test `json:"errors"`
	// Latencies are the tests of the judged quantiles.
	Latencies []LatencyTest `json:"latencies,omitempty"`
	// Differences is the test of the compared responses, in the mirror stage.
	Differences *DifferenceTest `json:"differences,omitempty"`
	Breaker     Breaker         `json:"breaker"`
	// Missing is what a pass still waits for.
	Missing []Need `json:"missing,omitempty"`
}

// Figures are the counts of one side and its rate of failures.
type Figures struct {
	Requests uint64 `json:"requests"`
	Failures uint64 `json:"failures"`
	// Rate is Failures/Requests; Low and High enclose the true rate at every moment at once with the
	// chance Coverage, if requests fail independently of each other. Bounds inform; they do not decide.
	Rate     float64 `json:"rate"`
	Low      float64 `json:"low"`
	High     float64 `json:"high"`
	Coverage float64 `json:"coverage"`
}

// Test is a bet against "the new side is as good": the trial fails once EValue reaches Threshold.
type Test struct {
	// EValue is how many times over the data outweigh "as good"; below 1 they speak for it.
	EValue float64 `json:"eValue"`
	// Threshold is one by the test's part of alpha.
	Threshold float64 `json:"threshold"`
	// Tolerance is the rate that the new side is granted on top of the old one's.
	Tolerance float64 `json:"tolerance"`
}

// LatencyTest compares one quantile: the trial fails once New.Low exceeds Old.High times 1+Tolerance.
type LatencyTest struct {
	// Quantile is p50, p95 or p99.
	Quantile  string  `json:"quantile"`
	Old       Latency `json:"old"`
	New       Latency `json:"new"`
	Tolerance float64 `json:"tolerance"`
	// Limit is Old.High times 1+Tolerance in seconds; absent while Old.High is.
	Limit *float64 `json:"limit,omitempty"`
	// Coverage is the chance that, at every moment at once, Old.High and New.Low are on the right side.
	Coverage float64 `json:"coverage"`
}

// Latency is a quantile of one side, in seconds.
type Latency struct {
	Requests uint64  `json:"requests"`
	Estimate float64 `json:"estimate"`
	Low      float64 `json:"low"`
	// High is absent as long as there are too few requests for an upper bound.
	High *float64 `json:"high,omitempty"`
}

// DifferenceTest is the test of compared responses. Rate, Low, High and Coverage are as in Figures.
type DifferenceTest struct {
	Test
	Compared  uint64  `json:"compared"`
	Different uint64  `json:"different"`
	Noisy     uint64  `json:"noisy"`
	Rate      float64 `json:"rate"`
	Low       float64 `json:"low"`
	High      float64 `json:"high"`
	Coverage  float64 `json:"coverage"`
}

// Breaker is the run of failures on the new side.
type Breaker struct {
	// Run is the longest run reported with the last window, less the part during which the old side
	// failed as well.
	Run uint64 `json:"run"`
	// Limit is the run that fails the trial; 0: none.
	Limit uint64 `json:"limit"`
	// Shared says that the old side fails as well, so that the run does not count.
	Shared bool `json:"shared,omitempty"`
}

// Need is one thing a pass waits for.
type Need struct {
	// What is what is counted: "requests on the new side".
	What string `json:"what"`
	// Have of Want are there; both 0 where only time tells.
	Have uint64 `json:"have"`
	Want uint64 `json:"want"`
	// Old says that the old side's requests are what is counted.
	Old bool `json:"old,omitempty"`
	// Text says it in words.
	Text string `json:"text"`
}
