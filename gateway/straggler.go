package gateway

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"yadokari/gateway/upstream"
	"yadokari/judge"
)

const (
	maxFollowed  = 1024             // stragglers whose users have been served; one more is given up, and nothing told of it
	maxLateBody  = 1 << 20          // bytes read of a late answer that nobody waits for …
	lateBodyTime = 10 * time.Second // … and how long that may take
)

// straggler is a first attempt on the new side that was silent for fallback.timeout and may still answer.
// It owns what becomes of that attempt: its request takes it back when heard is closed, or leaves it, and then it
// ends and is counted by itself.
type straggler struct {
	account
	attempt // its answer is there when heard is closed
	asked   asked
	safety  safety
	pending *upstream.Pending
	backend string
	began   time.Time
	silent  time.Duration // for how long it was to be before the old side was asked
	head    time.Duration // until the response head had come, or the attempt had failed
	wait    wait

	life  context.Context // of the exchange with the server
	end   context.CancelFunc
	loose func() bool        // from the life of the request
	win   context.CancelFunc // ends the attempt on the old side
	owner atomic.Uint32
	heard chan struct{}

	old *judge.Answer // of the old side when both answers are to be a pair; nil: they are not
}

// The owners of a straggler: who ends it and tells of it.
const (
	undecided uint32 = iota
	ofRequest
	ofItself
	ofNobody
)

// straggle goes on to wait for a pending attempt. A good answer calls win.
func (x *exchange) straggle(ctx context.Context, a *attempt, began time.Time, win context.CancelFunc) *straggler {
	g := x.gateway
	s := &straggler{
		account: x.account(), attempt: attempt{server: a.server}, asked: x.asked(), safety: x.safety, pending: a.failure.Pending,
		backend: x.route.new.name, began: began, silent: x.request.Response, win: win, heard: make(chan struct{}),
	}
	x.placed.evidence.handOver(&x.wait, &s.wait)
	if until, bound := ctx.Deadline(); bound { // limits.requestTime, which the old side has as well
		s.life, s.end = context.WithDeadline(g.life, until)
	} else {
		s.life, s.end = context.WithCancel(g.life)
	}
	s.loose = context.AfterFunc(ctx, func() {
		if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
			s.end()
		}
	})
	g.running.Go(func() {
		if s.await() == ofItself {
			s.follow()
			g.followed.Add(-1)
		}
	})
	return s
}

// await waits for the head. It returns who sees to the rest.
func (s *straggler) await() (owner uint32) {
	s.response, s.failure = s.pending.Await(s.life)
	s.head = time.Since(s.began)
	s.placed.evidence.served(&s.wait)
	if s.failure != nil {
		s.server.Done(learnt(s.failure))
	} else {
		s.server.Connected()
	}
	if s.owner.CompareAndSwap(undecided, ofRequest) {
		if s.good() {
			s.win()
		}
		close(s.heard)
	} else if s.owner.Load() == ofNobody {
		s.attempt.end()
	}
	return s.owner.Load()
}

// good reports whether the answer is one for which the old side need not be waited for.
func (s *straggler) good() bool {
	return s.failure == nil && !s.safety.mayReplace(s.response.StatusCode, true)
}

// left reports whether it was the user's leaving that ended the attempt.
func (s *straggler) left(ctx context.Context) bool {
	return s.failure != nil && s.failure.Outcome == upstream.Canceled && errors.Is(ctx.Err(), context.Canceled)
}

// follow sees an attempt to its end whose user has been served by the old side, and counts it.
func (s *straggler) follow() {
	defer s.end()
	defer s.attempt.end()
	r := s.result()
	if r.outcome == upstream.Canceled {
		return // the gateway is stopping
	}
	if s.failure == nil && !r.failed() {
		s.read(&r)
	}
	if !s.enter(&r) {
		return
	}
	if r.failed() {
		s.tell(&r, judge.Answered)
	} else {
		s.tell(&r, judge.NotAsked)
	}
	if s.old != nil {
		found := r.answer()
		headOnly(&found)
		s.placed.evidence.pair(judge.Pair{User: s.point, Old: *s.old, New: found})
	}
}

// headOnly takes away what only the end of an answer tells.
func headOnly(a *judge.Answer) {
	a.Last, a.Size, a.Class = -1, -1, a.Class&^judge.Empty
}

// result is how the attempt ended, as far as its head tells.
func (s *straggler) result() result {
	r := result{backend: s.backend, server: s.server.Address.ID, head: s.head, took: s.head, size: -1}
	if s.failure == nil {
		r.status = s.response.StatusCode
		r.class = s.asked.classOf(r.status, s.response.Header)
		return r
	}
	r.outcome = s.failure.Outcome
	if r.outcome == upstream.Canceled && errors.Is(s.failure, context.DeadlineExceeded) {
		r.outcome = upstream.Timeout // limits.requestTime
	}
	return r
}

// unanswered is the attempt while nothing is known of its end but how long it has taken.
func (s *straggler) unanswered(so upstream.Outcome) result {
	took := time.Since(s.began)
	return result{backend: s.backend, server: s.server.Address.ID, outcome: so, head: took, took: took, size: -1}
}

// read reads the body, within bounds, for what its end tells.
func (s *straggler) read(r *result) {
	if r.endless = endless(s.response.Header); r.endless {
		return
	}
	over := time.AfterFunc(lateBodyTime, s.end)
	defer over.Stop()
	buffer := copyBuffers.Get().(*[]byte)
	defer copyBuffers.Put(buffer)
	size := newSizer(s.response.Header)
	for size.n <= maxLateBody {
		n, err := s.response.Read(*buffer)
		size.add((*buffer)[:n])
		switch {
		case err == io.EOF:
			s.measure(r, &size)
			return
		case err != nil && s.life.Err() == nil:
			r.outcome = brokeBy(err)
			return
		case err != nil:
			r.endless = true
			return
		}
	}
	r.endless = true
}

// measure notes what the end of the body tells.
func (s *straggler) measure(r *result, size *sizer) {
	r.took = time.Since(s.began)
	if s.asked.method == http.MethodGet && r.status == http.StatusOK && size.n == 0 {
		r.class |= judge.Empty
	}
	if s.asked.measured(r.status, s.response.Header) {
		r.size = size.size()
	}
}

// leave has the attempt go on without its request, which has been answered by the old side. It reports whether the request
// is rid of it: not, when the new side has just been heard.
func (s *straggler) leave(g *Gateway) bool {
	if g.followed.Add(1) > maxFollowed {
		g.followed.Add(-1)
		g.unfollowed.Add(1)
		return s.giveUp()
	}
	if !s.owner.CompareAndSwap(undecided, ofItself) {
		g.followed.Add(-1)
		return false
	}
	s.loose()
	return true
}

// giveUp ends the attempt. It reports whether the request is rid of it, as leave does.
func (s *straggler) giveUp() bool {
	if !s.owner.CompareAndSwap(undecided, ofNobody) {
		return false
	}
	s.loose()
	s.end()
	return true
}

// done ends what the request has not left.
func (s *straggler) done() {
	if !s.giveUp() && s.owner.Load() == ofRequest {
		s.loose()
		s.end()
	}
}
