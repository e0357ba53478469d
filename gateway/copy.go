package gateway

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"

	"yadokari/gateway/balance"
	"yadokari/gateway/mirror"
	"yadokari/gateway/upstream"
	"yadokari/judge"
)

// capture keeps the answer that the user got, up to a bound, for comparing with the other side's.
// A nil capture keeps nothing.
type capture struct {
	body   *mirror.Capture
	header http.Header
}

func (c *capture) head(h http.Header) {
	if c != nil {
		c.header = h
	}
}

func (c *capture) add(p []byte) {
	if c != nil {
		_, _ = c.body.Write(p) // never fails
	}
}

// copyHeader tells an app that a request is a copy, whose answer no user gets. From users it is not passed on.
const copyHeader = "X-Yadokari-Copy"

// wantCopy decides whether the other side gets a copy of the request afterwards.
func (x *exchange) wantCopy() {
	if x.placed.evidence == nil || x.forced || x.safety != safe || x.r.ContentLength != 0 || x.request.Upgrade != "" {
		return
	}
	moved := x.side == newSide
	if moved && !x.pairs() || !moved && !x.placed.Mirror || asksForEvents(x.r.Header) {
		return
	}
	// A reload can take the new side away, and the mirror with it, before the placement follows.
	m := x.route.copier.mirror()
	var body *mirror.Capture
	switch {
	case m == nil:
	case moved:
		body = m.Sample(x.started, x.placed.evidence.sampled.Add(1) <= firstPairs)
	case m.Want():
		body = m.Capture()
	}
	if body == nil {
		return
	}
	if m.Skips(x.r.URL.Path, x.r.URL.RawQuery) {
		body.Drop()
		return
	}
	x.capture = &capture{body: body}
}

// pairs reports whether a moved user's request may go to the old side too: the placement asks for it, there is an
// old side, and its answer can be compared.
func (x *exchange) pairs() bool {
	return x.placed.Pairs && x.route.old.group.Serves() && !mirror.Conditional(x.r.Header)
}

// asksForEvents reports whether the client expects an answer without an end.
func asksForEvents(h http.Header) bool {
	accepted := h["Accept"]
	return len(accepted) == 1 && accepted[0] == "text/event-stream" // as browsers write it
}

// original is the request of which a copy was made.
type original struct {
	placed *placement
	point  uint64
	seats  seats
}

// offerCopy hands the request and its answer to the mirror, which never makes anyone wait.
func (x *exchange) offerCopy() {
	if x.capture == nil {
		return
	}
	header := make(http.Header, len(x.r.Header))
	for name, values := range x.r.Header {
		if !x.skip(name) {
			header[name] = values
		}
	}
	primary := &mirror.Response{
		Status: x.first.status, Header: x.capture.header, Truncated: x.first.endless, Answer: x.first.answer(), Took: x.first.took,
	}
	if x.first.outcome != upstream.OK {
		primary.Status = 0
	}
	request := &mirror.Request{
		Method: x.r.Method, Target: x.request.Target, Host: x.r.Host, Header: header, Extra: bytes.Clone(x.extra),
		Of: original{x.placed, x.point, x.seats}, Began: x.started,
	}
	if x.side == newSide {
		request.First = mirror.NewSide
	}
	x.capture.body.Offer(request, primary)
	x.capture = nil
}

// dropCopy is for a request that says nothing of its side, and of which no copy is made.
func (x *exchange) dropCopy() {
	if x.capture != nil {
		x.capture.body.Drop()
		x.capture = nil
	}
}

// sendCopy sends a copied request to one side.
func (r *route) sendCopy(ctx context.Context, s mirror.Side, copied *mirror.Request, maxBody int64) (*mirror.Response, error) {
	target := r.old
	if s == mirror.NewSide {
		target = r.new
	}
	began := time.Now()
	of := copied.Of.(original)
	a := target.send(ctx, &upstream.Request{
		Method: copied.Method, Target: copied.Target, Host: copied.Host, Header: copied.Header,
		Extra: append(bytes.Clone(copied.Extra), copyHeader+": 1\r\n"...), Replayable: true,
	}, of.seats.at(target.name))
	defer a.end()
	if nobody(a.failure) {
		return nil, fmt.Errorf("%w: %w", mirror.ErrNobody, a.failure)
	}
	if a.failure != nil {
		return nil, a.failure
	}
	found := result{status: a.response.StatusCode, head: time.Since(began), size: -1, endless: endless(a.response.Header)}
	q := asked{method: copied.Method, target: copied.Target, host: copied.Host}
	found.class = q.classOf(found.status, a.response.Header)
	answer := &mirror.Response{Status: found.status, Header: a.response.Header, Truncated: found.endless}
	if !found.endless {
		var err error
		if answer.Body, err = io.ReadAll(io.LimitReader(a.response, maxBody+1)); err != nil {
			return nil, errors.Join(ctx.Err(), err)
		}
		if int64(len(answer.Body)) > maxBody {
			answer.Body, answer.Truncated = answer.Body[:maxBody], true
		}
		found.took = time.Since(began)
		if !answer.Truncated {
			body := newSizer(a.response.Header)
			body.add(answer.Body)
			found.measure(&q, a.response.Header, &body)
		}
	}
	answer.Answer, answer.Took = found.answer(), max(found.took, found.head)
	return answer, nil
}

// nobody reports whether there was no server to be asked, which says nothing of a side.
func nobody(f *upstream.Failure) bool { return f != nil && errors.Is(f.Err, balance.ErrNoServer) }

// countCopy tells the verdict what came of a copy, unless the route has moved since the request came: then it
// says nothing of the stage that is judged now. What the new side did with it counts as a first attempt
// there; a copy to the old side is only there to be compared.
func (r *route) countCopy(copied *mirror.Request, found mirror.Result) {
	of := copied.Of.(original)
	if of.placed != r.placement.Load() {
		r.late.Add(1)
		return
	}
	if copied.First == mirror.OldSide {
		r.sides[newSide].add(found.New.Failed, found.Took)
		r.streak.add(found.New.Failed)
	}
	of.placed.evidence.pair(judge.Pair{User: of.point, Copied: copied.First == mirror.OldSide, Old: found.Old, New: found.New})
	if found.Compared {
		var asset uint64
		if found.Asset {
			asset = xxhash.Sum64String(copied.Target)
		}
		of.placed.evidence.compare(judge.Comparison{Asset: asset, Unit: unit(of.point, copied.Target), Different: found.Different, Noisy: found.Noisy,
			Checked: found.Checked, Unsteady: found.Unsteady, Places: found.Places})
	}
}

// unit is one page of one user.
func unit(point uint64, target string) uint64 {
	path, _, _ := strings.Cut(target, "?")
	var both [16]byte
	binary.LittleEndian.PutUint64(both[:8], point)
	binary.LittleEndian.PutUint64(both[8:], xxhash.Sum64String(path))
	return xxhash.Sum64(both[:])
}
