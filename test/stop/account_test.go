package stop

import (
	"fmt"
	"slices"

	"yadokari/examples/tracker"
	"yadokari/lifecycle"
)

// account is what all agents of a site say together, in mails.
type account struct {
	receipts                                             int
	accepted, delivered, leftOver, refused, perhapsTwice int64
	stops                                                []float64 // seconds of each
}

func (a account) String() string {
	return fmt.Sprintf("%d receipts: %d mails accepted, %d delivered, %d left over, %d refused, %d perhaps twice; the longest stop took %.1f s",
		a.receipts, a.accepted, a.delivered, a.leftOver, a.refused, a.perhapsTwice, slices.Max(append(a.stops, 0)))
}

// add adds a receipt, and wants its sums to add up and nothing lost.
func (a *account) add(s *site, of string, r *lifecycle.Receipt) {
	s.Helper()
	a.receipts++
	a.stops = append(a.stops, r.Seconds)
	for _, part := range r.Parts {
		if err := part.Check(); err != nil {
			s.Errorf("%s: %v", of, err)
		}
		if part.Lost > 0 || part.Out["bounced"]+part.Out["removed"]+part.In["notices"] > 0 || len(part.Faults) > 0 && part.LeftOver == 0 {
			s.Errorf("%s: %+v", of, part)
		}
		if part.Unit != "mails" {
			continue
		}
		a.accepted += part.In["accepted"]
		a.delivered += part.Out["delivered"]
		a.leftOver += part.LeftOver
		a.refused += part.Refused
		if detail, ok := part.Detail.(map[string]any); ok {
			n, _ := detail["perhapsTwice"].(float64)
			a.perhapsTwice += int64(n)
		} else {
			s.Errorf("%s: no detail", of)
		}
	}
}

// settle reads every receipt of a site whose pods have all ended, and gives each to check. An agent that the
// test has killed leaves none.
func (s *site) settle(check func(e end, r *lifecycle.Receipt)) account {
	s.Helper()
	var sum account
	seen, killed := map[string]bool{}, 0
	for _, e := range s.ends.of(s.T, "", s.form.agent) {
		seen[e.pod] = true
		if s.killed[e.pod] > 0 && e.ExitCode == 137 && e.Message == "" {
			killed++
			continue
		}
		r, err := e.receipt()
		if err != nil {
			s.Error(err)
			continue
		}
		if r.Exit != int(e.ExitCode) {
			s.Errorf("%v: the receipt says %d", e, r.Exit)
		}
		sum.add(s, e.String(), r)
		check(e, r)
	}
	for _, n := range s.killed {
		killed -= n
	}
	if killed != 0 {
		s.Errorf("%d more agents than the test has killed ended so", killed)
	}
	if len(seen) != s.ends.known() {
		s.Errorf("%d pods have ended, the agents of %d were seen to", s.ends.known(), len(seen))
	}
	return sum
}

// arrived compares what the trackers were told with what the mail server has. Mails without a 250 that
// have arrived all the same are strange; so many as may be are allowed.
func (s *site) arrived(may int) (distinct, duplicates int) {
	s.Helper()
	taken, total := s.box.contents()
	outcomes := s.logged("*")
	lost, strange := 0, 0
	for id, outcome := range outcomes {
		if outcome == tracker.MailAccepted && taken[id] == 0 {
			if lost++; lost <= 5 {
				s.Errorf("%s got a 250 and never arrived", id)
			}
		}
	}
	for id := range taken {
		if outcomes[id] != tracker.MailAccepted {
			strange++
		}
	}
	if lost > 0 {
		s.Errorf("%d mails that got a 250 never arrived", lost)
	}
	if strange > may {
		s.Errorf("%d mails arrived that the trackers do not know as accepted, %d may", strange, may)
	}
	s.Logf("%s: %d mails got a 250; %d distinct mails at the mail server, %d of them unknown to the trackers' logs, %d copies beyond the first",
		s.namespace, count(outcomes, tracker.MailAccepted), len(taken), strange, total-len(taken))
	return len(taken), total - len(taken)
}
