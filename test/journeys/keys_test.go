package journeys

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os/exec"
	"strings"
	"testing"

	"yadokari/test/process"
)

// memoryRoute makes no copies: sessions in the memory of one side are not known to the other.
const memoryRoute = `
    - name: all
      match: ["/"]
      shift: {stages: [50%, 100%], hold: 1h, promote: manual}
      mirror: {moved: 0%}
`

// startMemory starts an app that keeps its sessions in memory, and says where it is.
func startMemory(t *testing.T, name string, more ...string) (address string, app *process.Process) {
	t.Helper()
	address = process.FreeAddress(t)
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	app = process.Start(t, name, exec.Command("/usr/bin/python3", append([]string{"testdata/memory.py", host, port, name}, more...)...))
	app.Listening(t, address)
	return address, app
}

// person is a user with a browser of his own.
type person struct {
	client  *http.Client
	url     string
	servers map[string]bool // that answered
	out     int             // pages on which he was logged out
}

func newPerson(url string) *person {
	jar, _ := cookiejar.New(nil) // never fails
	return &person{client: &http.Client{Jar: jar}, url: url, servers: map[string]bool{}}
}

// get asks for a page and returns who answered.
func (p *person) get(t *testing.T, path string) (server string) {
	t.Helper()
	answer, err := p.client.Get(p.url + path)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	switch string(text) {
	case "page":
	case "logged out":
		p.out++
	default:
		t.Errorf("%s: %d %s", path, answer.StatusCode, text)
	}
	server = answer.Header.Get("X-Server")
	p.servers[server] = true
	return server
}

// people log in and look at five pages each, one after the other.
func people(t *testing.T, url string, n int) []*person {
	t.Helper()
	all := make([]*person, n)
	for i := range all {
		all[i] = newPerson(url)
		all[i].get(t, "/login")
		for page := range 5 {
			all[i].get(t, fmt.Sprint("/page/", page))
		}
	}
	return all
}

// torn counts those who were answered by two servers, those whom each server answered, and the pages on which
// somebody was logged out.
func torn(all []*person) (both, out int, by map[string]int) {
	by = map[string]int{}
	for _, p := range all {
		if len(p.servers) > 1 {
			both++
		}
		for server := range p.servers {
			by[server]++
		}
		out += p.out
	}
	return both, out, by
}

// TestKeysThatChange moves half of 200 users of an app whose session cookie changes with every answer: by that
// cookie, which the gateway warns of, and by one of its own.
func TestKeysThatChange(t *testing.T) {
	vm, _ := startMemory(t, "vm", "changing")
	containers, _ := startMemory(t, "containers", "changing")
	s := setUp{vm: []string{vm}, containers: []string{containers}, routes: memoryRoute}
	g := startGateway(t, s)
	g.set(t, "all", "50%")
	both, out, by := torn(people(t, g.url(), 200))
	t.Logf("by the app's cookie: %d of 200 saw both sides, %d of 1000 pages logged out, by side %v", both, out, by)
	if both < 100 {
		t.Errorf("only %d of 200 users saw both sides: the app does not do what it is here for", both)
	}
	if text := g.mustCLI(t, "shift", "status"); !strings.Contains(text, "% of users changed key within a minute") {
		t.Errorf("shift status does not warn: %s", text)
	}

	s.sticky = "{own: true}"
	g.configure(t, s)
	g.MustStop(t)
	g.run(t)
	all := people(t, g.url(), 200)
	both, out, by = torn(all)
	t.Logf("by the gateway's: %d of 200 saw both sides, %d of 1000 pages logged out, by side %v", both, out, by)
	if both > 0 || out > 0 || by["vm"] < 60 || by["containers"] < 60 {
		t.Errorf("%d saw both sides, %d pages logged out, by side %v; want none, none, and about half each", both, out, by)
	}
	if text := g.mustCLI(t, "shift", "status"); strings.Contains(text, "changed key") {
		t.Errorf("shift status warns: %s", text)
	}

	g.Kill()
	g.run(t)
	for _, p := range all {
		p.get(t, "/after/kill")
	}
	if both, out, _ := torn(all); both > 0 || out > 0 {
		t.Errorf("after kill -9: %d saw both sides, %d pages logged out", both, out)
	}
	g.MustStop(t)
}

// TestSessionsInMemory puts an idle gateway before two VMs that keep sessions in memory, and then takes one of them away.
func TestSessionsInMemory(t *testing.T) {
	one, first := startMemory(t, "one")
	two, _ := startMemory(t, "two")
	containers, _ := startMemory(t, "containers")
	s := setUp{vm: []string{one, two}, containers: []string{containers}, routes: memoryRoute}
	g := startGateway(t, s)
	_, out, _ := torn(people(t, g.url(), 200))
	t.Logf("without affinity: %d of 1000 pages logged out", out)
	if out < 200 {
		t.Errorf("only %d pages logged out: the app does not do what it is here for", out)
	}

	s.old = ", affinity: {cookie: own}"
	g.configure(t, s)
	g.MustStop(t)
	g.run(t)
	all := people(t, g.url(), 200)
	both, out, by := torn(all)
	t.Logf("with affinity: %d of 1000 pages logged out, by server %v", out, by)
	if both > 0 || out > 0 || by["one"] < 60 || by["two"] < 60 {
		t.Errorf("%d saw two servers, %d pages logged out, by server %v; want none, none, and about half each", both, out, by)
	}

	first.Kill()
	moved := 0
	for _, p := range all {
		if p.servers["two"] {
			p.get(t, "/page")
			continue
		}
		p.get(t, "/login")
		p.get(t, "/page")
		moved++
	}
	if _, out, _ := torn(all); out > 0 || moved == 0 {
		t.Errorf("one of two servers was killed: %d of the other's users, or of the %d who logged in again, were logged out", out, moved)
	}
	g.MustStop(t)
}
