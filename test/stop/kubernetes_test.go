package stop

import (
	"io/fs"
	"math/rand/v2"
	"testing"

	"yadokari/examples/tracker"
	"yadokari/lifecycle"
	"yadokari/test/kube"
)

func TestKubernetes(t *testing.T) {
	c, err := kube.Start(t.Context(), kube.Options{Log: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	err = c.ImportImage(t.Context(), kube.Image{
		Name: "tracker:1", Entrypoint: []string{"/tracker"}, Dirs: map[string]fs.FileMode{"/tmp": 0o777 | fs.ModeSticky},
		Files: map[string]string{"/yadokari": program("yadokari"), "/tracker": program("tracker")},
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range forms {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			cases := []struct {
				name string
				test func(*testing.T, *kube.Cluster, form, int)
			}{{"Calm", testCalm}, {"OutOfMemory", testOutOfMemory}, {"MailDown", testMailDown}, {"MailSlow", testMailSlow}, {"AgentKilled", testAgentKilled}}
			for j, one := range cases {
				t.Run(one.name, func(t *testing.T) { one.test(t, c, f, 10*i+j) })
			}
			for j, trouble := range lineTroubles {
				t.Run(trouble.name, func(t *testing.T) { trouble.test(t, c, f, 10*i+len(cases)+j) })
			}
		})
	}
}

// testCalm: rolling restarts and pod deletions while people use the tracker. No request fails, no mail and no
// line of the audit log is lost, and every receipt says so.
func testCalm(t *testing.T, c *kube.Cluster, f form, number int) {
	s := newSite(t, c, f, number)
	s.visit()
	for range *restarts {
		s.restart()
	}
	not := ""
	for range *deletions {
		pods := s.whole(not)
		not = pods[rand.IntN(len(pods))]
		s.remove(not)
	}
	s.whole(not)
	s.leave()
	result := s.load.Wait()
	total := result.Total()
	t.Logf("%d restarts, %d deletions, %d pods, %d requests, %d failed; sockets %+v", *restarts, *deletions, s.ends.known(),
		total.Requests, total.Failed(), result.Sockets)
	if total.Failed() > 0 {
		t.Errorf("%d requests failed: %v", total.Failed(), result.Examples)
	}
	if result.Sockets.Dropped > 0 {
		t.Errorf("%d WebSockets were dropped without a close", result.Sockets.Dropped)
	}
	writes, err := s.load.Check(t.Context(), s.gateway)
	if err != nil || writes.Lost+writes.Doubled > 0 {
		t.Errorf("comments: %+v, %v", writes, err)
	}
	s.close()

	sum := s.settle(func(e end, r *lifecycle.Receipt) {
		if !r.Complete || r.Exit != 0 || r.Reason != "terminated" {
			t.Errorf("%v: %s", e, e.Message)
		}
		if file := s.fileReceipt(e.pod); file != e.Message && !r.Cut {
			t.Errorf("%v: the receipt's file says %q, the termination message %q", e, file, e.Message)
		}
		s.checkEnd(e, r)
		if left := s.checkLogs(e.pod); left != 0 {
			t.Errorf("%v: %d bytes of its log are left over", e, left)
		}
	})
	t.Logf("%s: %v", s.namespace, sum)
	if sum.receipts != s.ends.known() {
		t.Errorf("%d receipts of %d pods", sum.receipts, s.ends.known())
	}
	distinct, duplicates := s.arrived(0)
	outcomes := s.logged("*")
	if n := count(outcomes, tracker.MailAccepted); n != len(outcomes) || n != distinct || sum.accepted != int64(n) || sum.delivered != int64(n) || n == 0 {
		t.Errorf("%d mails, %d of them accepted, %d arrived; %v", len(outcomes), n, distinct, sum)
	}
	if int64(duplicates) > sum.perhapsTwice {
		t.Errorf("%d copies, and %d perhaps twice", duplicates, sum.perhapsTwice)
	}
	s.shipped()
}

// checkEnd wants the app to be known as finished in the way that is the form's.
func (s *site) checkEnd(e end, r *lifecycle.Receipt) {
	s.Helper()
	switch app := r.App; {
	case app == nil:
		s.Errorf("%v: no word of the app", e)
	case s.form.name == "first":
		if app.Exit == nil || app.Exit.Code != 0 || app.Exit.Killed {
			s.Errorf("%v: the app %s", e, app.Words)
		}
	case app.Evidence == nil || !app.Evidence.Finished:
		s.Errorf("%v: the app %s", e, app.Words)
	case s.form.marker != "" && app.Evidence.By != "marker":
		s.Errorf("%v: the app has finished by %s, not by its marker", e, app.Evidence.By)
	}
}
