package gateway

import (
	"context"
	"time"

	"yadokari/gateway/upstream"
	"yadokari/judge"
)

// hedge asks the old side while the new one, silent for fallback.timeout, may still answer. The first good answer is the
// user's, so that a page that takes long everywhere takes him no longer than that, and no side is said to have
// failed for a limit that the other one does not have.
func (x *exchange) hedge(ctx context.Context, late *attempt, began time.Time) {
	asking, stop := context.WithCancel(ctx)
	defer stop()
	s := x.straggle(ctx, late, began, stop)
	defer s.done()
	x.request.Response, x.request.Patient = 0, false
	asked := time.Now()
	a := x.ask(asking, x.route.old)
	if a.good() && (x.overtake(s, asked) || x.letGo(s, &a, asked)) {
		x.use(&a, x.route.old, asked, false)
		return
	}
	<-s.heard
	if s.good() || s.failure == nil && a.failure != nil || s.left(ctx) {
		a.end()
		x.takeBack(ctx, s)
		return
	}
	x.first = s.result()
	s.attempt.end()
	x.fallen()
	x.use(&a, x.route.old, asked, false)
}

// good reports whether there is an answer that a user may get in place of another side's.
func (a *attempt) good() bool { return a.failure == nil && a.response.StatusCode < 500 }

// overtake ends the new side's attempt as a failure when the old side has answered in no more than half the time for which the
// new one had been silent before: whatever it may still answer, that is no page which takes as long everywhere. It reports whether so.
func (x *exchange) overtake(s *straggler, asked time.Time) bool {
	if time.Since(asked) > s.silent/2 || !s.giveUp() {
		return false
	}
	x.first, x.other = s.unanswered(upstream.Timeout), judge.Overtaken
	x.fallen()
	return true
}

// letGo lets the new side's attempt go on by itself, so that it is counted as it ends. It reports whether that could be done: not
// when it has just ended.
func (x *exchange) letGo(s *straggler, a *attempt, asked time.Time) bool {
	first := s.unanswered(upstream.Open)
	if x.capture != nil {
		s.old = x.headOf(a, asked)
	}
	if !s.leave(x.gateway) {
		return false
	}
	x.first, x.fellBack, x.counted = first, true, true
	x.route.fallbacks.Add(1)
	x.dropCopy()
	return true
}

// headOf is what the head of the old side's answer tells.
func (x *exchange) headOf(a *attempt, asked time.Time) *judge.Answer {
	q := x.asked()
	r := result{status: a.response.StatusCode, head: time.Since(asked), size: -1}
	r.class = q.classOf(r.status, a.response.Header)
	found := r.answer()
	headOnly(&found)
	return &found
}

// takeBack answers with what the new side has said, late.
func (x *exchange) takeBack(ctx context.Context, s *straggler) {
	if !s.good() {
		x.other = judge.FailedToo
	}
	if x.use(&s.attempt, x.route.new, time.Now().Add(-s.head), s.good()) {
		x.fallBack(ctx)
	}
}
