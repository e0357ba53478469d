package simulate

import (
	"math"
	"math/rand/v2"
)

// weather is what happens to everybody at once. All of it is drawn by the time alone.
type weather struct {
	plan   *Plan
	random *rand.Rand // of its own: what it draws depends on nothing else

	noon    float64 // when the day is at its busiest, as a part of the period
	outages []span  // those that may still be asked for, in order
	drawn   int64   // until when they are known

	deploy int64 // when the first deploy begins
}

// span is a time from one moment to another, in nanoseconds.
type span struct{ from, to int64 }

// ahead is how far beyond the present tick outages are known: an answer may come so late.
const ahead = int64(2 * 60 * 1e9)

func newWeather(p *Plan, r *rand.Rand) weather {
	w := weather{plan: p, random: rand.New(rand.NewPCG(r.Uint64(), 0x77)), noon: r.Float64()}
	if p.Deploys != nil {
		w.deploy = int64(w.random.Float64() * float64(p.Deploys.Every))
	}
	return w
}

// pass draws what will happen until some time after the given one.
func (w *weather) pass(until int64) {
	o := w.plan.Outages
	if o == nil {
		return
	}
	for len(w.outages) > 0 && w.outages[0].to < until-ahead {
		w.outages = w.outages[1:]
	}
	for w.drawn < until+ahead {
		from := w.drawn + int64(w.random.ExpFloat64()*float64(o.Every))
		to := from + int64(w.random.ExpFloat64()*float64(o.Length))
		w.outages = append(w.outages, span{from, to})
		w.drawn = to
	}
}

// strikes reports whether a request that comes at a moment meets an outage, and when that ends.
func (w *weather) strikes(at int64, r *rand.Rand) (end int64, struck bool) {
	for _, o := range w.outages {
		if at < o.from {
			break
		}
		if at < o.to {
			return o.to, r.Float64() < float64(w.plan.Outages.Depth)
		}
	}
	return 0, false
}

// load is the part of the usual load that there is at a moment.
func (w *weather) load(at int64) float64 {
	if w.plan.Day == nil {
		return 1
	}
	return 1 - float64(w.plan.Day.Quiet)*(1-w.sun(at))
}

// sun is 1 at noon and 0 at midnight.
func (w *weather) sun(at int64) float64 {
	return 0.5 + 0.5*math.Cos(2*math.Pi*(float64(at)/float64(w.plan.Day.Period)-w.noon))
}

// slow is by how much longer answers of a side take at a moment.
func (w *weather) slow(at int64, new bool) float64 {
	x := 1.0
	if d := w.plan.Day; d != nil && d.Slower > 0 {
		x *= 1 + float64(d.Slower)*w.sun(at)
	}
	if d := w.plan.Deploys; d != nil && w.cold(at, new) {
		x *= 1 + float64(d.Slower)
	}
	return x
}

// cold reports whether a side has been deployed just before.
func (w *weather) cold(at int64, new bool) bool {
	d := w.plan.Deploys
	since := at - w.deploy
	if since < 0 {
		return false
	}
	n, since := since/int64(d.Every), since%int64(d.Every)
	newFirst := d.First == "new" || d.First != "old" && hash(uint64(w.deploy), uint64(n))&1 == 0
	if new != newFirst {
		since -= int64(d.Apart)
	}
	return since >= 0 && since < int64(d.Cold)
}
