package verdict

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"yadokari/test/process"
)

// common is a trouble that both sides have, since they are the same program.
type common struct {
	name, stage string
	visits      float64 // of ordinary users a second
	visit       visit
	trouble     func(*testing.T, *trial)
	timeout     time.Duration // fallback.timeout; 0: its default
	// check looks at what users met, and says a word on it.
	check func(*testing.T, []access) string
}

// trial is one shift under way.
type trial struct {
	*gateway
	*scene
	*crowd
	share float64
}

const (
	people   = 2000             // who visit during one shift; each shift has others
	settling = 200              // requests before and after a trouble
	judged   = time.Second / 2  // by then the verdict knows what was seen last
	usual    = 10 * time.Second // the default of fallback.timeout
)

var places = []place{
	{"NGINX and Python", pythonShop, []common{
		{name: "a crawler asks for a page that is broken", stage: "5%", visits: 50, visit: shopping, trouble: crawler("/broken", 120)},
		{name: "a crawler asks for a page that is broken", stage: "50%", visits: 50, visit: shopping, trouble: crawler("/broken", 120)},
		{name: "a scanner asks for what is not there", stage: "5%", visits: 50, visit: shopping, trouble: crawler("/wp-login.php", 120)},
	}},
	{"Python", pythonPages, []common{
		{name: "MariaDB refuses for 300 ms, 400 requests/s", stage: "50%", visits: 400, visit: looking("/item/7"), trouble: refused(300 * time.Millisecond)},
		{name: "both sides restart, one server after the other", stage: "25%", visits: 200, visit: looking("/item/7"), trouble: rollingRestart},
	}},
	{"JVM", jvmShop, []common{
		{name: "one client asks for a page of 250 ms", stage: "5%", visits: 100, visit: looking("/"), trouble: crawler("/heavy", 120)},
		{name: slowPage, stage: "25%", visits: 150, visit: reporting, timeout: time.Second, trouble: moreRequests(400), check: waits},
		{name: slowPage, stage: mirror, visits: 150, visit: reporting, timeout: time.Second, trouble: moreRequests(400)},
		{name: slowPage, stage: done, visits: 150, visit: reporting, timeout: time.Second, trouble: moreRequests(400), check: waits},
		{name: "MariaDB refuses for 300 ms, 1,000 requests/s", stage: "50%", visits: 1000, visit: looking("/"), trouble: refused(300 * time.Millisecond)},
		{name: "MariaDB refuses for 300 ms, 1,000 requests/s", stage: "5%", visits: 1000, visit: looking("/"), trouble: refused(300 * time.Millisecond)},
		{name: "MariaDB refuses for 2 s", stage: done, visits: 200, visit: looking("/"), trouble: refused(2 * time.Second)},
		{name: "MariaDB refuses for 2 s", stage: last, visits: 200, visit: looking("/"), trouble: refused(2 * time.Second)},
	}},
	{"JVM, impatient", impatientJVM, []common{
		{name: "MariaDB is frozen for 300 ms, 400 requests/s", stage: "50%", visits: 400, visit: looking("/"), trouble: frozen(300 * time.Millisecond)},
		{name: "MariaDB is frozen for 300 ms, 1,000 requests/s", stage: "50%", visits: 1000, visit: looking("/"), trouble: frozen(300 * time.Millisecond)},
	}},
	{"NGINX", staticSite, []common{
		{name: "two people on slow lines download 16 MB", stage: "5%", visits: 100, visit: looking("/page.html"), trouble: downloads},
	}},
	{"NGINX behind NGINX", oneHopMore, []common{
		{name: "one hop more before pages that take no time", stage: "20%", visits: 1000, visit: looking("/page.html"), trouble: moreRequests(10000)},
	}},
}

const slowPage = "a page takes longer than fallback.timeout"

// TestSameProgram moves users between two sides that are the same program, and to which the same happens.
func TestSameProgram(t *testing.T) {
	t.Parallel()
	rows := newTable("Servers", "Trouble that both sides have", "Stage", "Condemned", "")
	d := startDatabase(t)
	for _, p := range places {
		t.Run(p.name, func(t *testing.T) {
			s := p.scene(t, d)
			for _, c := range p.troubles {
				t.Run(c.stage+": "+c.name, func(t *testing.T) {
					condemned, word := c.try(t, s)
					rows.add(p.name, c.name, c.stage, fmt.Sprintf("%d of %d", condemned, *sameShifts), word)
					if condemned > 0 {
						t.Errorf("%d of %d shifts were rolled back", condemned, *sameShifts)
					}
				})
			}
		})
	}
	rows.print(t)
}

