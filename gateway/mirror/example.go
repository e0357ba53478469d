package mirror

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	maxExcerpt    = 4 << 10 // bytes of one side of an example
	around        = 256     // bytes of a text shown on each side of what differs
	maxTarget     = 1 << 10 // bytes of a target kept
	maxPairOfNews = 4       // new examples taken from one pair of responses
)

// Example is one kind of difference and a request that showed it. It holds no value of a Cookie,
// Set-Cookie, Authorization or Proxy-Authorization header, nor where an app repeated one in a body;
// nor values that go by a name such as token, password, secret or key.
type Example struct {
	Time   time.Time `json:"time"`   // when it was first seen
	Last   time.Time `json:"last"`   // when it was last seen
	Count  uint64    `json:"count"`  // how often, since it has been kept
	Method string    `json:"method"` // of the request that first showed it
	Target string    `json:"target"` // of that request, secret parameters redacted
	Kind   string    `json:"kind"`   // status, header, missing, added, type, value, length, order, text, bytes, encoding, many or failed
	Path   string    `json:"path"`   // JSON path, header name, or the text before the difference
	Old    string    `json:"old"`    // what the old side answered there, at most 4 KiB
	New    string    `json:"new"`    // what the new side answered there, at most 4 KiB
	Noise  bool      `json:"noise"`  // whether it was taken for noise: the old side differs from itself there
}

// examples keeps one example of each kind of difference, up to a limit.
type examples struct {
	mu    sync.Mutex
	limit int
	kept  map[string]*Example
}

// seen counts a difference that is kept already, and tells whether it is. What was noise and now is
// none wants a new example.
func (e *examples) seen(key string, noise bool, now time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	kept, ok := e.kept[key]
	if !ok || kept.Noise && !noise {
		return e.limit == 0
	}
	kept.Count++
	kept.Last = now
	return true
}

// add keeps an example. When there is no place, noise goes first, then what was not seen for longest;
// new noise never takes the place of a difference.
func (e *examples) add(key string, x Example) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, ok := e.kept[key]; !ok && len(e.kept) >= e.limit {
		victim := ""
		for k, other := range e.kept {
			if victim == "" || worse(other, e.kept[victim]) {
				victim = k
			}
		}
		if victim == "" || x.Noise && !e.kept[victim].Noise {
			return
		}
		delete(e.kept, victim)
	}
	e.kept[key] = &x
}

// worse tells whether a is to go before b.
func worse(a, b *Example) bool {
	if a.Noise != b.Noise {
		return a.Noise
	}
	return a.Last.Before(b.Last)
}

// list is what is kept: differences before noise, the latest first.
func (e *examples) list() []Example {
	e.mu.Lock()
	list := make([]Example, 0, len(e.kept))
	for _, x := range e.kept {
		list = append(list, *x)
	}
	e.mu.Unlock()
	slices.SortFunc(list, func(a, b Example) int {
		switch {
		case a.Noise != b.Noise && b.Noise:
			return -1
		case a.Noise != b.Noise:
			return 1
		}
		if order := b.Last.Compare(a.Last); order != 0 {
			return order
		}
		return strings.Compare(a.Kind+a.Path, b.Kind+b.Path)
	})
	return list
}

// pair is one request with both answers, from which examples are made. The bodies are masked when the
// first example needs them.
type pair struct {
	request  *Request
	old, new *Response
	masked   bool
	oldBody  []byte
	newBody  []byte
	secrets  [][]byte
}

func (p *pair) mask() {
	if p.masked {
		return
	}
	p.masked = true
	p.secrets = secrets(p.request.Header, p.old, p.new)
	p.oldBody = masked(p.old.Body, p.secrets)
	if p.new != nil {
		p.newBody = masked(p.new.Body, p.secrets)
	}
}

// example shows one difference of the pair.
func (p *pair) example(d *difference, noise bool, now time.Time) Example {
	p.mask()
	x := Example{
		Time: now, Last: now, Count: 1, Noise: noise, Kind: d.kind,
		Method: p.request.Method, Path: p.without(d.path),
		Target: clip(string(masked([]byte(redactTarget(p.request.Target)), p.secrets)), maxTarget),
	}
	if d.kind == kindText { // its path is text of the body: taken again from the one without secrets
		x.Path = p.without(string(placeOf(p.oldBody, d.oldSpan.from)))
	}
	switch {
	case secretPath(d):
		x.Old, x.New = redacted, redacted
	case d.inBody:
		x.Old = excerpt(p.oldBody, d.oldSpan, d.kind)
		x.New = excerpt(p.newBody, d.newSpan, d.kind)
	default:
		x.Old, x.New = p.short(d, d.oldText), p.short(d, d.newText)
	}
	return x
}

// secretPath tells whether a field on the way to the difference holds a secret by its name.
func secretPath(d *difference) bool {
	if !d.inBody || d.kind == kindText || d.kind == kindBytes {
		return d.kind == kindHeader && d.path != "Set-Cookie" && secretName(d.path)
	}
	return slices.ContainsFunc(strings.FieldsFunc(d.path, func(r rune) bool { return r == '.' || r == '[' || r == ']' }), secretName)
}

// short is a text outside the body, without secrets.
func (p *pair) short(d *difference, text string) string {
	if d.kind == kindHeader && d.path != "Set-Cookie" {
		text = redactTarget(text)
	}
	return clip(p.without(text), maxExcerpt)
}

// without is a short text without secrets.
func (p *pair) without(text string) string {
	text = text[:min(len(text), 2*maxExcerpt)]
	return string(maskedPart(masked([]byte(text), p.secrets), 0, len(text)))
}

// excerpt is the part of a body that a difference is about: of JSON the value, of a text what stands
// around it too, of other bodies the bytes in hexadecimal.
func excerpt(body []byte, s span, kind string) string {
	switch kind {
	case kindBytes:
		return fmt.Sprintf("byte %d: %x", s.from, body[s.from:s.to])
	case kindText:
		s.from, s.to = max(0, s.from-around), min(len(body), s.to+around)
	}
	return clip(string(maskedPart(body, s.from, min(s.to, s.from+maxExcerpt+1))), maxExcerpt)
}

// clip is the start of s, at most limit bytes, as valid UTF-8.
func clip(s string, limit int) string {
	const more = "…"
	if len(s) > limit {
		s = s[:limit-len(more)] + more
	}
	if s = strings.ToValidUTF8(s, "?"); len(s) > limit {
		s = s[:limit]
	}
	return s
}
