package gateway

import (
	"context"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"yadokari/gateway/framing"
	"yadokari/gateway/upstream"
	"yadokari/judge"
)

// exchange is the life of one request: placed, sent, answered from the old side if the new one
// fails and a replay is safe, delivered, counted.
type exchange struct {
	gateway *Gateway
	table   *table
	w       http.ResponseWriter
	r       *http.Request
	started time.Time

	route    *route
	origin   origin
	scheme   string // that the user wrote
	user     user
	seats    seats
	placed   *placement
	point    uint64 // of the user's key
	ahead    bool   // it was the list that placed the user, not the share
	side     side   // where the request was placed
	forced   bool   // by a tester; left out of the verdict
	void     bool   // the client's doing; left out of the verdict too
	safety   safety
	request  upstream.Request
	body     clientBody
	extra    []byte // the field lines that request.Extra holds
	head     []byte // of a request by HTTP/2, to be checked
	first    result // of the first attempt
	served   result // of the attempt whose answer the user got
	fellBack bool
	counted  bool        // the first attempt has been counted
	pending  bool        // the verdict is told of it once the old side has been heard
	other    judge.Other // what is known of the old side before it is
	begun    bool        // of a good beginning; the end is not known yet
	wait     wait        // for the first response head
	capture  *capture    // of the answer, for the mirror; nil: not wanted
	status   int         // as the user saw it; 0: the connection was cut
	bytes    int64       // of the response body, to the user
}

// result is how one attempt ended, for the log and the verdict.
type result struct {
	backend string
	server  string
	moved   uint64 // the Mark of the server that the user is on from now on, if he is to be told
	outcome upstream.Outcome
	status  int
	head    time.Duration // until the response head had come, or the attempt had failed
	took    time.Duration // until the server's last byte had, less the waiting for the user
	class   judge.Class
	size    int64 // in bytes, of a page or JSON; -1: not known, or another kind of answer
	endless bool  // there is no last byte to wait for
	early   bool  // the answer came before the whole request: its times are the user's
}

// failed reports whether the attempt counts against its side.
func (r *result) failed() bool {
	return (r.outcome != upstream.OK && r.outcome != upstream.Canceled) || r.status >= 500
}

var exchanges = sync.Pool{New: func() any { return new(exchange) }}

// serve answers one request, the last of so many that are under way.
func (g *Gateway) serve(w http.ResponseWriter, r *http.Request, inFlight int64) {
	x := exchanges.Get().(*exchange)
	*x = exchange{gateway: g, table: g.table.Load(), w: w, r: r, started: time.Now(), extra: x.extra[:0], head: x.head[:0]}
	defer x.end()
	x.place()
	if inFlight > int64(x.table.config.Limits.InFlight) {
		x.turnAway()
	} else if x.prepare() {
		x.answer()
	}
}

// place decides which side serves the request.
func (x *exchange) place() {
	x.route = x.table.find(x.r)
	x.placed = x.route.placement.Load()
	x.origin = x.table.peers.originOf(x.r)
	x.safety = safetyOf(x.r.Method)
	x.identify()
	if x.route.new == nil {
		return
	}
	switch name := x.table.override.backend(x.r); name {
	case "":
		x.point = x.user.point
		x.side, x.ahead = x.placed.side(x.point, x.user.listed)
	case x.route.old.name:
		x.forced = true
	case x.route.new.name:
		x.side, x.forced = newSide, true
	default: // a tester whose backend is none of the route's
		x.forced = true
	}
}

// prepare turns the client's request into the one that is sent on. It answers and returns false
// when the request cannot be sent.
func (x *exchange) prepare() bool {
	r := x.r
	if !upstream.ValidTarget(target(r)) {
		x.fail(http.StatusBadRequest)
		return false
	}
	x.request = upstream.Request{
		Method: r.Method, Target: target(r), Host: r.Host, Header: r.Header, Skip: x.skip,
		Replayable: x.safety != unsafe, Interim: x.interim,
	}
	x.extra = x.origin.appendForwarded(x.extra, r, x.gateway.scheme)
	x.request.Extra = x.extra
	x.request.Upgrade = upgradeOf(r)
	if r.ProtoMajor == 2 && !x.clean() {
		x.fail(http.StatusBadRequest)
		return false
	}
	return x.takeBody()
}

// clean reports whether the head of a request that came by HTTP/2 would have been let in as HTTP/1.1,
// which is how it goes on. The gate of the connection has not seen it, and net/http lets anything pass
// for a method.
func (x *exchange) clean() bool {
	var err error
	x.head, err = x.request.AppendHead(x.head[:0], "none")
	return err == nil && framing.CheckHead(x.head) == ""
}

// skip leaves out of the request what the gateway writes itself or what must not be believed.
func (x *exchange) skip(name string) bool {
	if x.table.override != nil && name == x.table.override.header {
		return true
	}
	if x.origin.trusted {
		return rewritten(name)
	}
	return claims(name)
}

// interim passes a 1xx response on.
func (x *exchange) interim(status int, h http.Header) {
	if !x.r.ProtoAtLeast(1, 1) {
		return // RFC 9110, section 15.2: an HTTP/1.0 client knows of none
	}
	upstream.StripHopByHop(h)
	header := x.w.Header()
	for name, values := range h {
		header[name] = values
	}
	x.w.WriteHeader(status)
	clear(header)
}