// try makes the shifts and counts those that were rolled back.
func (c *common) try(t *testing.T, s *scene) (condemned int, word string) {
	g := startGateway(t, cmp.Or(c.timeout, usual), addresses(s.vm), addresses(s.containers))
	for n := range *sameShifts {
		if reason := c.shift(t, &trial{gateway: g, scene: s}, n); reason != "" {
			condemned++
			word = reason
			t.Logf("shift %d is rolled back: %s", n+1, reason)
		}
	}
	if lines := g.log.lines(t); c.check != nil {
		word = strings.TrimPrefix(word+"; "+c.check(t, lines), "; ")
	}
	return condemned, word
}

// shift makes one of them, with people who have not been there before; it returns why it was rolled back.
func (c *common) shift(t *testing.T, s *trial, n int) string {
	s.share = shareOf(c.stage)
	crowd, ctx := newCrowd(t, s.address)
	s.crowd = crowd
	defer s.end()
	s.enter(t, c.stage)
	s.admit(ctx, 1+n*people, people, c.visits, c.visit)
	s.served(t, settling)
	if c.stage == last {
		s.promote(t)
		s.served(t, settling)
	}
	c.trouble(t, s)
	s.served(t, settling)
	time.Sleep(judged)
	if now := s.status(t); now.State == rolledBack {
		return now.Reason
	}
	return ""
}

// served waits until users have sent so many more requests.
func (s *trial) served(t *testing.T, requests int64) {
	t.Helper()
	until := s.sent.Load() + requests
	process.Eventually(t, fmt.Sprintf("%d more requests are sent", requests), func() bool { return s.sent.Load() >= until })
}

// crawler is one client on the new side that asks for a page again and again, faster than crawlers do.
func crawler(path string, times int) func(*testing.T, *trial) {
	return func(t *testing.T, s *trial) {
		s.send(t.Context(), keyBelow(s.share, "crawler"), times, 30, looking(path))
	}
}

// reporting is a visit that is for a report now and then.
func reporting(u *user) {
	if rand.Float64() < 0.2 {
		u.get("/report")
	} else {
		u.get("/")
	}
}

// moreRequests is no trouble but time for the verdict.
func moreRequests(n int64) func(*testing.T, *trial) {
	return func(t *testing.T, s *trial) { t.Helper(); s.served(t, n) }
}

// reportTime is how long a report takes, in milliseconds.
const reportTime = 1200

// waits looks at how long reports took that were first asked of the new side.
func waits(t *testing.T, lines []access) string {
	t.Helper()
	var times []float64
	for _, a := range lines {
		if a.moved() && a.Target == "/report" {
			times = append(times, a.Duration)
		}
	}
	if len(times) == 0 {
		t.Error("no report was asked of the new side")
		return ""
	}
	slices.Sort(times)
	if shortest := times[0]; shortest > reportTime+900 {
		t.Errorf("each of %d reports took longer than %.0f ms, though a report takes %d ms", len(times), shortest, reportTime)
	}
	return fmt.Sprintf("reports took %.2f s in the middle", times[len(times)/2]/1000)
}

// refused is a database that refuses connections for a while.
func refused(while time.Duration) func(*testing.T, *trial) {
	return func(t *testing.T, s *trial) { t.Helper(); s.database.refuse(t, while) }
}

// frozen is a database that says nothing for a while.
func frozen(while time.Duration) func(*testing.T, *trial) {
	return func(_ *testing.T, s *trial) { s.database.freeze(while) }
}

// downloads are of two people whose lines take 16 MB a second, so that one download takes one second.
func downloads(t *testing.T, s *trial) {
	people := &crowd{url: s.url, client: slowLine(filmSize)}
	var under sync.WaitGroup
	for _, name := range []string{"lover", "critic"} {
		u := &user{crowd: people, ctx: t.Context(), key: keyBelow(s.share, name)}
		under.Go(func() {
			for range 5 {
				u.get("/film.bin")
			}
		})
	}
	under.Wait()
	people.client.CloseIdleConnections()
}

// rollingRestart restarts the servers of both sides, one of each at a time.
func rollingRestart(t *testing.T, s *trial) {
	for i := range s.vm {
		pair := []*server{s.vm[i], s.containers[i]}
		for _, server := range pair {
			server.Signal(syscall.SIGTERM)
		}
		for _, server := range pair {
			<-server.Exited // gunicorn kills its workers after graceful-timeout
		}
		for _, server := range pair {
			server.launch(t)
		}
		for _, server := range pair {
			server.Listening(t, server.address)
		}
		s.served(t, settling)
	}
}
