package judge

import "yadokari/setting"

// The names of signals that are no class of answers.
const (
	signalErrors      = "errors"
	signalPairs       = "pairs"
	signalDifferences = "differences"
	signalStalled     = "stalled"
	signalRefused     = "refused"
	signalFirstByte   = "firstByte"
	signalSize        = "size"
)

// The parts of alpha. In the mirror stage there are pairs only, at 100 % no user is left to compare with;
// what is not judged in a stage leaves its part unused. What decides slowly by nature gets little: an
// e-value must grow ten times as large for it, which costs a latency few users.
const (
	errorsPart      = 0.45 // the first failure of each user
	refusedPart     = 0.12 // his first form that is refused
	pairsPart       = 0.1  // pairs of which one failed
	differencesPart = 0.1  // answers that differ
	latencyPart     = 0.05 // all judged latencies and the size together, by the first slow answer of each user
	frequencyPart   = 0.05 // the same, by how many of his answers are slow
	stalledPart     = 0.03 // answers that do not come
	classPart       = 0.01 // each class of answers
	laterPart       = 0.25 // of each of these, for users looked at anew later on

	mirrorPairsPart   = 0.6 // in the mirror stage
	mirrorLatencyPart = 0.3
)

// classes are the classes of answers with their names, as tolerate: has them, and what to say of a user.
var classes = [...]struct {
	class    Class
	name     string
	words    string
	tolerate func(*Tolerance) setting.Share
}{
	{Unauthorized, "unauthorized", "got 401", func(t *Tolerance) setting.Share { return t.Unauthorized }},
	{Forbidden, "forbidden", "got 403", func(t *Tolerance) setting.Share { return t.Forbidden }},
	{NotFound, "notFound", "got 404", func(t *Tolerance) setting.Share { return t.NotFound }},
	{ClientError, "clientErrors", "got another 4xx", func(t *Tolerance) setting.Share { return t.ClientErrors }},
	{Redirect, "redirects", "were redirected", func(t *Tolerance) setting.Share { return t.Redirects }},
	{Login, "logins", "were sent to a login", func(t *Tolerance) setting.Share { return t.Logins }},
	{OtherHost, "otherHosts", "were sent to another host", func(t *Tolerance) setting.Share { return t.OtherHosts }},
	{Empty, "empty", "got an empty page", func(t *Tolerance) setting.Share { return t.Empty }},
	{Form, "forms", "got a form again (2xx to POST)", func(t *Tolerance) setting.Share { return t.Forms }},
	{Left, "left", "went away before the answer was whole", func(t *Tolerance) setting.Share { return t.Left }},
}

// A mark says when something has happened to a user, and how often it may.
type mark struct {
	name      string
	words     string // what to say of a user: "failed"
	tolerated float64
	part      float64 // of alpha
	changes   bool    // only requests that change something count,
	failures  bool    // and of these failures too, not only a class
	class     Class   // of a class, or several
	limit     *limit  // of a latency or the size
}

// refusals are the kinds of answers to a form that do not take it, without those that are not judged.
func (t *Tolerance) refusals() (judged Class) {
	for _, class := range classes {
		switch class.class {
		case Unauthorized, Forbidden, NotFound, ClientError, Login:
			if class.tolerate(t) < 1 {
				judged |= class.class
			}
		}
	}
	return judged
}

// marks are what is looked for in the answers that a user gets, failures first.
func (c *Criteria) marks() []mark {
	t := &c.Tolerance
	list := []mark{
		{name: signalErrors, words: "failed", tolerated: rate(float64(t.Errors)), part: errorsPart},
		{name: signalStalled, words: "waited far too long", tolerated: rate(float64(t.Errors)), part: stalledPart},
	}
	if t.Errors >= 1 {
		list[0].part = 0
	}
	if t.Refused < 1 {
		list = append(list, mark{name: signalRefused, words: "had a form refused", tolerated: rate(float64(t.Refused)), part: refusedPart, changes: true, failures: t.Errors < 1, class: t.refusals()})
	}
	for _, class := range classes {
		if tolerated := class.tolerate(t); tolerated < 1 {
			list = append(list, mark{name: class.name, words: class.words, tolerated: rate(float64(tolerated)), part: classPart, class: class.class})
		}
	}
	limits := c.limits()
	for _, l := range limits {
		list = append(list, mark{name: l.name, words: l.words, part: latencyPart / float64(len(limits)), limit: l})
	}
	return list
}
