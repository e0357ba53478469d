package judge

// A breaker ends the trial at a run of failed first attempts on the new side, without statistics. What
// strikes both sides alike (the database is gone) is no evidence against the new side: failures
// during which the old side failed at least half of its requests as well are taken off the run. A
// run during which the old side had no requests at all counts in full: when in doubt, users go back
// to the old side.
type breaker struct {
	old, oldFailures float64 // the old side's, since the window of the new side's last success
	forgiven         uint64  // the part of the run that happened while the old side failed as well
	run              uint64  // what counts of the run
}

// recent is how many requests of the old side the breaker looks back on.
const recent = 64

// see takes a window and says whether the run has reached the limit (0: never).
func (b *breaker) see(limit, streak uint64, old, new sums) bool {
	broken := new.failures < new.requests
	if broken {
		b.old, b.oldFailures = 0, 0
	}
	b.old += old.requests
	b.oldFailures += old.failures
	for b.old > recent {
		// The last window weighs most: an old side that is back is seen at once.
		b.old /= 2
		b.oldFailures /= 2
	}
	if b.shared() {
		b.forgiven = streak
	}
	b.run = streak - min(b.forgiven, streak)
	if broken {
		b.forgiven = 0
	}
	return limit > 0 && new.failures > 0 && b.run >= limit
}

// shared says whether the old side fails as well.
func (b *breaker) shared() bool { return b.oldFailures > 0 && 2*b.oldFailures >= b.old }
