package mirror

import (
	"context"
	"math/rand/v2"
	"runtime/debug"
	"strconv"
	"time"
)

// exchange is one request on its way through both sides.
type exchange struct {
	*Mirror
	request *Request  // as it was offered
	sent    *Request  // as it is sent
	old     *Response // the answer that counts, decoded
	new     *Response // the new side's, decoded
	again   *Response // the old side's second answer, decoded
	opaque  bool      // the old side's body cannot be decoded: only status and headers count
}

// run sends one request to the new side, compares, and counts what came of it exactly once.
func (m *Mirror) run(r *Request, primary *Response) {
	defer m.copies.Done()
	defer m.underWay.Add(-1)
	defer m.survive(r)
	c := &exchange{Mirror: m, request: r, sent: forCopy(r)}
	if !primary.failed() {
		c.reference(primary)
	}
	answer, err := c.ask(NewSide)
	switch {
	case m.ctx.Err() != nil:
		m.counts.aborted.Add(1)
	case primary.failed():
		m.counts.unmatched.Add(1)
	case err != nil:
		m.counts.failed.Add(1)
		m.log.Debug("mirror: no answer from the new side", "method", r.Method, "target", redactTarget(r.Target), "error", err)
		c.keep([]difference{{kind: kindFailed, key: kindFailed, oldText: strconv.Itoa(primary.Status), newText: err.Error()}}, []bool{false})
	default:
		c.judge(answer)
	}
}

// survive ends a copy whose comparison panicked: a mistake in reading bodies that nobody vouches for
// must not take the process down that serves users.
func (m *Mirror) survive(r *Request) {
	if fault := recover(); fault != nil {
		m.counts.aborted.Add(1)
		m.log.Error("mirror: a comparison failed; this is a mistake in yadokari", "method", r.Method, "target", redactTarget(r.Target),
			"fault", fault, "stack", string(debug.Stack()))
	}
}

// reference sets the old side's answer. When users were answered in a coding that cannot be undone
// here (br, zstd), the old side is asked for one that can.
func (c *exchange) reference(primary *Response) {
	var err error
	if c.old, err = decoded(primary, int64(c.cfg.Body)); err == nil {
		return
	}
	if c.askOld() {
		c.old, c.again = c.again, nil
		return
	}
	c.opaque = true
	c.old = &Response{Status: primary.Status, Header: primary.Header}
}

// ask sends the request to one side.
func (c *exchange) ask(side Side) (*Response, error) {
	ctx, cancel := context.WithTimeout(c.ctx, c.cfg.Timeout)
	defer cancel()
	return c.send(ctx, side, c.sent, int64(c.cfg.Body))
}

// askOld asks the old side a second time, and tells whether again is an answer to compare with.
func (c *exchange) askOld() bool {
	c.counts.asked.Add(1)
	answer, err := c.ask(OldSide)
	if err == nil && fit(answer) {
		if c.again, err = decoded(answer, int64(c.cfg.Body)); err == nil {
			return true
		}
	}
	c.counts.unanswered.Add(1)
	return false
}

// judge compares the new side's answer, asks the old side again when that is due, and counts.
func (c *exchange) judge(answer *Response) {
	found := c.compare(answer)
	method, target, status := c.request.Method, c.request.Target, strconv.Itoa(c.old.Status)
	noise, due := c.memory.compare(method, target, status, found)
	due = due || rand.Float64() < float64(c.cfg.Noise)
	if due && !c.opaque && c.askOld() {
		trial := c.comparer.compare(method, c.old, c.again)
		noise = c.memory.learn(method, target, status, found, trial)
	}
	c.count(noise)
	c.keep(found, noise)
}

// compare is where the new side's answer differs from the old side's.
func (c *exchange) compare(answer *Response) []difference {
	var err error
	if c.opaque {
		c.counts.opaque.Add(1)
		c.new = &Response{Status: answer.Status, Header: answer.Header}
	} else if c.new, err = decoded(answer, int64(c.cfg.Body)); err != nil {
		c.new = &Response{Status: answer.Status, Header: answer.Header}
		if answer.Status == c.old.Status {
			return []difference{{kind: kindEncoding, key: kindEncoding,
				oldText: c.old.Header.Get("Content-Encoding"), newText: answer.Header.Get("Content-Encoding") + ": " + err.Error()}}
		}
	}
	return c.comparer.compare(c.request.Method, c.old, c.new)
}

// count counts one comparison by whether each of its differences is noise.
func (c *exchange) count(noise []bool) {
	different := false
	for _, isNoise := range noise {
		different = different || !isNoise
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.window.Compared++
	c.counts.compared.Add(1)
	switch {
	case different:
		c.window.Different++
		c.counts.different.Add(1)
	case len(noise) > 0:
		c.window.Noisy++
		c.counts.noisy.Add(1)
	}
}

// keep makes examples of the differences that have none yet.
func (c *exchange) keep(found []difference, noise []bool) {
	now, made := time.Now(), 0
	p := pair{request: c.request, old: c.old, new: c.new}
	for i := range found {
		d := &found[i]
		if c.examples.seen(d.key, noise[i], now) || made == maxPairOfNews {
			continue
		}
		made++
		c.examples.add(d.key, p.example(d, noise[i], now))
	}
}
