package gateway

import (
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
	// A reload can take the new side away before the placement follows.
	if !x.placed.Mirror || x.route.mirror == nil || x.side != oldSide || x.forced || x.safety != safe || x.r.ContentLength != 0 || x.request.Upgrade != "" {
		return
	}
	if x.route.mirror.Want() {
		x.capture = &capture{body: x.route.mirror.Capture()}
	}
}

// offerCopy hands the request and its answer to the mirror, which never makes anyone wait.
func (x *exchange) offerCopy() {
	if x.capture == nil {
		return
	}
	if x.served.outcome != upstream.OK || x.capture.header == nil {
		x.capture.body.Drop()
		return
	}
	header := make(http.Header, len(x.r.Header)+3)
	for name, values := range x.r.Header {
		if !x.skip(name) {
			header[name] = values
		}
	}
	header.Set("X-Forwarded-For", x.origin.client)
	header.Set("X-Forwarded-Host", x.r.Host)
	header.Set("X-Forwarded-Proto", x.gateway.scheme)
	x.capture.body.Offer(
		&mirror.Request{Method: x.r.Method, Target: x.request.Target, Host: x.r.Host, Header: header},
		&mirror.Response{Status: x.status, Header: x.capture.header, Latency: x.served.took},
	)
}

// sendCopy sends a copied request to one side. What the new side does with it counts as a first
// attempt there; the old side's second answer is only there to be compared.
func (r *route) sendCopy(ctx context.Context, s mirror.Side, copied *mirror.Request, maxBody int64) (*mirror.Response, error) {
	target, fresh := r.old, s == mirror.NewSide
	if fresh {
		target = r.new
	}
	began := time.Now()
	a := target.send(ctx, &upstream.Request{
		Method: copied.Method, Target: copied.Target, Host: copied.Host, Header: copied.Header, Replayable: true,
	})
	defer a.end()
	if a.failure != nil {
		if fresh && !called(ctx) {
			r.countCopy(true, time.Since(began))
		}
		return nil, a.failure
	}
	body, err := io.ReadAll(io.LimitReader(a.response, maxBody+1))
	took := time.Since(began)
	if fresh && !called(ctx) {
		r.countCopy(err != nil || a.response.StatusCode >= 500, took)
	}
	if err != nil {
		return nil, errors.Join(ctx.Err(), err)
	}
	truncated := int64(len(body)) > maxBody
	return &mirror.Response{
		Status: a.response.StatusCode, Header: a.response.Header, Body: body[:min(int64(len(body)), maxBody)],
		Truncated: truncated, Latency: took,
	}, nil
}

// called reports whether a copy was called off, which says nothing of its side; one that took longer
// than mirror.timeout was not.
func called(ctx context.Context) bool { return errors.Is(ctx.Err(), context.Canceled) }

func (r *route) countCopy(failed bool, took time.Duration) {
	r.sides[newSide].add(failed, took)
	r.streak.add(failed)
}