// target is the request target in origin form, byte for byte as the client sent it.
func target(r *http.Request) string {
	if r.RequestURI != "" && r.RequestURI[0] == '/' || r.RequestURI == "*" {
		return r.RequestURI
	}
	return r.URL.RequestURI()
}

// answer sends the request, and once more to the old side when that is safe, and delivers.
func (x *exchange) answer() {
	ctx := x.r.Context()
	if limit := x.table.config.Limits.RequestTime; limit > 0 && x.request.Upgrade == "" {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	guarded := x.side == newSide && !x.forced
	if guarded && x.safety != unsafe && x.bodyAtHand() {
		x.request.Response, x.request.Patient = x.firstWait(), x.request.Upgrade == ""
	}
	x.wantCopy()
	x.waits()
	if x.attempt(ctx, x.route.backendOf(x.side), guarded) {
		x.fallBack(ctx)
	}
}

// fallBack asks the old side after the new one has failed.
func (x *exchange) fallBack(ctx context.Context) {
	x.first = x.served
	x.fallen()
	x.request.Response, x.request.Patient = 0, false
	x.attempt(ctx, x.route.old, false)
}

// fallen counts the first attempt, which has failed, and notes that the old side is to answer.
func (x *exchange) fallen() {
	x.fellBack = true
	x.count() // the old side may take its time
	x.route.fallbacks.Add(1)
}

// firstWait is how long the new side may take to begin its answer while the old side could still give one:
// half of what limits.requestTime allows is left for that.
func (x *exchange) firstWait() time.Duration {
	wait := min(x.table.config.Fallback.Timeout, x.route.new.config.Upstream.Response)
	if limit := x.table.config.Limits.RequestTime; limit > 0 {
		wait = min(wait, limit/2)
	}
	return wait
}

// attempt sends the request to one backend and delivers what comes back. It returns true, with
// nothing delivered, when guarded and the old side may be asked instead.
func (x *exchange) attempt(ctx context.Context, b *backend, guarded bool) (again bool) {
	began := time.Now()
	a := x.ask(ctx, b)
	if a.failure != nil && a.failure.Pending != nil {
		x.hedge(ctx, &a, began)
		return false
	}
	return x.use(&a, b, began, guarded)
}

// ask sends the request to one backend.
func (x *exchange) ask(ctx context.Context, b *backend) attempt {
	at := x.seats.at(b.name)
	a := b.send(ctx, &x.request, at)
	if a.failure != nil && !a.failure.Sent {
		if now := x.gateway.table.Load().backends[b.name]; now != nil && now != b {
			a = now.send(ctx, &x.request, at) // a reload has closed the backend that the request began with
		}
	}
	return a
}

// use delivers what came of an attempt that began then, and ends it. It returns as attempt does.
func (x *exchange) use(a *attempt, b *backend, began time.Time, guarded bool) (again bool) {
	defer a.end()
	x.served = result{backend: b.name, size: -1}
	if a.server != nil {
		x.served.server = a.server.Address.ID
		x.served.moved = x.seats.at(b.name).moved(a.server)
	}
	began = x.heard(a, began)
	if a.failure != nil {
		if guarded && x.safety.mayFollow(a.failure, x.bodyAtHand()) {
			return true
		}
		x.refuse(a.failure)
		return false
	}
	if guarded && x.safety.mayReplace(x.served.status, x.bodyAtHand()) {
		return true
	}
	if a.response.StatusCode == http.StatusSwitchingProtocols {
		x.upgrade(a.response)
		return false
	}
	return x.deliver(a.response, began, guarded && x.safety != unsafe && x.bodyAtHand())
}

// end counts the request and writes it to the log.
func (x *exchange) end() {
	reason := recover() // a response that broke off is reported to the client by cutting its connection
	x.body.abandon()
	if reason != nil && reason != http.ErrAbortHandler { // net/http's own report has only the last panic's stack
		x.gateway.logger.Error("a request was ended by a mistake in yadokari", "fault", reason, "stack", string(debug.Stack()))
	}
	if x.route != nil {
		x.count()
		x.settle()
		x.dropCopy()
		x.gateway.log.write(x)
	}
	x.gateway, x.table, x.w, x.r, x.route, x.placed, x.capture = nil, nil, nil, nil, nil, nil, nil
	x.request, x.body = upstream.Request{}, clientBody{}
	exchanges.Put(x)
	if reason != nil {
		panic(reason)
	}
}

// begin tells the verdict of an answer that may go on for hours, an event stream or an upgraded
// connection, when it begins. One that breaks off later is counted once more then, as a failure.
func (x *exchange) begin() {
	x.served.endless = true
	if x.side == oldSide {
		x.dropCopy() // there is no end to compare
	}
	x.count()
	if x.counted && !x.first.failed() {
		x.counted, x.begun = false, true
	}
}

// count tells the verdict of the first attempt, once. A client that went away tells at least how long it
// waited; an answer of the gateway's own tells nothing.
func (x *exchange) count() {
	if !x.fellBack {
		x.first = x.served
	}
	failed := x.first.failed()
	if x.first.backend == "" || x.forced || x.void || x.counted || x.begun && !failed {
		return
	}
	x.counted = true
	if to := x.account(); !to.enter(&x.first) {
		return
	}
	if x.fellBack {
		x.pending = true
		return
	}
	if !failed {
		x.other = judge.NotAsked
	}
	x.tell(x.other)
	if x.first.outcome != upstream.Canceled {
		x.offerCopy()
	}
}
