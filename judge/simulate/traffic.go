package simulate

import (
	"math"
	"math/rand/v2"
	"time"

	"yadokari/judge"
)

// Traffic is one stage of a Plan, tick by tick. It keeps its memory from stage to stage, and is not safe for
// concurrent use.
type Traffic struct {
	*Plan
	random *rand.Rand
	seed   uint64 // of all that belongs to one user or page in this stage

	now     int64   // where the present tick begins, in nanoseconds
	end     int64   // where it ends
	slots   []int32 // by tick: the first of the visits that go on in it; 0: none
	visits  []visit // [0] stands for none
	free    int32
	waiting []int32 // visits that may have waited for long

	nextUser  int64 // when somebody comes
	nextBurst int64
	weather   weather
	gone      []bool // users who do not come back; nil: nobody goes
	sampled   int    // moved users' requests that were up for a copy to the old side
	drawn     int64  // when the latest of them was drawn
	requests  int
	before    bool // it is the time before the stage, when nobody was on the new side
}

// As in the gateway.
const (
	firstPairs  = 1000                          // moved users' requests that are copied without a draw
	sampleEvery = int64(50 * time.Millisecond)  // from one that is drawn to the next
	longWait    = int64(250 * time.Millisecond) // from which on a request without an answer is told
	mostWaiting = 128                           // that are told, the oldest of both sides
)

// NewTraffic makes room for the plan's stages. Begin begins one.
func NewTraffic(p *Plan) *Traffic {
	t := &Traffic{Plan: p, slots: make([]int32, p.Length/p.Tick+2)}
	if p.Users.GiveUp > 0 {
		t.gone = make([]bool, p.Users.Number)
	}
	return t
}

// Begin begins a stage, all of which follows from the seed.
func (t *Traffic) Begin(seed uint64) {
	t.random = rand.New(rand.NewPCG(seed, 0x73696d))
	t.seed = t.random.Uint64()
	clear(t.slots)
	clear(t.gone)
	t.visits, t.free, t.waiting = append(t.visits[:0], visit{}), 0, t.waiting[:0]
	t.now, t.end, t.sampled, t.drawn, t.requests = 0, 0, 0, 0, 0
	t.weather = newWeather(t.Plan, t.random)
	t.arrive()
}

// arrive has everybody begin: those who are in the middle of a visit, and the crawlers.
func (t *Traffic) arrive() {
	t.nextUser, t.nextBurst = math.MaxInt64, math.MaxInt64
	if t.Users.Rate > 0 {
		here := int(float64(t.Users.Rate) * seconds(t.Users.Think) * t.weather.load(0))
		for range here {
			t.come(int64(t.random.Float64() * float64(t.Users.Think)))
		}
		t.nextUser = t.wait(t.pause(0))
	}
	if t.Bursts != nil {
		t.nextBurst = t.wait(float64(t.Bursts.Every))
	}
	for i := range t.Crawlers {
		v := t.visit()
		*t.at(v) = visit{user: uint32(t.Users.Number + i), crawler: int16(i + 1), factor: 1, point: t.point(uint64(t.Users.Number + i))}
		t.settle(t.at(v))
		t.at(v).time = t.wait(1e9 / float64(t.Crawlers[i].Rate))
		t.put(v, t.at(v).time)
	}
}

// pause is the time from one visit to the next, on average, at a moment.
func (t *Traffic) pause(at int64) float64 {
	return 1e9 * float64(t.Users.Session) / (float64(t.Users.Rate) * t.weather.load(at))
}

// wait draws how long one waits for what comes by chance, in nanoseconds.
func (t *Traffic) wait(mean float64) int64 {
	return int64(math.Min(mean*t.random.ExpFloat64(), math.MaxInt64/4))
}

// Next fills w with what happens in the next tick; false when the stage is over.
func (t *Traffic) Next(w *judge.Window) bool {
	w.Reset()
	if t.end+int64(t.Tick) > int64(t.Length) || t.Scenario.Requests > 0 && t.requests >= t.Scenario.Requests {
		return false
	}
	t.now, t.end = t.end, t.end+int64(t.Tick)
	w.Span = t.Tick
	t.weather.pass(t.end)
	for ; t.nextUser < t.end; t.nextUser += t.wait(t.pause(t.nextUser)) {
		t.come(t.nextUser)
	}
	for ; t.nextBurst < t.end; t.nextBurst += t.wait(float64(t.Bursts.Every)) {
		t.burst(t.nextBurst)
	}
	slot := &t.slots[t.now/int64(t.Tick)]
	for *slot != 0 {
		v := *slot
		*slot = t.at(v).next
		t.proceed(v, w)
	}
	t.whoWaits(w)
	return true
}

// proceed does all that one visit brings within the tick.
func (t *Traffic) proceed(v int32, w *judge.Window) {
	for {
		if t.at(v).asking {
			t.finish(v, w)
		} else {
			t.ask(v)
		}
		if t.at(v).over {
			t.release(v)
			return
		}
		if at := t.at(v).time; at >= t.end {
			t.put(v, at)
			return
		}
	}
}

// put has a visit go on at a time, if the stage lasts so long.
func (t *Traffic) put(v int32, at int64) {
	slot := min(int(at/int64(t.Tick)), len(t.slots)-1)
	t.at(v).next = t.slots[slot]
	t.slots[slot] = v
}

func (t *Traffic) at(v int32) *visit { return &t.visits[v] }

// visit gives the place of a new visit.
func (t *Traffic) visit() int32 {
	if v := t.free; v != 0 {
		t.free = t.at(v).next
		return v
	}
	t.visits = append(t.visits, visit{})
	return int32(len(t.visits) - 1)
}

func (t *Traffic) release(v int32) {
	t.at(v).next, t.free = t.free, v
}

// whoWaits tells of requests under way for long, as the gateway does.
func (t *Traffic) whoWaits(w *judge.Window) {
	kept := t.waiting[:0]
	for _, i := range t.waiting {
		v := t.at(i)
		if !v.asking || v.head <= t.end {
			v.queued = false
			continue
		}
		kept = append(kept, i)
		if age := t.end - v.began; age >= longWait && len(w.Waiting) < mostWaiting && !t.Mirror {
			w.Waiting = append(w.Waiting, judge.Wait{User: v.point, New: v.new, Age: time.Duration(age)})
		}
	}
	t.waiting = kept
}
