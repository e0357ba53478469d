package judge

import "fmt"

// missing is what a pass waits for.
func (t *Trial) missing(e *Evidence) []Need {
	var list []Need
	count := func(what string, old bool, have, want uint64) {
		if have < want {
			list = append(list, Need{What: what, Have: have, Want: want, Old: old, Text: thousands(have) + " of " + thousands(want) + " " + what})
		}
	}
	c := &t.criteria
	wanted := max(c.MinRequests, 1)
	if c.Mirror {
		count("compared requests", false, t.differences.compared, wanted)
		count("requests on "+c.New, false, e.New.Requests, 1)
	} else {
		count("requests on "+c.New, false, e.New.Requests, wanted)
	}
	count("requests on "+c.Old, true, e.Old.Requests, min(wanted, scarce))
	if need, few := t.users(e); few {
		list = append(list, need)
	}
	if list = append(list, t.uncounted()...); len(list) > 0 {
		return list
	}
	return t.doubts(e)
}

// users is how many users the new side must have served for a failure of all of them to be seen. Many
// pairs do as well.
func (t *Trial) users(e *Evidence) (Need, bool) {
	c := &t.criteria
	want := t.wanted
	if !c.split() || e.New.Users >= want || len(t.pairs) > 0 && t.pairs[0].of >= instead {
		return Need{}, false
	}
	return Need{What: "users on " + c.New, Have: e.New.Users, Want: want, Users: true,
		Text: fmt.Sprintf("%d of about %d users needed on %s", e.New.Users, want, c.New)}, true
}

// usersToSee is how many users must fail, and nobody else, for the errors to decide.
func usersToSee(c *Criteria) uint64 {
	g := newWager(&sides, float64(c.Share), rate(float64(c.Tolerance.Errors)), 0)
	threshold := 1 / (c.Alpha * (1 - laterPart) * errorsPart)
	for n := uint64(1); n < 1000; n++ {
		g.pass(1)
		if g.event(true); g.value() >= threshold {
			return n
		}
	}
	return 1000
}

// doubts are the signals that speak against the new side without having decided.
func (t *Trial) doubts(e *Evidence) []Need {
	var list []Need
	for _, s := range e.Signals {
		if s.EValue > leaning {
			list = append(list, Need{What: s.Name, Text: "more requests to tell whether it is chance that " + s.Text + " (" + s.standing() + ")"})
		}
	}
	return list
}
