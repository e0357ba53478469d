package mirror

// Kinds of difference, as they stand in an Example.
const (
	kindStatus   = "status"   // another status
	kindHeader   = "header"   // another value of a chosen header; the path is its name
	kindMissing  = "missing"  // JSON: a field that only the old side has
	kindAdded    = "added"    // JSON: a field that only the new side has
	kindType     = "type"     // JSON: a value of another type
	kindValue    = "value"    // JSON: another value of the same type
	kindLength   = "length"   // JSON: another number of elements
	kindOrder    = "order"    // JSON: the same elements in another order
	kindText     = "text"     // other tokens; the path is what stands before them
	kindBytes    = "bytes"    // other bytes
	kindEncoding = "encoding" // the new side's body is not what its Content-Encoding says
	kindMany     = "many"     // more places differ than are told apart
	kindFailed   = "failed"   // no answer from the new side
)

// maxDifferences is how many places of one pair of responses are told apart.
const maxDifferences = 128

// span is a part of a body, by byte offsets.
type span struct{ from, to int }

// difference is one place where two responses differ. What stands there is told by text (a status, a
// header) or by a span of the body, so that nothing is copied unless it is kept as an example.
type difference struct {
	kind, path       string
	key              string // what noise is learned by
	oldText, newText string
	oldSpan, newSpan span
	inBody           bool
}

// differences collects the places where two responses differ, each kind and path once.
type differences struct {
	list    []difference
	seen    map[string]struct{}
	key     []byte
	ignored func(path string) bool
}

// noiseClass is the kind as far as noise goes: which of two answers of the same side lacks a field
// is chance, so missing and added are one.
func noiseClass(kind string) string {
	if kind == kindMissing || kind == kindAdded {
		return "presence"
	}
	return kind
}

// first tells whether this kind of difference at this path is new and wanted, and notes that it was
// seen. The path is copied only then.
func (d *differences) first(kind string, path []byte) (*difference, bool) {
	d.key = append(append(append(d.key[:0], noiseClass(kind)...), ' '), path...)
	if _, ok := d.seen[string(d.key)]; ok {
		return nil, false
	}
	if d.seen == nil {
		d.seen = make(map[string]struct{})
	}
	if len(d.list) >= maxDifferences {
		if kind == kindMany {
			return nil, false
		}
		if _, ok := d.seen[kindMany+" "]; !ok {
			d.seen[kindMany+" "] = struct{}{}
			d.list = append(d.list, difference{kind: kindMany, key: kindMany + " "})
		}
		return nil, false
	}
	key := string(d.key)
	d.seen[key] = struct{}{}
	text := key[len(key)-len(path):]
	if d.ignored != nil && d.ignored(text) {
		return nil, false
	}
	d.list = append(d.list, difference{kind: kind, path: text, key: key})
	return &d.list[len(d.list)-1], true
}

// text notes a difference between two short texts outside the body.
func (d *differences) text(kind, path, old, new string) {
	if at, ok := d.first(kind, []byte(path)); ok {
		at.oldText, at.newText = old, new
	}
}

// body notes a difference between two spans of the bodies.
func (d *differences) body(kind string, path []byte, old, new span) {
	if at, ok := d.first(kind, path); ok {
		at.oldSpan, at.newSpan, at.inBody = old, new, true
	}
}
