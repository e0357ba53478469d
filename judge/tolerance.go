package judge

import (
	"time"

	"yadokari/setting"
)

// Tolerance is how much worse than the old side the new one may be and still pass. Rates are of requests
// and are added to the old side's own rate; 100% means that the kind is not judged.
type Tolerance struct {
	// Errors is added to the old side's rate of failures.
	Errors setting.Share `yaml:"errors" default:"0.1%"`
	// Unauthorized is added to the old side's rate of 401.
	Unauthorized setting.Share `yaml:"unauthorized" default:"0.2%"`
	// Forbidden is added to the old side's rate of 403.
	Forbidden setting.Share `yaml:"forbidden" default:"0.2%"`
	// NotFound is added to the old side's rate of 404 and 410.
	NotFound setting.Share `yaml:"notFound" default:"0.2%"`
	// ClientErrors is added to the old side's rate of all other 4xx.
	ClientErrors setting.Share `yaml:"clientErrors" default:"0.2%"`
	// Redirects is added to the old side's rate of redirects.
	Redirects setting.Share `yaml:"redirects" default:"0.5%"`
	// Logins is added to the old side's rate of redirects to a path that looks like a login.
	Logins setting.Share `yaml:"logins" default:"0.2%"`
	// OtherHosts is added to the old side's rate of redirects to another host than the request's.
	OtherHosts setting.Share `yaml:"otherHosts" default:"0.2%"`
	// Empty is added to the old side's rate of answers 200 to GET without a body.
	Empty setting.Share `yaml:"empty" default:"0.2%"`
	// Forms is added to the old side's rate of 2xx answers to POST and its like: the form again, where a
	// redirect was due.
	Forms setting.Share `yaml:"forms" default:"0.5%"`
	// Refused is added to the old side's rate of POST requests and their like that fail, are answered 4xx or lead to a
	// login: the part of these requests, not of all.
	Refused setting.Share `yaml:"refused" default:"0.5%"`
	// Left is added to the old side's rate of users who went away before the answer was whole.
	Left setting.Share `yaml:"left" default:"1%"`
	// P50 is how much longer the median may be; unset: not judged.
	P50 *setting.Growth `yaml:"p50"`
	// P95 is how much longer the 95th percentile may be.
	P95 *setting.Growth `yaml:"p95" default:"20%"`
	// P99 is how much longer the 99th percentile may be; unset: not judged.
	P99 *setting.Growth `yaml:"p99"`
	// FirstByte is how much longer the 95th percentile of the time to the response head may be.
	FirstByte *setting.Growth `yaml:"firstByte" default:"20%"`
	// Floor is added to what the latencies above allow: a difference that nobody feels.
	Floor time.Duration `yaml:"floor" default:"5ms"`
	// SlowFor is how long answers must be slow, or short, at the least before it counts: a pod that starts is
	// no slow side.
	SlowFor time.Duration `yaml:"slowFor" default:"15s"`
	// Size is how much shorter pages may be; null: not judged.
	Size *setting.Share `yaml:"size" default:"20%"`
	// Differences is the part of compared responses that may differ.
	Differences setting.Share `yaml:"differences" default:"1%"`
}

// JudgesTime reports whether any latency is judged.
func (t *Tolerance) JudgesTime() bool {
	return len((&Criteria{Tolerance: *t}).latencies()) > 0
}
