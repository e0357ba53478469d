package verdict

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"yadokari/test/process"
)

// regression is a way in which the new side is worse, from the beginning of the stage on.
type regression struct {
	name string
	// settings are of the new side's shop.py, locations of its NGINX, before those of the shop.
	settings, locations string
	hangs               bool // the new side's shop is stopped
	copies              bool // GET alone shows it, so that mirror finds it as well
	rare                bool // few requests show it, or only time does (slowFor), so that it may take more of them
}

var regressions = []regression{
	{name: "every POST is answered 403: another secret for forms", settings: "SHOP_SECRET=another secret"},
	{name: "401 everywhere", locations: "auth_basic staging; auth_basic_user_file /dev/null;", copies: true},
	{name: "404 on pictures", locations: "location ~ [.]png$ { root /nonexistent; }", copies: true},
	{name: "everybody is sent to the login: a session store of its own", settings: "SHOP_SESSIONS=sessions_of_its_own", copies: true},
	{name: "half a page with status 200", settings: "SHOP_TEMPLATES=half", copies: true},
	{name: "an empty body with status 200", settings: "SHOP_TEMPLATES=none", copies: true},
	{name: "redirects lead to another host", settings: "SHOP_URL=http://shop.internal"},
	{name: "photos are refused with 413", locations: "client_max_body_size 16k;", rare: true},
	{name: "421 everywhere", locations: "return 421;", copies: true},
	{name: "500 everywhere: another password of the database", settings: "SHOP_PASSWORD=the-wrong-password", copies: true},
	{name: "the new side hangs", hangs: true, copies: true},
	{name: "pages take 150 ms longer", settings: "SHOP_SLOWER=0.15", copies: true, rare: true},
	{name: "forms are shown again with status 200", settings: "SHOP_LOCALE=other", rare: true},
}

const (
	promised = 200             // requests of moved users until a regression is found
	enough   = 1000            // after which nobody looks any more; in mirror ten times as many copies
	long     = time.Minute     // likewise
	logged   = time.Second / 2 // by then the access log is written
)

// found is what it took until the users were back.
type found struct {
	requests, users int // of moved users; in mirror: requests that were copied, and their users
	seconds         float64
	reason          string // empty: the route was not rolled back
}

// TestWorse moves users to a side that is worse in a way that they would complain about. It must be found with 5 %
// of the users, within few requests of theirs, or in mirror.
func TestWorse(t *testing.T) {
	t.Parallel()
	rows := newTable("The new side", "Stage", "Found", "Requests", "Users", "Seconds", "Reason")
	d := startDatabase(t)
	vm := startNGINX(t, "vm", behind(startPython(t, d)))
	first := 1
	for _, r := range regressions {
		t.Run(r.name, func(t *testing.T) {
			g := startGateway(t, usual, []string{vm.address}, []string{r.start(t, d).address})
			in := func(stage string) (all []found) {
				for range *worseShifts {
					all = append(all, r.shift(t, g, stage, first))
					if first += people; first+people > sessions {
						first = 1 // of an earlier gateway
					}
				}
				rows.add(append([]string{r.name, stage}, summary(all)...)...)
				return all
			}
			moved := in("5%")
			if r.copies && soon(in(mirror), 10*enough) {
				return
			}
			most := promised
			if r.rare {
				most = enough
			}
			if !soon(moved, most) {
				t.Errorf("not found within %d requests of moved users", most)
			}
		})
	}
	rows.print(t)
}

// start starts the new side.
func (r *regression) start(t *testing.T, d *database) *server {
	t.Helper()
	var settings []string
	if r.settings != "" {
		settings = append(settings, r.settings)
	}
	shop := startPython(t, d, settings...)
	front := startNGINX(t, "containers", r.locations+behind(shop))
	if r.hangs {
		shop.pause(t)
	}
	return front
}

// shift moves 5 % of the users, or copies, until the route is rolled back, or enough was seen.
func (r *regression) shift(t *testing.T, g *gateway, stage string, first int) found {
	t.Helper()
	c, ctx := newCrowd(t, g.address)
	g.log.lines(t)
	g.enter(t, stage)
	begun := time.Now()
	c.admit(ctx, first, people, 60, shopping)
	var seen []access
	var now status
	process.Eventually(t, "the route is rolled back, or enough was seen", func() bool {
		now = g.status(t)
		seen = append(seen, concerned(g.log.lines(t), stage)...)
		return now.State == rolledBack || len(seen) > enough && stage != mirror || len(seen) > 10*enough || time.Since(begun) > long
	})
	f := found{seconds: time.Since(begun).Seconds()}
	if now.State == rolledBack {
		f.reason = now.Reason
	}
	t.Logf("%s: %.1f s: %s", stage, f.seconds, cmp.Or(f.reason, "not rolled back"))
	c.end()
	time.Sleep(logged)
	seen = append(seen, concerned(g.log.lines(t), stage)...)
	users := map[string]bool{}
	for _, a := range seen {
		users[a.User] = true
	}
	f.requests, f.users = len(seen), len(users)
	return f
}

// concerned are the requests that the new side was asked, or was sent a copy of.
func concerned(lines []access, stage string) (list []access) {
	for _, a := range lines {
		if a.moved() || stage == mirror && a.Method == http.MethodGet {
			list = append(list, a)
		}
	}
	return list
}

// soon reports whether each shift was rolled back within so many requests.
func soon(all []found, requests int) bool {
	return !slices.ContainsFunc(all, func(f found) bool { return f.reason == "" || f.requests > requests })
}

// summary is the table's cells for some shifts: those in the middle, and the longest one.
func summary(all []found) []string {
	rolled := 0
	var requests, users []int
	var seconds []float64
	for _, f := range all {
		if f.reason != "" {
			rolled++
		}
		requests, users, seconds = append(requests, f.requests), append(users, f.users), append(seconds, f.seconds)
	}
	return []string{
		fmt.Sprintf("%d of %d", rolled, len(all)), span(requests, "%d"), span(users, "%d"), span(seconds, "%.1f"), all[0].reason,
	}
}

// span is the value in the middle and, of several, the largest one.
func span[T cmp.Ordered](values []T, format string) string {
	slices.Sort(values)
	middle := fmt.Sprintf(format, values[len(values)/2])
	if len(values) == 1 {
		return middle
	}
	return middle + ", at most " + fmt.Sprintf(format, values[len(values)-1])
}
