package stop

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"yadokari/examples/tracker"
	"yadokari/lifecycle"
	"yadokari/test/kube"
	"yadokari/test/process"
)

// testOutOfMemory: the app is killed for want of memory, in the middle of a line of its audit log, once while
// it serves and once while it stops. It leaves no marker, its own queue goes with it, and every mail that it
// was told is safe arrives, and every byte of its log.
func testOutOfMemory(t *testing.T, c *kube.Cluster, f form, number int) {
	s := newSite(t, c, f, number)
	s.visit()
	s.mails(20)
	pods := s.whole("")
	s.outOfMemory(pods[0])
	process.Eventually(t, "the container has ended", func() bool { return len(s.ends.of(t, pods[0], "app")) > 0 })
	s.whole("")
	s.mails(20)
	s.remove(pods[1])
	s.outOfMemory(pods[1])
	process.Eventually(t, "the pod has ended", func() bool { return s.ends.gone(pods[1]) })
	s.whole(pods[1])
	s.leave()
	total := s.load.Wait().Total()
	s.close()

	for _, pod := range pods {
		if !slices.ContainsFunc(s.ends.of(t, pod, "app"), func(e end) bool { return e.ExitCode == 137 }) {
			t.Errorf("the app in %s was not killed: %v", pod, s.ends.of(t, pod, "app"))
		}
	}
	killed := 0
	sum := s.settle(func(e end, r *lifecycle.Receipt) {
		switch {
		case f.name == "first" && r.App.Exit != nil && r.App.Exit.OutOfMemory:
			killed++
			if r.Exit != 137 {
				t.Errorf("%v: the app %s", e, r.App.Words)
			}
		case f.marker != "" && e.pod == pods[1]: // no marker: the app was killed before it could write one
			killed++
			if !r.App.Evidence.Finished || r.App.Evidence.By != "quiet" || r.App.Mark != nil {
				t.Errorf("%v: the app %s, %+v", e, r.App.Words, r.App.Evidence)
			}
		default:
			s.checkEnd(e, r)
		}
	})
	if want := map[string]int{"first": 2, "native": 0, "second": 1}[f.name]; killed != want {
		t.Errorf("%d receipts know that the app was killed, want %d", killed, want)
	}
	t.Logf("%s: %v; %d of %d requests failed", s.namespace, sum, total.Failed(), total.Requests)
	distinct, _ := s.arrived(2 * mailWorkers) // those whose 250 a tracker had no time to note
	if sum.accepted != int64(distinct) || sum.leftOver != 0 {
		t.Errorf("%d mails arrived; %v", distinct, sum)
	}
	if torn := s.torn(); torn != 2 {
		t.Errorf("%d lines were cut off, want 2", torn)
	}
	s.shipped()
}

// testMailDown: the mail server is down while a pod ends. What the agent has accepted is where its receipt
// says, and is delivered from there.
func testMailDown(t *testing.T, c *kube.Cluster, f form, number int) {
	s := newSite(t, c, f, number)
	s.visit()
	s.mails(20)
	s.box.down()
	s.endTroubled(s.mails(20), func() { s.box.up(t) })
}

// testMailSlow: the mail server takes so long for each mail that the time for the stop does not suffice.
func testMailSlow(t *testing.T, c *kube.Cluster, f form, number int) {
	s := newSite(t, c, f, number)
	s.visit()
	s.mails(20)
	s.box.delay.Store(int64(16 * time.Second))
	s.endTroubled(s.mails(60), func() { s.box.delay.Store(int64(usualDelay)) })
}

// mails waits until the tracker of a pod has got so many more 250s, and returns the pod.
func (s *site) mails(n int) string {
	s.Helper()
	pods := s.whole("")
	before := map[string]int{}
	for _, pod := range pods {
		before[pod] = count(s.logged(pod), tracker.MailAccepted)
	}
	found := ""
	process.Eventually(s.T, "mail is accepted", func() bool {
		for _, pod := range pods {
			if count(s.logged(pod), tracker.MailAccepted) >= before[pod]+n {
				found = pod
			}
		}
		return found != ""
	})
	return found
}

