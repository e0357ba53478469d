package shift

import (
	"errors"
	"fmt"
	"time"

	"yadokari/judge"
	"yadokari/setting"
)

// How a route gets from a stage that passed to the next: values of Config.Promote.
const (
	// Auto moves on by itself.
	Auto = "auto"
	// Manual waits for a person, with the verdict shown.
	Manual = "manual"
)

// Config is the journey of one route: the shift: section of yadokari.yaml.
type Config struct {
	// Stages are the steps: mirror first if at all, then growing shares up to 100%.
	Stages []string `yaml:"stages" default:"mirror,1%,5%,25%,50%,100%"`
	// Hold is the least time in a stage.
	Hold time.Duration `yaml:"hold" default:"10m"`
	// MinRequests is the least number of requests on the new side in a stage.
	MinRequests int `yaml:"minRequests" default:"500"`
	// Promote is auto (the next stage follows a pass by itself) or manual (a person promotes).
	Promote string `yaml:"promote" default:"auto" enum:"auto,manual"`
	// Tolerate is how much worse than the old side the new one may be.
	Tolerate judge.Tolerance `yaml:"tolerate"`
	// Signals are counted elsewhere, and judged besides in stages with users on both sides.
	Signals []Signal `yaml:"signals"`
	// Alpha is the chance, per stage, that a side which is as good is ever condemned.
	Alpha setting.Share `yaml:"alpha" default:"0.1%"`
	// Breaker is the number of first attempts on the new side that fail one after the other and send
	// everyone back at once, without statistics; 0 switches it off.
	Breaker int `yaml:"breaker" default:"5"`
	// Linger is how long upgraded connections (WebSocket) to the new side live on after a rollback.
	Linger time.Duration `yaml:"linger" default:"30s"`
}

// Validate says everything that is wrong with c as *setting.Problem, joined, or returns nil.
func (c *Config) Validate() error {
	_, err := ParseStages(c.Stages)
	problems := []error{err}
	check := func(ok bool, key, what, remedy string) {
		if !ok {
			problems = append(problems, &setting.Problem{Path: setting.Path{key}, What: what, Remedy: remedy})
		}
	}
	check(c.Hold >= 0, "hold", fmt.Sprintf("%s is negative", c.Hold), "write a duration as in 10m; 0s promotes on the first pass")
	check(c.MinRequests >= 1, "minRequests", fmt.Sprintf("%d requests cannot be judged", c.MinRequests), "write 1 or more")
	check(c.Promote == Auto || c.Promote == Manual, "promote", fmt.Sprintf("%q is neither auto nor manual", c.Promote), "write auto or manual")
	check(c.Alpha > 0 && c.Alpha <= 0.5, "alpha", fmt.Sprintf("%s is not a chance of a false alarm one can work with", c.Alpha), "write a share above 0% and up to 50%; 0.1% is a good one")
	check(c.Breaker >= 0, "breaker", fmt.Sprintf("%d is negative", c.Breaker), "write how many failures in a row are too many, or 0 to do without the breaker")
	check(c.Linger >= 0, "linger", fmt.Sprintf("%s is negative", c.Linger), "write a duration as in 30s; 0s closes upgraded connections at once")
	names := map[string]bool{}
	for i := range c.Signals {
		s := &c.Signals[i]
		problems = append(problems, setting.Under(s.Validate(), "signals", i))
		if names[s.Name] {
			problems = append(problems, &setting.Problem{Path: setting.Path{"signals", i, "name"},
				What: fmt.Sprintf("another signal is named %q", s.Name), Remedy: "give every signal a name of its own"})
		}
		names[s.Name] = true
	}
	return errors.Join(problems...)
}
