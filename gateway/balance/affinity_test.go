package balance

import (
	"errors"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

// markOf names servers in tests.
func markOf(id string) []uint64 { return []uint64{placeOf(id) | 1, placeOf("former "+id) | 1} }

// atHome seats n users and returns where each is.
func atHome(t testing.TB, g *Group[*conns], n int) []User {
	t.Helper()
	users := make([]User, n)
	for i := range users {
		s := pickFor(t, g, User{Known: true, Rank: rand.Uint64()})
		users[i] = User{Known: true, Rank: rand.Uint64(), Server: s.Mark()}
		s.Done(Connected)
	}
	return users
}

func pickFor(t testing.TB, g *Group[*conns], u User, tried ...*Server[*conns]) *Server[*conns] {
	t.Helper()
	s, err := g.PickFor(u, tried...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// moved asks for every user once and counts those who are not on their server.
func moved(t testing.TB, g *Group[*conns], users []User) (n int) {
	t.Helper()
	for _, u := range users {
		s := pickFor(t, g, u)
		if !s.Marked(u.Server) {
			n++
		}
		s.Done(Connected)
	}
	return n
}

func TestUsersStayWhereTheyAre(t *testing.T) {
	g, _ := group(t, config(literal(3)...), Options{Marks: markOf})
	users := atHome(t, g, 300)
	for range 900 {
		pick(t, g) // load does not move them
	}
	if n := moved(t, g, users); n != 0 {
		t.Errorf("%d users moved though every server is there", n)
	}
	for i := range users {
		users[i].Server = markOf(id(i%3 + 1))[1]
	}
	if n := moved(t, g, users); n != 0 {
		t.Errorf("%d users moved whose cookie was signed with the former key", n)
	}
}

func TestOnlyUsersOfAServerThatGoesMove(t *testing.T) {
	g, _ := group(t, config(literal(4)...), Options{Marks: markOf})
	users := atHome(t, g, 4000)
	gone := markOf(id(2))[0]
	if err := g.Drain(id(2)); err != nil {
		t.Fatal(err)
	}
	to := map[string]int{}
	for _, u := range users {
		s := pickFor(t, g, u)
		again := pickFor(t, g, u)
		if s != again {
			t.Fatal("two requests of one user meet on two servers")
		}
		if u.Server != gone && !s.Marked(u.Server) {
			t.Error("a user of another server moved")
		}
		if u.Server == gone {
			to[s.ID]++
		}
	}
	total := to[id(1)] + to[id(3)] + to[id(4)]
	for _, n := range []int{1, 3, 4} {
		near(t, "users who moved to "+id(n), float64(to[id(n)])/float64(total), 1.0/3, 0.08)
	}
	if s := pick(t, g); s.Beside(gone) || !s.Beside(markOf(id(1))[1]) {
		t.Error("Beside is wrong")
	}
}

// A server that is back, or new, takes no user from another, and gets its part of new ones as its weight grows.
func TestServerThatComesTakesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &records{}
		r.set("pods", "10.0.0.1", "10.0.0.2")
		g, _ := group(t, config("http://pods:9000"), Options{Resolver: r, Marks: markOf})
		users := atHome(t, g, 500)
		r.set("pods", "10.0.0.1", "10.0.0.2", "10.0.0.3")
		g.resolve(t.Context(), false)
		part := func() float64 {
			n := 0
			for range 4000 {
				if s := pickFor(t, g, User{Known: true, Rank: rand.Uint64()}); s.ID == id(3) {
					n++
				}
			}
			return float64(n) / 4000
		}
		near(t, "new users at the beginning of slow start", part(), 0.1/2.1, 0.02)
		if n := moved(t, g, users); n != 0 {
			t.Errorf("%d users moved to a new server", n)
		}
		time.Sleep(10 * time.Second)
		near(t, "new users after slow start", part(), 1.0/3, 0.04)
		if n := moved(t, g, users); n != 0 {
			t.Errorf("%d users moved to a new server", n)
		}
	})
}

