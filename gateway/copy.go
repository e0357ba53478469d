package gateway

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"yadokari/gateway/mirror"
	"yadokari/gateway/upstream"
)

// capture keeps the answer that the user got, up to a bound, for comparing with the new side's.
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

// wantCapture decides whether a copy of the request goes to the new side afterwards.
func (x *exchange) wantCapture() {
	if !x.placed.Mirror || x.side != oldSide || x.forced || x.safety != safe || x.r.ContentLength != 0 || x.request.Upgrade != "" {
		return
	}
	// A reload can take the new side away, and the mirror with it, before the placement follows.
	if m := x.route.copier.mirror(); m != nil && m.Want() {
		x.capture = &capture{body: m.Capture()}
	}
}

// original is the request of which a copy was made, as the old side served it.
type original struct {
	outcome
	placed *placement
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
	primary := &mirror.Response{Status: x.served.status, Header: x.capture.header}
	if x.served.outcome != upstream.OK {
		primary.Status = 0
	}
	x.capture.body.Offer(&mirror.Request{
		Method: x.r.Method, Target: x.request.Target, Host: x.r.Host, Header: header, Extra: bytes.Clone(x.extra),
		Of: original{outcome{x.first.failed(), x.first.took}, x.placed, x.seats},
	}, primary)
	x.capture = nil
}

// dropCopy is for a request that says nothing of its side, and of which no copy is made.
func (x *exchange) dropCopy() {
	if x.capture != nil {
		x.capture.body.Drop()
		x.capture = nil
	}
}

// sendCopy sends a copied request to one side. What the new side does with it counts as a first
// attempt there; the old side's second answer is only there to be compared.
func (r *route) sendCopy(ctx context.Context, s mirror.Side, copied *mirror.Request, maxBody int64) (*mirror.Response, error) {
	target, count := r.old, func(bool, time.Duration) {}
	if s == mirror.NewSide {
		target, count = r.new, func(failed bool, took time.Duration) {
			if !called(ctx) {
				r.countCopy(copied.Of.(original), outcome{failed, took})
			}
		}
	}
	began := time.Now()
	of := copied.Of.(original)
	a := target.send(ctx, &upstream.Request{
		Method: copied.Method, Target: copied.Target, Host: copied.Host, Header: copied.Header, Extra: copied.Extra, Replayable: true,
	}, of.seats.at(target.name))
	defer a.end()
	if a.failure != nil {
		count(true, time.Since(began))
		return nil, a.failure
	}
	if endless(a.response.Header) {
		count(a.response.StatusCode >= 500, time.Since(began))
		return &mirror.Response{Status: a.response.StatusCode, Header: a.response.Header, Truncated: true}, nil
	}
	body, err := io.ReadAll(io.LimitReader(a.response, maxBody+1))
	count(err != nil || a.response.StatusCode >= 500, time.Since(began))
	if err != nil {
		return nil, errors.Join(ctx.Err(), err)
	}
	truncated := int64(len(body)) > maxBody
	return &mirror.Response{
		Status: a.response.StatusCode, Header: a.response.Header, Body: body[:min(int64(len(body)), maxBody)], Truncated: truncated,
	}, nil
}

// called reports whether a copy was called off, which says nothing of its side; one that took longer
// than mirror.timeout was not.
func called(ctx context.Context) bool { return errors.Is(ctx.Err(), context.Canceled) }

// countCopy counts what the new side did with a copy, unless the route has moved since the request came:
// then it says nothing of the stage that is judged now.
func (r *route) countCopy(of original, by outcome) {
	if of.placed != r.placement.Load() {
		r.late.Add(1)
		return
	}
	r.sides[newSide].add(by.failed, by.took)
	r.streak.add(by.failed)
	r.pairs.add(of.outcome, by)
}
