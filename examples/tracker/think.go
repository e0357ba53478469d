package tracker

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"
)

// Think is a log-normal distribution of time, which has the long tail that pages of real applications
// have. The zero value takes no time.
type Think struct {
	// Median is exceeded by half of the requests.
	Median time.Duration
	// P99 is exceeded by one request in a hundred. It is at least Median; zero means Median, always.
	P99 time.Duration
}

// thinkCap bounds the tail: no request thinks for longer than this many times P99.
const thinkCap = 5

// z99 is the 99th percentile of the standard normal distribution.
const z99 = 2.3263478740408408

// ParseThink reads MEDIAN or MEDIAN/P99, for example 4ms/60ms. The empty string is no time.
func ParseThink(text string) (Think, error) {
	if text == "" {
		return Think{}, nil
	}
	median, p99, both := strings.Cut(text, "/")
	var t Think
	var err error
	if t.Median, err = time.ParseDuration(median); err != nil {
		return Think{}, fmt.Errorf("think %q: the median: %w", text, err)
	}
	if both {
		if t.P99, err = time.ParseDuration(p99); err != nil {
			return Think{}, fmt.Errorf("think %q: the 99th percentile: %w", text, err)
		}
	}
	return t, t.check()
}

// String is the form that ParseThink reads.
func (t Think) String() string {
	switch {
	case t.Median == 0:
		return ""
	case t.P99 == 0:
		return t.Median.String()
	}
	return t.Median.String() + "/" + t.P99.String()
}

func (t Think) check() error {
	if t.Median < 0 || t.P99 < 0 || (t.P99 > 0 && t.P99 < t.Median) || (t.Median == 0 && t.P99 > 0) {
		return fmt.Errorf("tracker: think: median %v and 99th percentile %v: want 0 < median <= 99th percentile",
			t.Median, t.P99)
	}
	return nil
}

// sample draws one time; normal is a draw from the standard normal distribution.
func (t Think) sample(normal float64) time.Duration {
	if t.P99 <= t.Median {
		return t.Median
	}
	sigma := math.Log(float64(t.P99)/float64(t.Median)) / z99
	d := float64(t.Median) * math.Exp(sigma*normal)
	return time.Duration(math.Min(d, thinkCap*float64(t.P99)))
}

// think takes a sample of time, or less when ctx ends.
func (t Think) think(ctx context.Context) {
	if t.Median > 0 {
		pause(ctx, t.sample(rand.NormFloat64()))
	}
}

// pause waits for d and reports true, or false at once when ctx ends first.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
