package judge

// differenceTest bets on compared answers. In the mirror stage as many pages as are tolerated may differ. In later
// stages, where the old side's answer always comes after the new one's, a page changes meanwhile (somebody
// has commented), and no rate can be told beforehand: there the old side is asked twice, and it is a coin whether the
// new side's answer differs, or the old side's own second one. A page of one user counts once,
// however often it is loaded: his next load has the same cause.
type differenceTest struct {
	wager
	coin      bool
	seen      sample[bool] // whether the page has differed already
	threshold float64

	compared, different, noisy, unsteady uint64
}

const pages = 1 << 14 // that a differenceTest remembers

func newDifferenceTest(threshold, tolerated float64, coin bool) *differenceTest {
	odds, chance := &multiples, 0.0
	if coin {
		odds, chance = &halves, 0.5
	}
	return &differenceTest{wager: newWager(odds, chance, tolerated, back), coin: coin, seen: newSample[bool](pages), threshold: threshold}
}

func (t *differenceTest) add(c *Comparison) {
	t.compared++
	if c.Noisy {
		t.noisy++
	}
	if c.Different {
		t.different++
	}
	if c.Unsteady {
		t.unsteady++
	}
	if !t.seen.holds(c.Unit) || t.seen.users[c.Unit] {
		return
	}
	if t.coin && (!c.Checked || c.Different == c.Unsteady) {
		return
	}
	t.pass(1)
	if c.Different || t.coin {
		t.event(c.Different)
		t.seen.put(c.Unit, true)
	}
}
