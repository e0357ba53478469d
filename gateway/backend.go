package gateway

import (
	"context"
	"errors"

	"yadokari/gateway/balance"
	"yadokari/gateway/upstream"
)

// connectTries is how many servers of a backend are tried when no connection can be made.
const connectTries = 3

type (
	group  = balance.Group[*upstream.Host]
	server = balance.Server[*upstream.Host]
)

// backend is one place where requests can be served.
type backend struct {
	name      string
	config    Backend
	affinity  *affinity // nil: any server may answer any user
	group     *group
	former    []*group // of before reloads, with requests under way
	transport *upstream.Transport
	stop      context.CancelFunc
}

// attempt is what came of sending a request to one backend.
type attempt struct {
	server   *server
	response *upstream.Response
	failure  *upstream.Failure
}

// send sends the request to one server, and to another one when no connection could be made. The
// server of the attempt is busy until the attempt ends; one that is pending is for the caller to end. A user
// who is on a server is not sent to another one because it is busy.
func (b *backend) send(ctx context.Context, r *upstream.Request, at seat) attempt {
	var tried [connectTries]*server
	var last *upstream.Failure
	for i := range tried {
		picked, err := b.group.PickFor(at.user, tried[:i]...)
		if err != nil {
			if last == nil {
				last = &upstream.Failure{Outcome: upstream.NoConnection, Err: err}
			}
			return attempt{failure: last}
		}
		response, failure := picked.Conns.Do(ctx, r)
		if failure == nil {
			picked.Connected()
			return attempt{server: picked, response: response}
		}
		if failure.Pending != nil {
			return attempt{server: picked, failure: failure}
		}
		if failure.Outcome != upstream.NoConnection || errors.Is(failure, upstream.ErrBusy) && at.holds(picked) {
			picked.Done(learnt(failure))
			return attempt{server: picked, failure: failure}
		}
		picked.Done(learnt(failure))
		tried[i], last = picked, failure
	}
	return attempt{failure: last}
}

// learnt is what a failed attempt says about connecting to its server.
func learnt(f *upstream.Failure) balance.Outcome {
	switch {
	case f.Sent:
		return balance.Connected
	case f.Outcome == upstream.NoConnection && !errors.Is(f, upstream.ErrBusy):
		return balance.ConnectFailed
	}
	return balance.Undecided // a client that left, or a server with as much to do as it may have
}

// end gives the server back after its response.
func (a attempt) end() {
	if a.response != nil {
		a.response.Close()
		a.server.Done(balance.Connected)
	}
}
