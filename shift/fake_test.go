package shift

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"yadokari/judge"
	"yadokari/setting"
)

// journal records who was called in which order.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) note(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, fmt.Sprintf(format, args...))
}

func (j *journal) take() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	lines := j.lines
	j.lines = nil
	return lines
}

// plane is a data plane whose traffic a test makes.
type plane struct {
	journal *journal
	mu      sync.Mutex
	places  map[string]Placement
	at      map[string]time.Time
	traffic map[string]func(Placement, *judge.Window)
	refuse  error
	hang    chan struct{} // Apply of a share above 0 waits for it
}

func (p *plane) Apply(route string, to Placement) error {
	p.mu.Lock()
	refuse, hang := p.refuse, p.hang
	p.mu.Unlock()
	if hang != nil && to.Share > 0 {
		<-hang
	}
	if refuse != nil {
		return refuse
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.places[route], p.at[route] = to, time.Now()
	p.journal.note("apply %s %s", route, to.Share)
	return nil
}

func (p *plane) Collect(route string, w *judge.Window) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if f := p.traffic[route]; f != nil {
		f(p.places[route], w)
	}
}

func (p *plane) set(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
}

func (p *plane) share(route string) setting.Share {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.places[route].Share
}

// store keeps snapshots in memory and fails or hangs on demand.
type store struct {
	journal *journal
	mu      sync.Mutex
	held    Snapshot
	failing error
	broken  error // Load's error
	late    error // returned after having saved
	hang    chan struct{}
	news    chan struct{}
}

func (s *store) Load(context.Context) (Snapshot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.copied(), s.broken
}

func (s *store) copied() Snapshot {
	c := s.held
	c.Routes, c.Outbox = maps.Clone(c.Routes), slices.Clone(c.Outbox)
	return c
}

func (s *store) Save(_ context.Context, snapshot Snapshot) error {
	s.mu.Lock()
	hang := s.hang
	s.mu.Unlock()
	if hang != nil {
		<-hang
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failing != nil {
		return s.failing
	}
	if snapshot.Revision != s.held.Revision {
		return ErrConflict
	}
	if s.late != nil {
		s.held = snapshot
		return s.late
	}
	snapshot.Revision++
	s.held = snapshot
	s.held = s.copied()
	s.journal.note("save %d", snapshot.Revision)
	return nil
}

func (s *store) Watch(ctx context.Context) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.news = make(chan struct{}, 1)
	return s.news
}

func (s *store) set(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// notebook is a ledger in memory.
type notebook struct {
	journal *journal
	mu      sync.Mutex
	entries []Entry
	failing error
}

func (n *notebook) Append(entries ...Entry) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.failing != nil {
		return n.failing
	}
	for _, e := range entries {
		if last := n.last(); e.Seq > last {
			n.entries = append(n.entries, e)
			n.journal.note("ledger %d %s", e.Seq, e.Action)
		}
	}
	return nil
}

func (n *notebook) last() uint64 {
	if len(n.entries) == 0 {
		return 0
	}
	return n.entries[len(n.entries)-1].Seq
}

func (n *notebook) Last() (uint64, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.last(), nil
}

func (n *notebook) Read(f Filter) ([]Entry, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	var found []Entry
	for _, e := range slices.Backward(n.entries) {
		if f.matches(e) && len(found) < f.limit() {
			found = append(found, e)
		}
	}
	return found, nil
}

// world is a controller with everything around it.
type world struct {
	t       *testing.T
	journal *journal
	plane   *plane
	store   *store
	ledger  *notebook
	*Controller
	stop func()
}

var somebody = Actor{Name: "aiko"}

func testConfig() *Config {
	p95 := setting.Growth(0.2)
	return &Config{Stages: []string{"mirror", "5%", "50%", "100%"}, Hold: time.Minute, MinRequests: 100, Promote: Auto,
		Tolerate: judge.Tolerance{Errors: 0.001, P95: &p95, Differences: 0.01}, Alpha: 0.001, Breaker: 5}
}

func wiki(c *Config) RouteConfig {
	return RouteConfig{Name: "wiki", From: "vm", To: "containers", Config: c}
}

