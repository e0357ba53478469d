package simulate

import (
	"math"
	"time"

	"yadokari/judge"
)

// The shapes of a Latency.
const (
	pareto   = "pareto"
	constant = "constant"
)

// Plan is a Scenario made ready for many stages. It is not changed by them, and several may use it at once.
type Plan struct {
	*Scenario
	users    weights
	pages    weights
	answers  mix
	worse    mix
	crawlers []mix
	accounts []mix
	median   float64 // of a latency, in nanoseconds, before what user, page and moment do to it
}

// NewPlan takes a valid scenario.
func NewPlan(s *Scenario) *Plan {
	p := &Plan{Scenario: s, users: zipf(s.Users.Number, float64(s.Users.Zipf)), pages: zipf(s.Pages.Number, float64(s.Pages.Zipf)),
		answers: newMix(&s.Answers), median: float64(s.Latency.Median)}
	if s.Latency.Shape == pareto {
		p.median /= math.Pow(2, 1/float64(s.Latency.Spread)) // where the distribution begins
	}
	if s.Worse != nil {
		p.worse = newMix(&s.Worse.Answers)
	}
	for i := range s.Crawlers {
		p.crawlers = append(p.crawlers, newMix(&s.Crawlers[i].Answers))
	}
	for i := range s.Accounts {
		p.accounts = append(p.accounts, newMix(&s.Accounts[i].Answers))
	}
	return p
}

// Criteria are what the scenario is judged by.
func (s *Scenario) Criteria() judge.Criteria {
	return judge.Criteria{
		Tolerance: s.Tolerate, Alpha: float64(s.Alpha), Breaker: uint64(s.Breaker), Share: s.Share, Mirror: s.Mirror,
		MinRequests: 500, Old: "vm", New: "containers",
	}
}

// seconds is a duration as a number.
func seconds(d time.Duration) float64 { return d.Seconds() }
