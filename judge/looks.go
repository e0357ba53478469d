package judge

// looks are the moments at which an e-value is asked for that holds at any one moment, but is no e-process: what somebody
// will do is known once his side is, and could make it grow for sure. The moments are chosen without regard to the
// sides, whenever so many times as much has come together, and the n-th costs a factor n(n+1): a union bound over looks.
type looks struct {
	at float64 // what had come together at the last one
	n  int
}

// series is what the n-th of endlessly many must be divided by, so that all together are 1.
func series(n int) float64 { return float64(n) * float64(n+1) }

// due reports whether it is time to look: first, at so much in all, then whenever there is growth times as much.
func (l *looks) due(all, first, growth float64) bool { return all >= first && all >= growth*l.at }

// take looks now, and returns the factor that it costs.
func (l *looks) take(all float64) (price float64) {
	l.at = all
	l.n++
	return series(l.n)
}