// open makes a world and runs its controller. It is called inside a synctest bubble.
func open(t *testing.T, routes ...RouteConfig) *world {
	t.Helper()
	j := &journal{}
	w := &world{t: t, journal: j,
		plane:  &plane{journal: j, places: map[string]Placement{}, at: map[string]time.Time{}, traffic: map[string]func(Placement, *judge.Window){}},
		store:  &store{journal: j},
		ledger: &notebook{journal: j},
	}
	w.start(routes...)
	return w
}

func (w *world) options(routes ...RouteConfig) Options {
	return Options{Routes: routes, Plane: w.plane, Store: w.store, Ledger: w.ledger, Cluster: "cluster1",
		Logger: slog.New(slog.NewJSONHandler(io.Discard, nil))}
}

func (w *world) start(routes ...RouteConfig) {
	w.t.Helper()
	w.startWith(w.options(routes...))
}

func (w *world) startWith(o Options) {
	w.t.Helper()
	c, err := New(o)
	if err != nil {
		w.t.Fatal(err)
	}
	w.Controller = c
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = c.Run(ctx)
	}()
	w.stop = func() {
		cancel()
		<-done
	}
	synctest.Wait()
	w.journal.take()
}

// wait lets d pass and then everything settle.
func wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (w *world) must(s Status, err error) Status {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func (w *world) now() Status {
	w.t.Helper()
	return w.must(w.Status("wiki"))
}

func (w *world) expect(state State, share setting.Share) {
	w.t.Helper()
	s := w.now()
	if s.State != state || s.Share != share {
		w.t.Fatalf("the route is %s at %s, want %s at %s: %s", s.State, s.Share, state, share, s.Reason)
	}
	if in := w.plane.share("wiki"); in != share {
		w.t.Fatalf("the data plane serves %s, the state says %s", in, share)
	}
}

// requests are n requests of as many users on one side; those that do not fail take 20 ms.
func requests(w *judge.Window, new bool, n int, failed bool) {
	side := &w.Old
	if new {
		side = &w.New
	}
	for range n {
		a := judge.Answer{Failed: failed, First: -1, Last: -1, Size: -1}
		if !failed {
			a.First, a.Last = int16(judge.Bucket(20*time.Millisecond)), int16(judge.Bucket(20*time.Millisecond))
		}
		side.Count(&a)
		w.Events = append(w.Events, judge.Event{User: uint64(time.Now().UnixNano() + int64(len(w.Events))), New: new, Answer: a})
		if failed && new {
			w.Events[len(w.Events)-1].Other = judge.Answered
			w.Fallbacks++
		}
	}
}

// copies are n requests of the mirror stage, of which the new side got copies.
func copies(w *judge.Window, n int, failed bool) {
	good := judge.Answer{First: 100, Last: 100, Size: -1}
	for range n {
		p := judge.Pair{User: uint64(time.Now().UnixNano() + int64(len(w.Pairs))), Copied: true, Old: good, New: good}
		if failed {
			p.New = judge.Answer{Failed: true, First: -1, Last: -1, Size: -1}
		}
		w.New.Count(&p.New)
		w.Pairs = append(w.Pairs, p)
		w.Compared = append(w.Compared, judge.Comparison{Unit: p.User})
	}
}

// healthy is 10 requests a tick, split by the share.
func healthy(p Placement, w *judge.Window) { split(p, w, false) }

// dead is the new side gone: all its requests fail.
func dead(p Placement, w *judge.Window) { split(p, w, true) }

func split(p Placement, w *judge.Window, failed bool) {
	n := max(int(float64(p.Share)*10+0.5), 1)
	if failed {
		n = 10
	}
	switch {
	case p == (Placement{}):
		n = 0
	case p.Mirror:
		copies(w, n, failed)
	default:
		requests(w, true, n, failed)
	}
	if p.Share < 1 {
		requests(w, false, max(10-n, 1), false)
	}
}

func (w *world) traffic(f func(Placement, *judge.Window)) {
	w.plane.set(func() { w.plane.traffic["wiki"] = f })
}

var errFull = errors.New("no space left on device")