// endTroubled ends one pod, mends the mail server, ends the others, and injects what is left over.
func (s *site) endTroubled(pod string, mend func()) {
	s.Helper()
	s.remove(pod)
	process.Eventually(s.T, "the pod has ended", func() bool { return s.ends.gone(pod) })
	s.leave()
	s.load.Wait()
	mend()
	s.whole(pod)
	s.close()

	var left []leftover
	sum := s.settle(func(e end, r *lifecycle.Receipt) {
		if e.pod != pod {
			if !r.Complete {
				s.Errorf("%v: %s", e, e.Message)
			}
			return
		}
		if r.Exit != lifecycle.ExitLeftOver || r.Complete {
			s.Errorf("%v: %s", e, e.Message)
		}
		for _, part := range r.Parts {
			if part.Unit == "mails" && part.LeftOver > 0 {
				left = append(left, leftover{s.here(e.pod, part.Where), part.LeftOver})
			}
		}
	})
	s.Logf("%s: %v", s.namespace, sum)
	if len(left) == 0 {
		s.Fatal("nothing is left over: the test has not met its case")
	}
	before, _ := s.box.contents()
	for _, l := range left {
		s.inject(l)
	}
	// A tracker that stops gives up mails that an agent may just be accepting.
	distinct, duplicates := s.arrived(2 * mailWorkers)
	if distinct == len(before) {
		s.Errorf("what was left over had arrived before")
	}
	if int64(distinct) > sum.accepted || sum.accepted != sum.delivered+sum.leftOver {
		s.Errorf("%d mails arrived; %v", distinct, sum)
	}
	s.shipped()
	// A delivery that was cut off may have happened: only those can be there twice.
	if int64(duplicates) > sum.perhapsTwice+sum.leftOver {
		s.Errorf("%d copies; %v", duplicates, sum)
	}
}

// leftover is what a receipt says is left.
type leftover struct {
	where string
	mails int64
}

// inject gives what is left over to another agent, as a person does, and stops that agent.
func (s *site) inject(l leftover) {
	s.Helper()
	dir := s.TempDir()
	file := process.WriteFile(s.T, dir, "yadokari.yaml", fmt.Sprintf(`agent:
  admin: "127.0.0.1:%d"
  shutdown: {grace: 60s}
  mail:
    socket: %s/mail.sock
    listen: ""
    spool: %s/spool
    upstream: {address: %q, tls: "off"}
    retry: {first: 1s, unreachable: 1s}
`, 20000+s.number, dir, dir, s.box.listener.Addr()))
	agent := process.Start(s.T, "agent", s.cluster.Command(s.ctx, program("yadokari"), "agent", "-c", file))
	agent.Says(s.T, "agent is ready")
	answer, err := s.cluster.Command(s.ctx, program("yadokari"), "mail", "inject", l.where, "-c", file, "-o", "json").Output()
	var injected struct{ Taken int64 }
	if err == nil {
		err = json.Unmarshal(answer, &injected)
	}
	if err != nil || injected.Taken != l.mails {
		s.Errorf("inject: %s, %v; want %d mails", answer, err, l.mails)
	}
	if code := agent.Stop(s.T); code != 0 {
		s.Errorf("the agent that injected ended with %d", code)
	}
	r := lastReceipt(s.T, agent)
	for _, part := range r.Parts {
		if part.Unit == "mails" && (part.In["injected"] != l.mails || part.Out["delivered"] != l.mails) {
			s.Errorf("%d mails were injected: %+v", l.mails, part)
		}
	}
	if rest, _ := filepath.Glob(filepath.Join(l.where, "*.mail")); len(rest) > 0 {
		s.Errorf("mail remains in %s: %v", l.where, rest)
	}
}

// lastReceipt is the receipt among the lines that an agent wrote.
func lastReceipt(t *testing.T, agent *process.Process) *lifecycle.Receipt {
	t.Helper()
	for _, line := range slices.Backward(bytes.Split([]byte(agent.Out.String()), []byte("\n"))) {
		var r lifecycle.Receipt
		if json.Unmarshal(line, &r) == nil && r.Message == "receipt" {
			return &r
		}
	}
	t.Fatalf("no receipt:\n%s", agent.Out)
	return nil
}
