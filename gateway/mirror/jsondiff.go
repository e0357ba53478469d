package mirror

import (
	"bytes"
	"slices"
)

const (
	maxPath = 256 // bytes of a path that are told apart
	maxName = 64  // bytes of one name in it; a longer one is {}
)

// jsonDiff compares two documents made with the same seed.
type jsonDiff struct {
	old, new *document
	path     []byte
	out      *differences
}

// compareJSON notes where new differs from old.
func compareJSON(old, new *document, out *differences) {
	j := jsonDiff{old: old, new: new, out: out}
	j.values(0, 0)
}

func (j *jsonDiff) note(kind string, o, n int32) {
	var old, new span
	if o >= 0 {
		old = j.old.nodes[o].val.span()
	}
	if n >= 0 {
		new = j.new.nodes[n].val.span()
	}
	j.out.body(kind, j.path, old, new)
}

func (j *jsonDiff) values(o, n int32) {
	a, b := &j.old.nodes[o], &j.new.nodes[n]
	switch {
	case a.kind != b.kind && !(isBool(a.kind) && isBool(b.kind)):
		j.note(kindType, o, n)
	case a.hash == b.hash && !a.open && !b.open:
	case a.kind == '{':
		j.objects(o, n)
	case a.kind == '[':
		j.arrays(o, n)
	case a.hash != b.hash:
		j.note(kindValue, o, n)
	}
}

func isBool(kind byte) bool { return kind == 't' || kind == 'f' }

// objects compares by name. Names mostly come in the same order; a map is made only when they do not.
func (j *jsonDiff) objects(o, n int32) {
	a, b := &j.old.nodes[o], &j.new.nodes[n]
	i, k := o+1, n+1
	for i < a.end && k < b.end && j.sameName(i, k) {
		j.below(i, i, k)
		i, k = j.old.nodes[i].end, j.new.nodes[k].end
	}
	if i == a.end && k == b.end {
		return
	}
	rest := make(map[string]int32)
	for ; k < b.end; k = j.new.nodes[k].end {
		rest[string(j.new.str(j.new.nodes[k].key))] = k
	}
	for ; i < a.end; i = j.old.nodes[i].end {
		name := string(j.old.str(j.old.nodes[i].key))
		if k, ok := rest[name]; ok {
			j.below(i, i, k)
			delete(rest, name)
		} else if !b.open {
			j.below(i, i, -1)
		}
	}
	if a.open {
		return
	}
	for k := n + 1; k < b.end && len(rest) > 0; k = j.new.nodes[k].end {
		name := j.new.str(j.new.nodes[k].key)
		if at, ok := rest[string(name)]; ok && at == k {
			j.named(name, -1, k)
			delete(rest, string(name))
		}
	}
}

func (j *jsonDiff) sameName(i, k int32) bool {
	return bytes.Equal(j.old.str(j.old.nodes[i].key), j.new.str(j.new.nodes[k].key))
}

// below compares the values with the name of the old document's node at.
func (j *jsonDiff) below(at, o, n int32) {
	if n >= 0 && o >= 0 {
		a, b := &j.old.nodes[o], &j.new.nodes[n]
		if a.hash == b.hash && a.kind == b.kind && !a.open && !b.open {
			return
		}
	}
	j.named(j.old.str(j.old.nodes[at].key), o, n)
}

// named compares two values of objects, -1 for one that is not there.
func (j *jsonDiff) named(name []byte, o, n int32) {
	length := len(j.path)
	defer func() { j.path = j.path[:length] }()
	if len(j.path) < maxPath {
		if len(j.path) > 0 {
			j.path = append(j.path, '.')
		}
		if len(name) > maxName || volatile(name) {
			name = []byte("{}")
		}
		j.path = append(j.path, name...)
	}
	switch {
	case n < 0:
		j.note(kindMissing, o, n)
	case o < 0:
		j.note(kindAdded, o, n)
	default:
		j.values(o, n)
	}
}

// arrays compares place by place. Arrays of different length are not compared further: which element
// belongs to which is not known. Nor are those that hold the same elements in another order.
func (j *jsonDiff) arrays(o, n int32) {
	a, b := &j.old.nodes[o], &j.new.nodes[n]
	length := len(j.path)
	defer func() { j.path = j.path[:length] }()
	if len(j.path) < maxPath {
		j.path = append(j.path, "[]"...)
	}
	whole := !a.open && !b.open
	if a.size != b.size && (whole || a.open && !b.open && b.size < a.size || b.open && !a.open && a.size < b.size) {
		j.note(kindLength, o, n)
		return
	}
	if whole && a.size > 1 && slices.Equal(j.old.elements(o), j.new.elements(n)) {
		j.note(kindOrder, o, n)
		return
	}
	for i, k := o+1, n+1; i < a.end && k < b.end; i, k = j.old.nodes[i].end, j.new.nodes[k].end {
		j.values(i, k)
	}
}

// elements are the hashes of an array's elements, sorted.
func (d *document) elements(array int32) []uint64 {
	hashes := make([]uint64, 0, d.nodes[array].size)
	for i := array + 1; i < d.nodes[array].end; i = d.nodes[i].end {
		hashes = append(hashes, d.nodes[i].hash)
	}
	slices.Sort(hashes)
	return hashes
}

// volatile tells whether a name, a segment of a URL's path or a token looks like an identifier that
// changes from one to the next: a number, or a long run with digits among letters (UUID, hex, base64).
func volatile(text []byte) bool {
	digits, others := 0, 0
	for _, c := range text {
		switch {
		case c >= '0' && c <= '9':
			digits++
		case !isAlnum(c) && c != '-' && c != '_' && c != '=' && c != '+' && c != '.' && c != '~':
			return false
		default:
			others++
		}
	}
	return digits > 0 && (others == 0 || len(text) >= 16 && digits >= 3)
}
