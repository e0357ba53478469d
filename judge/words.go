package judge

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// accusation is the reason of a fail.
func (t *Trial) accusation(e *Evidence) string {
	c := &t.criteria
	switch t.failed {
	case "breaker":
		return fmt.Sprintf("%s: %s first attempts failed one after the other, %s are the limit (%s meanwhile: %s of %s failed)",
			c.New, thousands(e.Breaker.Run), thousands(e.Breaker.Limit), c.Old,
			thousands(uint64(t.breaker.oldFailures)), thousands(uint64(t.breaker.old)))
	case "errors":
		return t.failures(e) + ": " + e.Errors.standing() + t.caveat()
	case "differences":
		return e.Differences.words() + ": " + e.Differences.standing()
	}
	for i := range e.Latencies {
		if l := &e.Latencies[i]; l.Quantile == t.failed {
			return fmt.Sprintf("%s of %s is at least %s, of %s at most %s: more than the tolerated %s longer%s",
				l.Quantile, c.New, short(l.New.Low), c.Old, short(*l.Old.High), percent(l.Tolerance), t.caveat())
		}
	}
	return t.failed
}

// wish is the reason of "not enough traffic".
func (t *Trial) wish(e *Evidence) string {
	texts := make([]string, len(e.Missing))
	for i, need := range e.Missing {
		texts[i] = need.Text
	}
	return strings.Join(texts, "; ")
}

// praise is the reason of a pass.
func (t *Trial) praise(e *Evidence) string {
	texts := []string{t.failures(e)}
	for i := range e.Latencies {
		texts = append(texts, t.estimates(&e.Latencies[i]))
	}
	if e.Differences != nil {
		texts = append(texts, e.Differences.words())
	}
	return strings.Join(texts, "; ") + ": nothing speaks for worse than tolerated" + t.caveat()
}

// failures compares both rates: "containers fail 4.8 % (29 of 604), vm 0.1 % (12 of 11,480)".
func (t *Trial) failures(e *Evidence) string {
	text := fmt.Sprintf("%s failed %s, %s %s", t.criteria.New, e.New.words(), t.criteria.Old, e.Old.words())
	if e.Errors.Tolerance > 0 {
		text += ", " + percent(e.Errors.Tolerance) + " more tolerated"
	}
	return text
}

func (f Figures) words() string {
	return fmt.Sprintf("%s (%s of %s)", percent(f.Rate), thousands(f.Failures), thousands(f.Requests))
}

func (d *DifferenceTest) words() string {
	return fmt.Sprintf("%s of compared responses differ (%s of %s), %s tolerated",
		percent(d.Rate), thousands(d.Different), thousands(d.Compared), percent(d.Tolerance))
}

func (t *Trial) estimates(l *LatencyTest) string {
	return fmt.Sprintf("%s is %s on %s, %s on %s", l.Quantile, short(l.New.Estimate), t.criteria.New,
		short(l.Old.Estimate), t.criteria.Old)
}

// standing compares the e-value with its threshold.
func (t Test) standing() string {
	relation := "is below"
	if t.EValue >= t.Threshold {
		relation = "reaches"
	}
	return "e-value " + value(t.EValue) + " " + relation + " " + value(t.Threshold)
}

// caveat says when the two sides are not of the same time.
func (t *Trial) caveat() string {
	if t.criteria.Reference == nil {
		return ""
	}
	return " (" + t.criteria.Old + ": figures of earlier stages, not of the same time)"
}

// thousands groups digits: 11,480.
func thousands(n uint64) string {
	digits := strconv.FormatUint(n, 10)
	for at := len(digits) - 3; at > 0; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return digits
}

// value writes an e-value with as many digits as matter.
func value(x float64) string {
	switch {
	case x >= 1e12:
		return strconv.FormatFloat(x, 'e', 0, 64)
	case x >= 100:
		return thousands(uint64(math.Floor(x)))
	case x < 0.001:
		return "below 0.001"
	}
	return strconv.FormatFloat(x, 'g', 3, 64)
}

// percent writes a rate with two digits: 4.8 %, 0.10 %, 12 %.
func percent(x float64) string {
	x *= 100
	decimals := 0
	if x > 0 && x < 10 {
		decimals = min(max(1-int(math.Floor(math.Log10(x))), 1), 6)
	}
	text := strconv.FormatFloat(x, 'f', decimals, 64)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text + " %"
}

// short writes seconds as a duration of three digits: 312ms, 1.24s.
func short(s float64) string {
	d := duration(s)
	unit := time.Duration(1)
	for d/unit >= 1000 {
		unit *= 10
	}
	return d.Round(unit).String()
}

func duration(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
