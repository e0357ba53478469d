package judge

import "yadokari/setting"

// Tolerance is how much worse than the old side the new one may be and still pass.
type Tolerance struct {
	// Errors is added to the old side's rate of failures.
	Errors setting.Share `yaml:"errors" default:"0.1%"`
	// P50 is how much longer the median may be; unset: not judged.
	P50 *setting.Share `yaml:"p50"`
	// P95 is how much longer the 95th percentile may be.
	P95 *setting.Share `yaml:"p95" default:"20%"`
	// P99 is how much longer the 99th percentile may be; unset: not judged.
	P99 *setting.Share `yaml:"p99"`
	// Differences is the part of mirrored responses that may differ.
	Differences setting.Share `yaml:"differences" default:"1%"`
}
