package balance

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// conns stands for connections to one server: it counts closes and answers checks as it is told.
type conns struct {
	address Address
	closed  atomic.Int32
	checks  atomic.Int32
	sick    atomic.Bool
	asked   atomic.Pointer[string]
}

func (c *conns) Close() error {
	c.closed.Add(1)
	return nil
}

func (c *conns) Check(ctx context.Context, path, host string) error {
	c.checks.Add(1)
	asked := host + path
	c.asked.Store(&asked)
	if c.sick.Load() {
		return errors.New("status 503")
	}
	return ctx.Err()
}

// records is a resolver that answers from a map; a missing name is an error.
type records struct {
	sync.Mutex
	hosts map[string][]string
	asked int
}

func (r *records) set(host string, addresses ...string) {
	r.Lock()
	defer r.Unlock()
	if r.hosts == nil {
		r.hosts = map[string][]string{}
	}
	r.hosts[host] = addresses
}

func (r *records) LookupNetIP(_ context.Context, _, host string) (all []netip.Addr, err error) {
	r.Lock()
	defer r.Unlock()
	r.asked++
	addresses, ok := r.hosts[host]
	if !ok {
		return nil, errors.New("no such host")
	}
	for _, a := range addresses {
		all = append(all, netip.MustParseAddr(a))
	}
	return all, nil
}

func config(servers ...string) Config {
	return Config{
		Servers: servers, Resolve: 5 * time.Second, SlowStart: 10 * time.Second,
		Passive: Passive{Failures: 3, Eject: 5 * time.Second},
	}
}

func literal(n int) (servers []string) {
	for i := range n {
		servers = append(servers, fmt.Sprintf("http://10.0.0.%d:9000", i+1))
	}
	return servers
}

func id(n int) string { return fmt.Sprintf("10.0.0.%d:9000", n) }

// group makes a group and a list of all that it opened.
func group(t testing.TB, cfg Config, o Options) (*Group[*conns], func() []*conns) {
	t.Helper()
	o.Name = "vm"
	var mu sync.Mutex
	var opened []*conns
	g, err := New(cfg, o, func(a Address) *conns {
		mu.Lock()
		defer mu.Unlock()
		opened = append(opened, &conns{address: a})
		return opened[len(opened)-1]
	})
	if err != nil {
		t.Fatal(err)
	}
	return g, func() []*conns {
		mu.Lock()
		defer mu.Unlock()
		return append([]*conns{}, opened...)
	}
}

