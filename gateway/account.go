package gateway

import (
	"yadokari/gateway/upstream"
	"yadokari/judge"
)

// account is where a first attempt is counted, and whose it was. It may outlive its exchange.
type account struct {
	route  *route
	placed *placement
	point  uint64 // of the user's key
	began  int64  // when the request began; see judge.Event
	method string
	side   side
	ahead  bool // it was the list that placed the user
	judged bool // the verdict is to be told
}

// account is that of the exchange's first attempt.
func (x *exchange) account() account {
	return account{route: x.route, placed: x.placed, point: x.point, began: int64(x.started.Sub(x.gateway.born)),
		method: x.r.Method, side: x.side, ahead: x.ahead, judged: x.judged()}
}

// enter counts the attempt, and reports whether the verdict is to hear of it. Its users may have been moved meanwhile: what
// began in another stage says nothing of this one, and a request that hung before a rollback must not undo the
// next start.
func (to *account) enter(r *result) bool {
	if to.placed != to.route.placement.Load() {
		to.route.late.Add(1)
		return false
	}
	to.route.sides[to.side].add(r.failed(), r.took)
	if to.side == newSide && r.outcome != upstream.Canceled {
		to.route.streak.add(r.failed())
	}
	return true
}

// tell gives the verdict the attempt, with what the old side did if it failed.
func (to *account) tell(r *result, other judge.Other) {
	if !to.judged {
		return
	}
	to.placed.evidence.tell(judge.Event{
		User: to.point, Began: to.began, New: to.side == newSide, Ahead: to.ahead, Changes: changes(to.method), Answer: r.answer(), Other: other,
	})
}
