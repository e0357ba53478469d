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
	if t.failed == "breaker" {
		return fmt.Sprintf("%s: %s first attempts of %s failed one after the other, %s are the limit",
			c.New, thousands(e.Breaker.Run), users(e.Breaker.Users), thousands(e.Breaker.Limit))
	}
	for i := range e.Signals {
		if s := &e.Signals[i]; s.Name == t.failed && s.EValue >= s.Threshold {
			return s.Text + t.shares(e, s) + ": " + s.standing() + t.caveat()
		}
	}
	return t.failed
}

// shares says how many users are where, of a signal that counts users on both sides.
func (t *Trial) shares(e *Evidence, s *Signal) string {
	if s.Unit != Users || e.Reference {
		return ""
	}
	return fmt.Sprintf("; %s of %s are on %s", thousands(e.New.Users), users(e.Old.Users+e.New.Users), t.criteria.New)
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
	c := &t.criteria
	var texts []string
	if c.split() {
		texts = append(texts, fmt.Sprintf("%s of %s are on %s", thousands(e.New.Users), users(e.Old.Users+e.New.Users), c.New))
	}
	for _, s := range e.Signals {
		if s.Name == signalErrors || s.New > 0 && (s.Name == signalPairs || s.Name == signalDifferences) || c.Mirror && (s.Name == signalPairs || s.Name == signalDifferences) {
			texts = append(texts, s.Text)
		}
	}
	return strings.Join(texts, "; ") + ": nothing speaks for worse than tolerated" + t.caveat()
}

// frequencyWords: "of a user's answers 8.2 % took longer than p95 (377ms, 20 % longer tolerated) on containers, 5 % on vm".
func (t *Trial) frequencyWords(s *Signal, f *frequencyTest) string {
	words := "took longer than " + s.Name
	switch s.Name {
	case signalFirstByte:
		words = "took longer to the first byte than p95"
	case signalSize:
		words = "were pages shorter than p5"
	}
	return fmt.Sprintf("of users' answers %s %s%s on %s, %s on %s", percent(ratio(float64(f.beyond[1]), float64(f.answers[1]))), words,
		s.beyond(f.limit), t.criteria.New, percent(ratio(float64(f.beyond[0]), float64(f.answers[0]))), t.criteria.Old)
}

// beyond says in brackets where a limit is, if that is known.
func (s *Signal) beyond(l *limit) string {
	switch {
	case s.Limit == 0:
		return ""
	case l.short:
		return fmt.Sprintf(" (%s bytes, %s less tolerated)", thousands(uint64(s.Limit)), percent(l.growth))
	}
	return fmt.Sprintf(" (%s, %s longer tolerated)", short(s.Limit), percent(l.growth))
}

// userWords: "7 users failed on containers, 0 on vm".
func (t *Trial) userWords(s *Signal, m *mark) string {
	words := m.words
	if m.limit != nil {
		words += s.beyond(m.limit)
	}
	return fmt.Sprintf("%s %s on %s, %s on %s", users(s.New), words, t.criteria.New, thousands(s.Old), t.criteria.Old)
}

// pairWords: "of 240 requests asked on both sides 12 failed on containers only, 0 on vm only".
func (t *Trial) pairWords(p *pairTest) string {
	words := p.words
	if p.limit != nil {
		words = "were slow (" + p.name + ")"
	}
	return fmt.Sprintf("of %s requests asked on both sides %s %s on %s only, %s on %s only",
		thousands(p.of), thousands(p.new), words, t.criteria.New, thousands(p.old), t.criteria.Old)
}

func (t *Trial) referenceWords() string {
	return fmt.Sprintf("%s failed on %s where %s did not, at most %s a request were expected",
		users(t.reference.failed*t.reference.seen.scale()), t.criteria.New, t.criteria.Old, percent(t.reference.granted))
}

func (t *differenceTest) text() string {
	text := fmt.Sprintf("%s of %s compared answers differ (%s), %s tolerated", thousands(t.different), thousands(t.compared),
		percent(ratio(float64(t.different), float64(t.compared))), percent(t.tolerated))
	if t.places != nil {
		text += fmt.Sprintf("; two of the old side differ in %s", thousands(t.unsteady))
		if one := t.places.loudest(); one != nil && one.new > 0 {
			text += fmt.Sprintf("; at one place %s and %s", thousands(one.new), thousands(one.old))
		}
	}
	return text
}

func ratio(part, all float64) float64 {
	if all == 0 {
		return 0
	}
	return part / all
}

// standing compares the e-value with its threshold.
func (s *Signal) standing() string {
	relation := "is below"
	if s.EValue >= s.Threshold {
		relation = "reaches"
	}
	return "e-value " + value(s.EValue) + " " + relation + " " + value(s.Threshold)
}

// caveat says when the two sides are not of the same time.
func (t *Trial) caveat() string {
	if t.reference == nil {
		return ""
	}
	return " (" + t.criteria.Old + ": figures of earlier stages, not of the same time)"
}

// users counts them in words.
func users(n uint64) string {
	if n == 1 {
		return "1 user"
	}
	return thousands(n) + " users"
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
	d := time.Duration(s * float64(time.Second))
	unit := time.Duration(1)
	for d/unit >= 1000 {
		unit *= 10
	}
	return d.Round(unit).String()
}
