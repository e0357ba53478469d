package gateway

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"yadokari/shift"
)

// A run of failures ends with the rollback that it has caused: it says nothing of the side that is there when
// somebody starts anew, and must not send its users back before the first of them has been served.
func TestRunOfFailuresEndsWithTheRollback(t *testing.T) {
	r := newRig(t)
	controller := r.control()
	good := func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("containers")) }
	r.new.does(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	for i := range 5 {
		r.do("GET", "/", "", "Cookie", fmt.Sprint("SESSION=", i))
	}
	state := func() shift.State {
		s, err := controller.Status("all")
		if err != nil {
			t.Fatal(err)
		}
		return s.State
	}
	eventually(t, "the breaker has not rolled back", func() bool { return state() == shift.RolledBack })
	if n := r.table.Load().byName["all"].streak.Load(); n != 0 {
		t.Errorf("with nobody on the new side %d requests are said to fail one after the other there", n)
	}
	r.new.does(good)
	if _, err := controller.Set(t.Context(), "all", 1, shift.Actor{Name: "ann"}, "it is mended"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(200 * time.Millisecond) // four looks
	if s := state(); s != shift.Done {
		t.Fatalf("without one request the route is %s", s)
	}
	if a := r.do("GET", "/", ""); a.body != "containers" {
		t.Errorf("got %+v", a)
	}
}
