package stop

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"yadokari/lifecycle"
	"yadokari/test/kube"
	"yadokari/test/process"
)

// connections is how many mails an agent has under way to the mail server at most.
const connections = 8

// testAgentKilled: the agent is killed (SIGKILL) while people use the app, once while mail goes through and once
// while it waits. Its container starts again and the pod stays, and with it an emptyDir: every mail that got a 250
// before arrives from the spool there, and every line of the audit log from the checkpoint.
func testAgentKilled(t *testing.T, c *kube.Cluster, f form, number int) {
	f.keep = `wait: 0s
spool: /spool
leftover: {dir: /out/leftover, spool: true}`
	s := newSite(t, c, f, number)
	s.visit()
	flowing := s.mails(20)
	s.killAgent(flowing)
	s.whole("")
	s.box.down()
	waiting := s.mails(20)
	s.killAgent(waiting)
	s.box.up(t)
	s.whole("")
	s.mails(20)
	s.leave()
	s.load.Wait()
	s.close()

	var recovered, waited int64 // found in the spools; in that of the second kill
	sum := s.settle(func(e end, r *lifecycle.Receipt) {
		if !r.Complete || r.Exit != 0 {
			t.Errorf("%v: %s", e, e.Message)
		}
		s.checkEnd(e, r)
		for _, part := range r.Parts {
			if part.Unit != "mails" {
				continue
			}
			recovered += part.In["recovered"]
			if e.pod == waiting {
				waited += part.In["recovered"]
			}
		}
	})
	t.Logf("%s: %d mails recovered; %v", s.namespace, recovered, sum)
	if waited < 20 {
		t.Errorf("%d mails were found in the spool", waited)
	}
	// A mail whose 250 was cut off is sent again; the first form's tracker ends with its agent, and does not.
	distinct, duplicates := s.arrived(2 * mailWorkers)
	if most := 2*(connections+mailWorkers) + int(sum.perhapsTwice); duplicates > most {
		t.Errorf("%d copies, of which %d can be explained", duplicates, most)
	}
	// What the killed agents delivered is in no receipt; all others say what became of what they had.
	if sum.leftOver != 0 || sum.delivered != sum.accepted+recovered || sum.delivered > int64(distinct+duplicates) {
		t.Errorf("%d mails arrived, %d more than once; %d recovered; %v", distinct, duplicates, recovered, sum)
	}
	s.shipped()
}

// killAgent kills the agent of a pod and waits until it runs again. The signal comes from outside, as the kernel's
// does: the first process of a container cannot be killed from inside.
func (s *site) killAgent(pod string) {
	s.Helper()
	first := s.agentOf(pod)
	if first == 0 {
		s.Fatalf("no agent runs in %s", pod)
	}
	s.must(syscall.Kill(first, syscall.SIGKILL))
	s.killed[pod]++
	process.Eventually(s.T, "the agent has ended", func() bool { return len(s.ends.of(s.T, pod, s.form.agent)) >= s.killed[pod] })
	process.Eventually(s.T, "the agent runs again", func() bool {
		next := s.agentOf(pod)
		return next != 0 && next != first
	})
}

// agentOf is the process of the agent of a pod; 0: there is none.
func (s *site) agentOf(pod string) int {
	s.Helper()
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	s.must(err)
	for _, file := range lines {
		line, err := os.ReadFile(file)
		if err != nil || !strings.HasPrefix(string(line), "/yadokari\x00agent\x00") {
			continue // it may have ended
		}
		folder := filepath.Dir(file)
		surroundings, err := os.ReadFile(filepath.Join(folder, "environ"))
		if err != nil || !bytes.Contains(append([]byte{0}, surroundings...), fmt.Appendf(nil, "\x00POD_NAME=%s\x00", pod)) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(folder))
		s.must(err)
		return pid
	}
	return 0
}