func pick(t testing.TB, g *Group[*conns], tried ...*Server[*conns]) *Server[*conns] {
	t.Helper()
	s, err := g.Pick(tried...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// shares picks n times from an idle group and counts who was picked.
func shares(t testing.TB, g *Group[*conns], n int) map[string]int {
	t.Helper()
	count := map[string]int{}
	for range n {
		s := pick(t, g)
		count[s.ID]++
		s.Done(Connected)
	}
	return count
}

func status(t testing.TB, g *Group[*conns], id string) ServerStatus {
	t.Helper()
	for _, s := range g.Status() {
		if s.ID == id {
			return s
		}
	}
	t.Fatalf("no server %s in %v", id, g.Status())
	return ServerStatus{}
}

func near(t testing.TB, what string, got, want, tolerance float64) {
	t.Helper()
	if got < want-tolerance || got > want+tolerance {
		t.Errorf("%s: %.3f, want %.3f ± %.3f", what, got, want, tolerance)
	}
}

func TestEqualServersGetEqualParts(t *testing.T) {
	g, _ := group(t, config(literal(5)...), Options{})
	const n = 50000
	for server, got := range shares(t, g, n) {
		near(t, server, float64(got)/n, 0.2, 0.01) // five standard deviations
	}
}

// With requests kept in flight the better of two keeps loads close together: far closer than chance.
func TestBetterOfTwoEvensOutLoad(t *testing.T) {
	g, _ := group(t, config(literal(10)...), Options{})
	for range 1000 {
		pick(t, g)
	}
	for _, s := range g.Status() {
		if s.InFlight < 90 || s.InFlight > 110 { // at random the extremes of ten would be about 85 and 115
			t.Errorf("%s has %d requests in flight of 1000 over ten", s.ID, s.InFlight)
		}
	}
}

// A server that takes ten times as long must get clearly less.
func TestSlowServerGetsLess(t *testing.T) {
	g, _ := group(t, config(literal(3)...), Options{})
	type running struct {
		s   *Server[*conns]
		end int
	}
	var under []running
	count := map[string]int{}
	for tick := range 6000 {
		kept := under[:0]
		for _, r := range under {
			if r.end <= tick {
				r.s.Done(Connected)
			} else {
				kept = append(kept, r)
			}
		}
		under = kept
		s := pick(t, g)
		count[s.ID]++
		length := 6
		if s.ID == id(1) {
			length = 60
		}
		under = append(under, running{s, tick + length})
	}
	if slow := float64(count[id(1)]) / 6000; slow > 0.15 {
		t.Errorf("the slow server of three got %.2f of the requests", slow)
	}
	if count[id(1)] == 0 {
		t.Error("the slow server got nothing")
	}
}

func TestTriedServersAreLeftOut(t *testing.T) {
	g, _ := group(t, config(literal(3)...), Options{})
	for range 100 {
		a := pick(t, g)
		b := pick(t, g, a)
		c := pick(t, g, a, b)
		if a == b || b == c || a == c {
			t.Fatal("a tried server was picked again")
		}
		if _, err := g.Pick(a, b, c); !errors.Is(err, ErrNoServer) || !strings.Contains(err.Error(), `"vm"`) {
			t.Fatal(err)
		}
		for _, s := range []*Server[*conns]{a, b, c} {
			s.Done(Undecided)
		}
	}
	for _, s := range g.Status() {
		if s.InFlight != 0 {
			t.Errorf("%s has %d in flight after all are done", s.ID, s.InFlight)
		}
	}
}

func TestNewRefusesABadConfig(t *testing.T) {
	if _, err := New(config(), Options{Name: "vm"}, func(Address) *conns { return nil }); err == nil || !strings.Contains(err.Error(), "vm") {
		t.Error(err)
	}
	cfg := config(literal(1)...)
	cfg.Health = &Health{Path: "/", Every: 1, Timeout: 1, Fall: 1, Rise: 1}
	if _, err := New(cfg, Options{Name: "vm"}, func(Address) closer { return closer{} }); err == nil || !strings.Contains(err.Error(), "cannot be checked") {
		t.Error(err)
	}
}

type closer struct{}

func (closer) Close() error { return nil }

// Picks, outcomes, drains and lookups at once: the sums are right, nothing is closed while it is in
// use, and everything is closed once.
func TestManyAtOnce(t *testing.T) {
	r := &records{}
	r.set("pods", "10.0.0.1", "10.0.0.2", "10.0.0.3")
	cfg := config("http://pods:9000")
	cfg.Passive.Eject = time.Microsecond
	g, opened := group(t, cfg, Options{Resolver: r})
	stop := make(chan struct{})
	var users, meddlers sync.WaitGroup
	for n := range 8 {
		users.Go(func() {
			for i := range 3000 {
				s, err := g.Pick()
				if err != nil {
					if !errors.Is(err, ErrNoServer) {
						t.Error(err)
					}
					continue
				}
				if s.Conns.closed.Load() != 0 {
					t.Error("picked a server that is closed")
				}
				s.Done(Outcome((i + n) % 3))
			}
		})
	}
	meddlers.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			r.set("pods", []string{"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"}[i%3:i%3+2]...)
			g.resolve(t.Context(), false)
		}
	})
	meddlers.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if g.Drain(id(2)) == nil {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				if err := g.Wait(ctx, id(2)); err != nil {
					t.Error(err)
				}
				cancel()
				g.Undrain(id(2))
			}
			g.Status()
		}
	})
	users.Wait()
	close(stop)
	meddlers.Wait()
	if err := g.Close(); err != nil {
		t.Error(err)
	}
	for _, c := range opened() {
		if n := c.closed.Load(); n != 1 {
			t.Errorf("%s closed %d times", c.address.ID, n)
		}
	}
	if _, err := g.Pick(); !errors.Is(err, ErrNoServer) {
		t.Error(err)
	}
}

// After Wait has returned for a drained server, no request may be on it: a deploy script stops it then.
func TestNoRequestOnADrainedServerAfterWait(t *testing.T) {
	g, _ := group(t, config(literal(2)...), Options{})
	var stopped atomic.Bool
	done := make(chan struct{})
	var users sync.WaitGroup
	for range 4 {
		users.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				s, err := g.Pick()
				if err != nil {
					t.Error(err)
					return
				}
				if s.ID == id(1) && stopped.Load() {
					t.Error("a request is on a server that was drained and waited for")
				}
				s.Done(Connected)
			}
		})
	}
	for range 300 {
		if err := g.Drain(id(1)); err != nil {
			t.Fatal(err)
		}
		if err := g.Wait(t.Context(), id(1)); err != nil {
			t.Fatal(err)
		}
		stopped.Store(true)
		if n := status(t, g, id(2)).InFlight; n < 0 {
			t.Error(n)
		}
		stopped.Store(false)
		if err := g.Undrain(id(1)); err != nil {
			t.Fatal(err)
		}
	}
	close(done)
	users.Wait()
}
