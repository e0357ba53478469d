package mirror

import (
	"bytes"
	"hash/maphash"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// comparer compares two responses as the settings say. It is safe for concurrent use.
type comparer struct {
	headers []string // canonical
	ignore  []string
	seed    maphash.Seed
	bodies  bool
}

func newComparer(cfg *Config) *comparer {
	c := &comparer{seed: maphash.MakeSeed(), bodies: cfg.Body > 0}
	for _, name := range cfg.Headers {
		c.headers = append(c.headers, http.CanonicalHeaderKey(name))
	}
	for _, path := range cfg.Ignore {
		c.ignore = append(c.ignore, strings.TrimSpace(path))
	}
	return c
}

// ignored tells whether path is listed, or lies below a JSON path that is.
func (c *comparer) ignored(path string) bool {
	return slices.ContainsFunc(c.ignore, func(listed string) bool {
		if len(path) == len(listed) {
			return strings.EqualFold(path, listed)
		}
		rest, below := strings.CutPrefix(path, listed)
		return below && (rest[0] == '.' || rest[0] == '[')
	})
}

// compare is where new differs from old. Two answers of different status are not compared further:
// they are different things. Both bodies must be decoded.
func (c *comparer) compare(method string, old, new *Response) []difference {
	out := differences{ignored: c.ignored}
	if old.Status != new.Status {
		out.text(kindStatus, "", strconv.Itoa(old.Status), strconv.Itoa(new.Status))
		return out.list
	}
	c.compareHeaders(old.Header, new.Header, &out)
	if c.bodies && method != http.MethodHead {
		c.body(old, new, &out)
	}
	return out.list
}

// The ways to compare a body.
type form int

const (
	formBytes form = iota
	formText
	formJSON
)

// bodyForm is how a body wants to be compared, by its content type and, without one, its look.
func bodyForm(r *Response) form {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	major, minor, _ := strings.Cut(kind, "/")
	switch {
	case minor == "json" || strings.HasSuffix(minor, "+json"):
		return formJSON
	case major == "text", strings.HasSuffix(minor, "+xml"), minor == "xml", minor == "javascript",
		minor == "x-javascript", minor == "x-www-form-urlencoded", minor == "x-ndjson":
		return formText
	case kind == "" && utf8.Valid(r.Body) && !bytes.ContainsRune(r.Body, 0):
		return formText
	}
	return formBytes
}

func (c *comparer) body(old, new *Response, out *differences) {
	if bytes.Equal(old.Body, new.Body) {
		return
	}
	a, b := bodyForm(old), bodyForm(new)
	if a == formJSON && b == formJSON {
		oldJSON, err := parse(old.Body, old.Truncated, c.seed)
		if err == nil {
			newJSON, err := parse(new.Body, new.Truncated, c.seed)
			if err == nil {
				compareJSON(oldJSON, newJSON, out)
				return
			}
		}
	}
	if a == formBytes || b == formBytes {
		compareBytes(old, new, out)
		return
	}
	compareText(old.Body, new.Body, old.Truncated, new.Truncated, c.seed, out)
}

// compareBytes notes the first byte that differs. A body that was cut off is compared as far as it goes.
func compareBytes(old, new *Response, out *differences) {
	at := 0
	for at < len(old.Body) && at < len(new.Body) && old.Body[at] == new.Body[at] {
		at++
	}
	if at == len(old.Body) && old.Truncated || at == len(new.Body) && new.Truncated {
		return
	}
	if at == len(old.Body) && at == len(new.Body) {
		return
	}
	out.body(kindBytes, nil, span{at, min(at+16, len(old.Body))}, span{at, min(at+16, len(new.Body))})
}
