package judge

// differenceTest bets on compared answers: as many pages as are tolerated may differ. A page of one user
// counts once, however often it is loaded: his next load has the same cause.
type differenceTest struct {
	wager
	seen      sample[bool] // whether the page has differed already
	threshold float64

	compared, different, noisy uint64
}

const pages = 1 << 14 // that a differenceTest remembers

func newDifferenceTest(threshold, tolerated float64) *differenceTest {
	return &differenceTest{wager: newWager(&multiples, 0, tolerated, back), seen: newSample[bool](pages), threshold: threshold}
}

func (t *differenceTest) add(c *Comparison) {
	t.compared++
	if c.Noisy {
		t.noisy++
	}
	if c.Different {
		t.different++
	}
	if !t.seen.holds(c.Unit) || t.seen.users[c.Unit] {
		return
	}
	t.pass(1)
	if c.Different {
		t.event(true)
		t.seen.put(c.Unit, true)
	}
}
