package gateway

import (
	"time"

	"yadokari/judge"
)

// judged reports whether the verdict is told of the request: its user was placed by key, while some are
// led to the new side.
func (x *exchange) judged() bool { return !x.forced && x.placed.leads() }

// waits notes that the first attempt begins. A body that is still to come is the user's time.
func (x *exchange) waits() {
	if !x.judged() || !x.bodyAtHand() {
		return
	}
	since := x.started
	if x.request.Length != 0 { // it took time to read
		since = time.Now()
	}
	x.wait = wait{point: x.point, side: x.side, since: since}
	x.placed.evidence.wait(&x.wait)
}

// heard notes the response head of an attempt, or its failure. It returns from when on the server's time counts:
// from the last byte of the request.
func (x *exchange) heard(a *attempt, began time.Time) time.Time {
	r := &x.served
	if !x.bodyAtHand() {
		began, r.early = x.body.since(began)
	}
	r.head = time.Since(began)
	r.took = r.head
	if a.failure != nil {
		r.outcome = a.failure.Outcome
	} else if r.status = a.response.StatusCode; x.placed.evidence != nil {
		q := x.asked()
		r.class = q.classOf(r.status, a.response.Header)
	}
	if x.fellBack {
		x.heardOld(a)
	} else {
		x.placed.evidence.served(&x.wait)
	}
	return began
}

// heardOld tells the verdict of a failure of the new side, now that the old side's answer is known.
func (x *exchange) heardOld(a *attempt) {
	if !x.pending {
		return
	}
	old, other := x.served.answer(), judge.Answered
	if x.other == judge.Overtaken {
		other = judge.Overtaken
	}
	old.Last, old.Size = -1, -1 // not known yet
	if a.failure != nil || old.Failed {
		old, other = failedAnswer, judge.FailedToo // also of a user who has left: the old side is not known to be better
	}
	if x.capture != nil && x.r.Context().Err() == nil && !nobody(a.failure) {
		x.placed.evidence.pair(judge.Pair{User: x.point, Old: old, New: failedAnswer})
	}
	x.dropCopy()
	x.tell(other)
}

// settle ends what a request that ended in a panic has left open.
func (x *exchange) settle() {
	x.placed.evidence.served(&x.wait)
	if x.pending {
		x.tell(judge.FailedToo)
	}
}

// tell gives the verdict the first attempt.
func (x *exchange) tell(other judge.Other) {
	x.pending = false
	to := x.account()
	to.tell(&x.first, other)
}
