package judge

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"yadokari/setting"
)

var orders = Count{Name: "orders", Fewer: true, Tolerance: 0.1, PerUser: 5}

// counting is a trial in which nothing is judged but the counts.
func counting(share float64, c ...Count) *Trial {
	return NewTrial(Criteria{Alpha: 0.05, MinRequests: 1, Share: setting.Share(share), Counts: c})
}

// shop has users with 1 to 5 orders each, on the side of their lot for good, in random order. The new side
// loses a part of its orders.
func shop(r *rand.Rand, users int, share, lost float64) (sides []bool) {
	for range users {
		side := r.Float64() < share
		for range 1 + r.IntN(orders.PerUser) {
			if !side || r.Float64() >= lost {
				sides = append(sides, side)
			}
		}
	}
	r.Shuffle(len(sides), func(i, j int) { sides[i], sides[j] = sides[j], sides[i] })
	return sides
}

// sell tells a trial of the orders every so often, and returns how many there were until it failed; -1: it did not.
func sell(t *Trial, sides []bool) int {
	var old, new float64
	for i, side := range sides {
		if side {
			new++
		} else {
			old++
		}
		if i%7 == 0 && t.Add(&Window{Counted: []Counted{{Name: "orders", Old: old, New: new}}}) {
			return i
		}
	}
	return -1
}

func TestCountsOfTheSameProgram(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(8, 1))
	for _, fewer := range []bool{true, false} {
		c := orders
		c.Fewer, c.Tolerance = fewer, 0
		for _, share := range []float64{0.05, 0.5, 0.9} {
			const runs = 1000
			condemned := 0
			for range runs {
				if sell(counting(share, c), shop(r, 50+r.IntN(400), share, 0)) >= 0 {
					condemned++
				}
			}
			if most := 0.05*countsPart*runs + 3*math.Sqrt(0.05*countsPart*runs); float64(condemned) > most {
				t.Errorf("fewer %v, share %g: %d of %d condemned", fewer, share, condemned, runs)
			}
		}
	}
}

func TestCountsThatAreWorse(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(8, 2))
	for share, most := range map[float64]int{0.25: 1000, 0.5: 500} {
		at := sell(counting(share, orders), shop(r, 3000, share, 1))
		t.Logf("share %g: no orders at all found after %d", share, at)
		if at < 0 || at > most {
			t.Errorf("share %g: no orders at all found after %d orders", share, at)
		}
	}
	more := Count{Name: "orders", PerUser: 1}
	trial := counting(0.05, more)
	if !trial.Add(&Window{Counted: []Counted{{Name: "orders", Old: 3, New: 60}}}) {
		t.Fatalf("60 on 5 %% of the users, 3 on the others: %+v", trial.Verdict())
	}
	v := trial.Verdict()
	if v.Evidence.Decided != "signals.orders" || v.Evidence.Alpha != 0.05 ||
		!strings.HasPrefix(v.Reason, "60 orders on new side and 3 on old side, which has 95 % of the users (0 % more tolerated): e-value") {
		t.Errorf("%+v", v)
	}
}

func TestCountsThatAreNotKnown(t *testing.T) {
	t.Parallel()
	trial := counting(0.5, orders)
	enough := func() []Need { return trial.uncounted() }
	if list := enough(); len(list) != 1 || list[0].Text != "signals.orders is not known yet" {
		t.Errorf("%+v", list)
	}
	for _, bad := range []Counted{{Name: "orders", Problem: "nobody answers"}, {Name: "orders", Old: math.NaN()}, {Name: "orders", New: -1}, {Name: "orders", Old: math.Inf(1)}} {
		if trial.Add(&Window{Counted: []Counted{bad}}) {
			t.Fatalf("%+v condemned", bad)
		}
		if list := enough(); len(list) != 1 || !strings.HasPrefix(list[0].Text, "signals.orders is not known: ") {
			t.Errorf("%+v: %+v", bad, list)
		}
	}
	trial.Add(&Window{Counted: []Counted{{Name: "others", Old: 1, New: 1e9}, {Name: "orders"}}})
	if list := enough(); len(list) != 1 || list[0].Want == 0 || !strings.HasPrefix(list[0].Text, "0 of about ") {
		t.Errorf("%+v", list)
	}
	trial.Add(&Window{Counted: []Counted{{Name: "orders", Old: 5000, New: 5000}}})
	if list := enough(); len(list) != 0 {
		t.Errorf("%+v", list)
	}
	if len(counting(1, orders).counts) != 0 || NewTrial(Criteria{Mirror: true, Counts: []Count{orders}}).counts != nil {
		t.Error("a count is judged where no users are on both sides")
	}
}
