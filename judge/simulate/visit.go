package simulate

import (
	"math"
	"time"

	"yadokari/judge"
)

// visit is a user from his coming to his going, or a crawler: always at one request, or between two.
type visit struct {
	next    int32 // in its slot, or of those that are free
	user    uint32
	left    int32 // requests still to come
	crawler int16 // its number from 1 on; 0: a user
	account int8  // his kind from 1 on; 0: none
	retries int8
	asking  bool
	over    bool
	new     bool
	slow    bool
	hit     bool // what is worse on the new side meets him
	fails   bool // all that is asked fails: a burst
	quick   bool // all at once
	queued  bool // among those that may have waited for long
	point   uint64
	factor  float64 // of his latency
	time    int64   // when it goes on

	began, head int64 // of the request: when it was sent, and when the response head is there
	request     request
	answer      judge.Answer
	other       judge.Other
	pair        judge.Pair
	compared    judge.Comparison
	paired      bool
}

// The purposes of what follows from a user by a hash.
const (
	ofPoint = iota
	ofFactor
	ofSlow
	ofAccount
	ofHit
	ofPage
	ofSize
	ofAnswer
	ofDifference
)

func (t *Traffic) point(user uint64) uint64 { return hash(hash(t.seed, ofPoint), user) }

func (t *Traffic) trait(purpose, of uint64) float64 { return unit(hash(hash(t.seed, purpose), of)) }

// come begins a visit.
func (t *Traffic) come(at int64) int32 {
	user := t.users.draw(t.random)
	left := int32(1)
	if s := float64(t.Users.Session); s > 1 {
		left += int32(min(t.random.ExpFloat64()*-1/math.Log(1-1/s), 1e6))
	}
	if t.gone != nil && t.gone[user] {
		return 0
	}
	v := t.visit()
	*t.at(v) = visit{user: uint32(user), left: left, time: at, point: t.point(uint64(user)), factor: 1, queued: t.at(v).queued}
	t.settle(t.at(v))
	t.put(v, at)
	return v
}

// settle is what is always so of a user.
func (t *Traffic) settle(v *visit) {
	id := uint64(v.user)
	v.new = !t.Mirror && !t.before && float64(v.point>>11)/(1<<53) < float64(t.Share)
	if v.crawler > 0 {
		return
	}
	if s := float64(t.Users.Latency); s > 0 {
		v.factor = lognormal(hash(hash(t.seed, ofFactor), id), s)
	}
	v.slow = t.Users.Slow > 0 && t.trait(ofSlow, id) < float64(t.Users.Slow)
	if len(t.Accounts) > 0 {
		draw := t.trait(ofAccount, id)
		for i := range t.Accounts {
			if draw -= float64(t.Accounts[i].Part); draw < 0 {
				v.account = int8(i + 1)
				break
			}
		}
	}
	v.hit = t.Worse != nil && (t.Worse.Users >= 1 || t.trait(ofHit, id) < float64(t.Worse.Users))
}

// burst is a user who asks for much at once.
func (t *Traffic) burst(at int64) {
	if i := t.come(at); i != 0 {
		v := t.at(i)
		v.quick, v.left = true, int32(t.Bursts.Requests)
		v.fails = t.random.Float64() < float64(t.Bursts.Fails)
	}
}

// ask sends the next request of a visit.
func (t *Traffic) ask(i int32) {
	v := t.at(i)
	v.asking, v.began = true, v.time
	v.request = t.choose(v)
	v.answer, v.other, v.paired = judge.Answer{}, judge.NotAsked, false
	first := t.answer(v, v.new, v.began, false)
	v.answer, v.head, v.time = first.Answer, v.began+first.head, v.began+first.last
	if t.Users.Patience > 0 && v.crawler == 0 && !first.Failed {
		t.leave(v, t.wait(float64(t.Users.Patience)))
	}
	if v.slow && !v.answer.Failed && v.answer.Class&judge.Left == 0 && t.random.IntN(3) == 0 {
		v.answer.Class |= judge.Left
		v.answer.Size = -1
	}
	t.second(v)
	if !v.queued && v.head-v.began >= longWait {
		v.queued = true
		t.waiting = append(t.waiting, i)
	}
}

// leave has the user go away when his patience ends before the answer does.
func (t *Traffic) leave(v *visit, patience int64) {
	if v.began+patience >= v.time {
		return
	}
	v.time = v.began + patience
	v.head = min(v.head, v.time)
	v.answer = judge.Answer{Class: judge.Left, First: bucket(v.head - v.began), Last: bucket(patience), Size: -1}
}

// finish tells of the request that has ended, and of its copy, and decides when the next one comes.
func (t *Traffic) finish(i int32, w *judge.Window) {
	v := t.at(i)
	v.asking = false
	t.requests++
	tally := &w.Old
	if v.new {
		tally = &w.New
	}
	tally.Count(&v.answer)
	if !t.Mirror {
		w.Events = append(w.Events, judge.Event{User: v.point, Began: v.began + 1, New: v.new, Changes: !v.request.safe, Answer: v.answer, Other: v.other})
	}
	if v.other == judge.Answered {
		w.Fallbacks++
	}
	if v.paired {
		t.tellPair(v, w)
	}
	t.afterwards(v)
}

func (t *Traffic) tellPair(v *visit, w *judge.Window) {
	w.Pairs = append(w.Pairs, v.pair)
	if v.pair.Copied {
		w.New.Count(&v.pair.New)
	}
	if !v.pair.Old.Failed && !v.pair.New.Failed {
		w.Compared = append(w.Compared, v.compared)
	}
}

// afterwards is when the visit goes on, and whether.
func (t *Traffic) afterwards(v *visit) {
	if v.crawler > 0 {
		v.time = max(v.time, v.began+t.wait(1e9/float64(t.Crawlers[v.crawler-1].Rate)))
		return
	}
	v.left--
	if v.answer.Failed && v.other != judge.Answered && t.hurt(v) {
		return
	}
	v.retries = 0
	v.over = v.left <= 0 || v.answer.Class&judge.Left != 0 && !v.quick
	if v.quick {
		v.time = v.began + t.wait(20e6)
		return
	}
	v.time += t.wait(float64(t.Users.Think))
}

// hurt is what a user does who has seen an error; false: nothing.
func (t *Traffic) hurt(v *visit) bool {
	if t.Users.GiveUp > 0 && t.random.Float64() < float64(t.Users.GiveUp) {
		t.gone[v.user], v.over = true, true
		return true
	}
	if v.retries < 3 && t.Users.Retry > 0 && t.random.Float64() < float64(t.Users.Retry) {
		v.retries++
		v.left++
		v.time += t.wait(float64(time.Second))
		v.request.again = true
		return true
	}
	return false
}
