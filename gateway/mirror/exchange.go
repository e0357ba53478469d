package mirror

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"mime"
	"net/http"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"

	"yadokari/judge"
)

// grace is what a copy may take on top of twice the time of the user's own request.
const grace = 5 * time.Second

// exchange is one request on its way through both sides.
type exchange struct {
	*Mirror
	request *Request      // as it was offered
	sent    *Request      // as it is sent
	asked   time.Time     // when the other side was first asked,
	waited  time.Duration // and for how long its turn had not come
	limit   time.Duration // for each time a side is asked
	old     *Response     // the answer that counts, decoded
	new     *Response     // the new side's, decoded
	again   *Response     // the old side's second answer, decoded
	opaque  bool          // a body cannot be decoded, which is nobody's mistake: only status and headers count
}

// run sends one request to the other side, compares, and counts what came of it exactly once.
func (m *Mirror) run(r *Request, primary *Response) {
	defer m.copies.Done()
	defer m.underWay.Add(-1)
	defer m.survive(r)
	c := &exchange{Mirror: m, request: r, sent: forCopy(r), limit: max(m.cfg.Timeout, 2*primary.Took+grace)}
	copied, err := c.ask(r.First.other())
	switch {
	case m.ctx.Err() != nil:
		m.counts.aborted.Add(1)
	case errors.Is(err, ErrNobody), errors.Is(err, errLate),
		errors.Is(err, context.DeadlineExceeded) && primary.Took > m.cfg.Timeout: // the user's own request had more time
		m.counts.unmatched.Add(1)
	default:
		if found, told := c.result(primary, copied, err); told {
			m.tell(r, found)
		}
	}
}

// result is what both sides did, with the answers compared where there are two. told is false when the
// Mirror was closed before that was known.
func (c *exchange) result(primary, copied *Response, err error) (found Result, told bool) {
	if err != nil {
		copied = &Response{Answer: failedAnswer}
	}
	found = Result{Old: primary.Answer, New: copied.Answer, Took: copied.Took}
	if copied.Truncated { // the one has a last byte and a length that the other has not
		found.Old.Last, found.New.Last, found.Old.Size, found.New.Size = -1, -1, -1, -1
	}
	first := c.request.First
	if first == NewSide {
		found.Old, found.New = found.New, found.Old
	}
	switch {
	case primary.failed(), first == NewSide && copied.failed():
		c.counts.unmatched.Add(1)
	case copied.failed() && !c.oldStillAnswers():
		if c.ctx.Err() != nil {
			c.counts.aborted.Add(1)
			return found, false
		}
		found.Old = failedAnswer
		c.counts.unmatched.Add(1)
	case err != nil:
		c.counts.failed.Add(1)
		c.log.Debug("mirror: no answer from the new side", "method", c.request.Method, "target", redactTarget(c.request.Target), "error", err)
		c.old = &Response{Header: primary.Header}
		c.keep([]difference{{kind: kindFailed, key: kindFailed, oldText: strconv.Itoa(primary.Status), newText: err.Error()}}, []bool{false})
	case first == NewSide && c.waited > atOnce:
		c.counts.unmatched.Add(1)
	case first == OldSide:
		found.Compared = true
		found.Different, found.Noisy = c.judge(primary, copied)
	default:
		found.Compared = true
		c.weigh(copied, primary, &found)
	}
	// One that is missing is missed by every user; one of other bytes is one difference.
	found.Asset = found.Compared && c.old.Status == c.new.Status && isAsset(c.old.Header)
	return found, true
}

// isAsset reports whether an answer is of a kind that is the same for every user.
func isAsset(h http.Header) bool {
	kind, _, _ := mime.ParseMediaType(h.Get("Content-Type"))
	major, minor, _ := strings.Cut(kind, "/")
	switch major {
	case "image", "font", "audio", "video":
		return true
	}
	return minor == "css" || strings.HasSuffix(minor, "javascript") || strings.HasPrefix(minor, "font-")
}

// failedAnswer is that of a side that could not answer.
var failedAnswer = judge.Answer{Failed: true, First: -1, Last: -1, Size: -1}

