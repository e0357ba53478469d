package simulate

import (
	"errors"
	"fmt"
	"time"

	"yadokari/setting"
)

// most bounds what a file may ask for: a slip must not take a machine's memory.
const (
	mostUsers = 1_000_000
	mostPages = 100_000
	mostTicks = 10_000_000
)

// Validate says what no stage can be made of. Its error is made of *setting.Problem.
func (s *Scenario) Validate() error {
	v := &validator{}
	v.within("at least 1ms", s.Tick >= time.Millisecond, s.Tick, "tick")
	v.within("at least one tick", s.Length >= s.Tick, s.Length, "length")
	if s.Tick > 0 {
		v.within(fmt.Sprintf("at most %d ticks", mostTicks), s.Length/s.Tick <= mostTicks, s.Length, "length")
	}
	v.within("above 0% and below 100%", s.Alpha > 0 && s.Alpha < 1, s.Alpha, "alpha")
	v.within("more than 0%", s.Mirror || s.Share > 0, s.Share, "share")
	v.within("0 or more", s.Requests >= 0, s.Requests, "requests")
	v.within("0 or more", s.Breaker >= 0, s.Breaker, "breaker")
	v.within(fmt.Sprintf("1 to %d", mostUsers), s.Users.Number >= 1 && s.Users.Number <= mostUsers, s.Users.Number, "users", "number")
	v.within("at least 1", s.Users.Session >= 1, s.Users.Session, "users", "session")
	v.within(fmt.Sprintf("1 to %d", mostPages), s.Pages.Number >= 1 && s.Pages.Number <= mostPages, s.Pages.Number, "pages", "number")
	v.within("less than pages.number", s.Pages.Broken >= 0 && s.Pages.Broken < s.Pages.Number, s.Pages.Broken, "pages", "broken")
	v.within("above 0", s.Latency.Median > 0, s.Latency.Median, "latency", "median")
	v.within("above 0 for a Pareto distribution", s.Latency.Shape != pareto || s.Latency.Spread > 0, s.Latency.Spread, "latency", "spread")
	v.answers(&s.Answers, "answers")
	v.people(s)
	v.weather(s)
	return errors.Join(v.found...)
}

// validator gathers problems.
type validator struct{ found []error }

func (v *validator) within(wanted string, ok bool, value any, path ...any) {
	if !ok {
		v.found = append(v.found, &setting.Problem{Path: path, What: fmt.Sprintf("%v is out of range", value), Remedy: "write " + wanted})
	}
}

func (v *validator) answers(a *Answers, path ...any) {
	sum := setting.Share(0)
	for _, k := range a.kinds() {
		sum += k.share
	}
	v.within("parts that make at most 100% together", sum <= 1+1e-9, sum, path...)
}

func (v *validator) people(s *Scenario) {
	for i := range s.Crawlers {
		c := &s.Crawlers[i]
		v.within("above 0", c.Rate > 0, c.Rate, "crawlers", i, "rate")
		v.within(fmt.Sprintf("1 to %d", mostPages), c.Pages >= 1 && c.Pages <= mostPages, c.Pages, "crawlers", i, "pages")
		v.answers(&c.Answers, "crawlers", i, "answers")
	}
	for i := range s.Accounts {
		v.answers(&s.Accounts[i].Answers, "accounts", i, "answers")
	}
	if s.Worse != nil {
		v.answers(&s.Worse.Answers, "worse")
	}
}

func (v *validator) weather(s *Scenario) {
	if b := s.Bursts; b != nil {
		v.within("above 0", b.Every > 0, b.Every, "bursts", "every")
		v.within("1 to 10000", b.Requests >= 1 && b.Requests <= 10000, b.Requests, "bursts", "requests")
	}
	if o := s.Outages; o != nil {
		v.within("above 0", o.Every > 0, o.Every, "outages", "every")
		v.within("above 0", o.Length > 0, o.Length, "outages", "length")
	}
	if d := s.Day; d != nil {
		v.within("above 0", d.Period > 0, d.Period, "day", "period")
	}
	if d := s.Deploys; d != nil {
		v.within("above 0", d.Every > 0, d.Every, "deploys", "every")
		v.within("less than every", d.Cold+d.Apart < d.Every, d.Cold+d.Apart, "deploys", "cold")
	}
}