// With a key alone a server that comes takes its part, each user once, and a server that goes gives its own away.
func TestRanksMoveAsFewAsCanBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &records{}
		r.set("pods", "10.0.0.1", "10.0.0.2", "10.0.0.3")
		g, _ := group(t, config("http://pods:9000"), Options{Resolver: r})
		users := make([]User, 3000)
		at := make([]*Server[*conns], len(users))
		for i := range users {
			users[i] = User{Known: true, Rank: rand.Uint64()}
			at[i] = pickFor(t, g, users[i])
		}
		r.set("pods", "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4")
		g.resolve(t.Context(), false)
		changed := 0
		for range 12 {
			time.Sleep(time.Second)
			for i, u := range users {
				if s := pickFor(t, g, u); s != at[i] {
					if s.ID != id(4) {
						t.Fatal("a user moved from an old server to another old one")
					}
					at[i], changed = s, changed+1
				}
			}
		}
		near(t, "users who moved to a fourth server", float64(changed)/float64(len(users)), 0.25, 0.04)
	})
}

func TestNextByRankWhenNoConnectionIsMade(t *testing.T) {
	g, _ := group(t, config(literal(3)...), Options{Marks: markOf})
	u := User{Known: true, Rank: 42, Server: markOf(id(1))[0]}
	first := pickFor(t, g, u)
	second := pickFor(t, g, u, first)
	for range 50 {
		if pickFor(t, g, u) != first || pickFor(t, g, u, first) != second || second == first {
			t.Fatal("the next server is another each time")
		}
	}
	third := pickFor(t, g, u, first, second)
	if _, err := g.PickFor(u, first, second, third); !errors.Is(err, ErrNoServer) {
		t.Error(err)
	}
}

// An ejected server is tried by whom it would get, never by a user who is on another one.
func TestUsersOfOthersDoNotTryAnEjectedServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, _ := group(t, config(literal(2)...), Options{Marks: markOf})
		home, lost := User{Known: true, Rank: 1, Server: markOf(id(2))[0]}, User{Known: true, Rank: 2, Server: markOf(id(1))[0]}
		for range 3 {
			s := pickFor(t, g, lost)
			if s.ID != id(1) {
				t.Fatal(s.ID)
			}
			s.Done(ConnectFailed)
		}
		if s := pickFor(t, g, lost); s.ID != id(2) {
			t.Error("a user is sent to an ejected server")
		}
		time.Sleep(6 * time.Second)
		synctest.Wait()
		for range 20 {
			if pickFor(t, g, home).ID != id(2) {
				t.Fatal("a user of another server tries the ejected one")
			}
		}
		s := pickFor(t, g, lost)
		if s.ID != id(1) {
			t.Fatal("nobody tries the ejected server")
		}
		s.Done(Connected)
		if !s.Beside(markOf(id(1))[0]) {
			t.Error("it is not back")
		}
	})
}

func TestStrangersGetAnyServer(t *testing.T) {
	g, _ := group(t, config(literal(4)...), Options{Marks: markOf})
	count := map[string]int{}
	for range 8000 {
		s := pickFor(t, g, User{Rank: 7})
		count[s.ID]++
		s.Done(Connected)
	}
	for server, n := range count {
		near(t, server, float64(n)/8000, 0.25, 0.03)
	}
}

func TestPickForDoesNotAllocate(t *testing.T) {
	g, _ := group(t, config(literal(10)...), Options{Marks: markOf})
	home, ranked := User{Known: true, Rank: 1, Server: markOf(id(4))[0]}, User{Known: true, Rank: 9}
	if n := testing.AllocsPerRun(1000, func() {
		a, _ := g.PickFor(home)
		b, _ := g.PickFor(ranked, a)
		b.Done(Connected)
		a.Done(Connected)
	}); n != 0 {
		t.Errorf("%v allocations for two picks", n)
	}
}