// oldStillAnswers asks the old side once more after the new one has failed a copy. If it fails as well, the cause is
// one that both sides have, or a request that holds for one use.
func (c *exchange) oldStillAnswers() bool {
	c.counts.asked.Add(1)
	answer, err := c.ask(OldSide)
	if err == nil && !answer.failed() {
		return true
	}
	c.counts.unanswered.Add(1)
	return false
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

// reference sets the old side's answer. When it came in a coding that cannot be undone here (br, zstd), the old
// side is asked for one that can.
func (c *exchange) reference(answer *Response) {
	var err error
	if c.old, err = decoded(answer, int64(c.cfg.Body)); err == nil {
		return
	}
	if c.request.First == OldSide && c.cfg.Noise > 0 && c.askOld() {
		c.old, c.again = c.again, nil
		return
	}
	c.opaque = true
	c.old = &Response{Status: answer.Status, Header: answer.Header}
}

// ask sends the request to one side, when it is its turn.
func (c *exchange) ask(side Side) (*Response, error) {
	if err := c.turn(side); err != nil {
		return nil, err
	}
	defer func() { <-c.asking[side] }()
	ctx, cancel := context.WithTimeout(c.ctx, c.limit)
	defer cancel()
	return c.send(ctx, side, c.sent, int64(c.cfg.Body))
}

// A page changes by what its browser does next: a badge is cleared, a draft is saved. So the old side's answer tells something of
// the new side's only if it is asked at once.
const (
	atOnce  = 50 * time.Millisecond // or nothing is compared,
	tooLate = time.Second           // or it is not asked at all
)

var errLate = errors.New("the old side's turn came too late")

// turn waits until one more copy may be sent to a side. What has its turn late depends on the others, not on the answers.
func (c *exchange) turn(side Side) error {
	began, first := time.Now(), c.asked.IsZero()
	var late <-chan time.Time
	if first && side == OldSide {
		timer := time.NewTimer(tooLate)
		defer timer.Stop()
		late = timer.C
	}
	select {
	case c.asking[side] <- struct{}{}:
	case <-late:
		return errLate
	case <-c.ctx.Done():
		return c.ctx.Err()
	}
	if first {
		c.asked = time.Now()
		c.waited = c.asked.Sub(began)
	}
	return nil
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

// judge compares the two answers, asks the old side again when that is due, and counts.
func (c *exchange) judge(old, new *Response) (different, noisy bool) {
	c.reference(old)
	found := c.compare(new)
	method, target, status := c.request.Method, c.request.Target, strconv.Itoa(c.old.Status)
	noise, due := c.memory.compare(method, target, status, found)
	due = c.cfg.Noise > 0 && (due || rand.Float64() < float64(c.cfg.Noise))
	if due && !c.opaque && c.askOld() {
		trial := c.comparer.compare(method, c.old, c.again)
		noise = c.memory.learn(method, target, status, found, trial)
	}
	c.keep(found, noise)
	return c.count(noise)
}

// weigh compares the two answers where the new side's came first. What changes on a page with time, newest comments, a
// stock, is a difference then, and no second look at once would tell. So the old side is always asked again after as
// long a time, and it is noted whether the new side's answer differs or the old side's own, each where the other does not.
func (c *exchange) weigh(old, new *Response, result *Result) {
	c.reference(old)
	found := c.compare(new)
	method, target, status := c.request.Method, c.request.Target, strconv.Itoa(c.old.Status)
	var trial []difference
	checked := c.cfg.Noise > 0 && !c.opaque && c.waitAsLong() && c.askOld()
	if checked {
		trial = c.comparer.compare(method, c.old, c.again)
	}
	known, alike := c.memory.known(method, target, status, found), c.memory.known(method, target, status, trial)
	noise, _ := c.memory.compare(method, target, status, found)
	if checked {
		noise = c.memory.learn(method, target, status, found, trial)
	}
	c.keep(found, noise)
	result.Different, result.Noisy = c.count(noise)
	if checked {
		result.Checked = true
		result.Different, result.Unsteady = alone(found, known, trial), alone(trial, alike, found)
		result.Places = append(places(found, trial, true), places(trial, found, false)...)
		slices.SortFunc(result.Places, func(a, b judge.Place) int { return cmp.Compare(a.Key, b.Key) })
	}
}

// alone reports whether one of the differences is neither known to be noise nor among the others.
func alone(found []difference, noise []bool, others []difference) bool {
	for i := range found {
		if !noise[i] && !among(others, found[i].key) {
			return true
		}
	}
	return false
}

// places are where answers of one side differ and others do not.
func places(found, others []difference, new bool) (list []judge.Place) {
	for i := range found {
		if !among(others, found[i].key) {
			list = append(list, judge.Place{Key: xxhash.Sum64String(found[i].key), New: new})
		}
	}
	return list
}

func among(found []difference, key string) bool {
	return slices.ContainsFunc(found, func(d difference) bool { return d.key == key })
}

// longestWait is the most that the second question to the old side is put off.
const longestWait = 5 * time.Second

// waitAsLong waits for as long as it took from the user's request to the first question to the old side. It
// reports whether that is done: the Mirror is still open, and it was no longer than longestWait.
func (c *exchange) waitAsLong() bool {
	if c.request.Began.IsZero() {
		return true
	}
	wait := c.asked.Sub(c.request.Began)
	if wait > longestWait {
		return false
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-c.ctx.Done():
		return false
	}
}

// compare is where the new side's answer differs from the old side's.
func (c *exchange) compare(answer *Response) []difference {
	var err error
	if !c.opaque {
		c.new, err = decoded(answer, int64(c.cfg.Body))
		// The user may have asked for a coding that cannot be undone here; a copy never does.
		c.opaque = c.request.First == NewSide && errors.Is(err, errEncoding)
	}
	switch {
	case c.opaque:
		c.counts.opaque.Add(1)
		c.old = &Response{Status: c.old.Status, Header: c.old.Header}
		c.new = &Response{Status: answer.Status, Header: answer.Header}
	case err != nil:
		c.new = &Response{Status: answer.Status, Header: answer.Header}
		if answer.Status == c.old.Status {
			return []difference{{kind: kindEncoding, key: kindEncoding,
				oldText: c.old.Header.Get("Content-Encoding"), newText: answer.Header.Get("Content-Encoding") + ": " + err.Error()}}
		}
	}
	return c.comparer.compare(c.request.Method, c.old, c.new)
}

// count counts one comparison by whether each of its differences is noise.
func (c *exchange) count(noise []bool) (different, noisy bool) {
	different = slices.Contains(noise, false)
	noisy = !different && len(noise) > 0
	c.counts.compared.Add(1)
	switch {
	case different:
		c.counts.different.Add(1)
	case noisy:
		c.counts.noisy.Add(1)
	}
	return different, noisy
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
