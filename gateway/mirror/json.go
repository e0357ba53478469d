package mirror

import (
	"bytes"
	"encoding/json"
	"errors"
	"hash/maphash"
)

// maxDepth is how deep JSON may nest to be compared by structure; deeper is compared as text.
const maxDepth = 128

var (
	errJSON      = errors.New("not JSON")
	errTruncated = errors.New("JSON ends early")
)

// node is one JSON value. The nodes of a document stand in preorder, so the first child of a
// container follows it and end is where its next sibling stands.
type node struct {
	hash uint64 // equal values have equal hashes, whatever the order of names and the form of numbers
	key  part   // in an object: the name, between its quotes
	val  part   // the value with its quotes or brackets
	end  int32  // the node after this one's last descendant
	size int32  // the number of children of a container
	kind byte   // { [ " 0 t f n
	open bool   // a container that was cut off: there may be more of it
}

// part is a span of at most 2 GiB: half the size, and there are many.
type part struct{ from, to int32 }

func (p part) span() span { return span{int(p.from), int(p.to)} }

func partOf(from, to int) part { return part{int32(from), int32(to)} }

// document is JSON text as nodes. It is made in one pass over the text and takes memory in proportion
// to it, unlike maps and interfaces, whose cost a hostile body could choose.
type document struct {
	text  []byte
	nodes []node
	at    int
	seed  maphash.Seed
	base  uint64 // where hashes of numbers begin, by seed
}

// parse reads text as one JSON value. A truncated text gives the values that are whole, their
// containers marked open.
func parse(text []byte, truncated bool, seed maphash.Seed) (*document, error) {
	d := &document{text: text, seed: seed, base: maphash.Bytes(seed, nil), nodes: make([]node, 0, len(text)/12+8)}
	d.space()
	err := d.value(part{}, 0)
	if errors.Is(err, errTruncated) && truncated && len(d.nodes) > 0 {
		return d, nil
	}
	if err != nil {
		return nil, err
	}
	d.space()
	if d.at != len(d.text) {
		return nil, errJSON
	}
	return d, nil
}

func (d *document) space() {
	for d.at < len(d.text) {
		switch d.text[d.at] {
		case ' ', '\t', '\r', '\n':
			d.at++
		default:
			return
		}
	}
}

func (d *document) value(key part, depth int) error {
	if d.at == len(d.text) {
		return errTruncated
	}
	switch c := d.text[d.at]; {
	case c == '{' || c == '[':
		return d.container(c, key, depth)
	case c == '"':
		val, err := d.quoted()
		if err == nil {
			d.leaf('"', key, val, d.hashString(val.inner()))
		}
		return err
	case c == '-' || c >= '0' && c <= '9':
		return d.number(key)
	case c == 't':
		return d.word("true", key)
	case c == 'f':
		return d.word("false", key)
	case c == 'n':
		return d.word("null", key)
	}
	return errJSON
}

func (p part) inner() part { return part{p.from + 1, p.to - 1} }

func (d *document) leaf(kind byte, key, val part, hash uint64) {
	d.nodes = append(d.nodes, node{kind: kind, key: key, val: val, end: int32(len(d.nodes) + 1), hash: mix(hash, uint64(kind))})
}

func (d *document) word(word string, key part) error {
	rest := d.text[d.at:]
	if len(rest) < len(word) && bytes.HasPrefix([]byte(word), rest) {
		return errTruncated
	}
	if !bytes.HasPrefix(rest, []byte(word)) {
		return errJSON
	}
	d.leaf(word[0], key, partOf(d.at, d.at+len(word)), 0)
	d.at += len(word)
	return nil
}

// quoted passes over a string and returns it with its quotes. Bytes that are not UTF-8 are let
// through: they compare as they are.
func (d *document) quoted() (part, error) {
	from := d.at
	for i := from + 1; i < len(d.text); i++ {
		switch c := d.text[i]; {
		case c == '"':
			d.at = i + 1
			return partOf(from, i+1), nil
		case c == '\\':
			i++
		case c < 0x20:
			return part{}, errJSON
		}
	}
	return part{}, errTruncated
}

func (d *document) number(key part) error {
	from := d.at
	for d.at < len(d.text) && isNumeric(d.text[d.at]) {
		d.at++
	}
	if d.at == len(d.text) && len(d.nodes) > 0 {
		return errTruncated // inside a container a number that ends with the text may go on
	}
	val := partOf(from, d.at)
	n, ok := parseNumber(d.text[from:d.at])
	if !ok {
		return errJSON
	}
	d.leaf('0', key, val, n.hash(d.base))
	return nil
}

func isNumeric(c byte) bool {
	return c >= '0' && c <= '9' || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E'
}

func (d *document) container(open byte, key part, depth int) error {
	if depth >= maxDepth {
		return errJSON
	}
	me := len(d.nodes)
	d.nodes = append(d.nodes, node{kind: open, key: key, val: partOf(d.at, d.at)})
	d.at++
	err := d.children(open, me, depth)
	n := &d.nodes[me]
	n.val.to, n.end = int32(d.at), int32(len(d.nodes))
	n.open = err != nil
	n.hash = d.hashContainer(me)
	return err
}

func (d *document) children(open byte, me, depth int) error {
	for first := true; ; first = false {
		d.space()
		if d.at == len(d.text) {
			return errTruncated
		}
		c := d.text[d.at]
		if c == open+2 { // } and ] stand two after { and [
			d.at++
			return nil
		}
		if !first {
			if c != ',' {
				return errJSON
			}
			d.at++
			d.space()
		}
		var key part
		if open == '{' {
			var err error
			if key, err = d.name(); err != nil {
				return err
			}
		}
		before := len(d.nodes)
		err := d.value(key, depth+1)
		if len(d.nodes) > before {
			d.nodes[me].size++
		}
		if err != nil {
			return err
		}
	}
}

func (d *document) name() (part, error) {
	if d.at == len(d.text) {
		return part{}, errTruncated
	}
	if d.text[d.at] != '"' {
		return part{}, errJSON
	}
	quoted, err := d.quoted()
	if err != nil {
		return part{}, err
	}
	d.space()
	if d.at == len(d.text) {
		return part{}, errTruncated
	}
	if d.text[d.at] != ':' {
		return part{}, errJSON
	}
	d.at++
	d.space()
	return quoted.inner(), nil
}

// str is the string at s, its escapes undone.
func (d *document) str(s part) []byte {
	raw := d.text[s.from:s.to]
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw
	}
	var plain string
	if json.Unmarshal(d.text[s.from-1:s.to+1], &plain) != nil {
		return raw
	}
	return []byte(plain)
}

func (d *document) hashString(s part) uint64 { return maphash.Bytes(d.seed, d.str(s)) }

// hashContainer hashes the children of nodes[me]: in an object in any order.
func (d *document) hashContainer(me int) uint64 {
	n := &d.nodes[me]
	sum := uint64(n.kind)
	for i := int32(me) + 1; i < n.end; i = d.nodes[i].end {
		child := &d.nodes[i]
		if n.kind == '{' {
			sum += mix(d.hashString(child.key), child.hash)
		} else {
			sum = mix(sum, child.hash)
		}
	}
	return mix(sum, uint64(n.size))
}

// mix joins two hashes into one that depends on their order (the finalizer of splitmix64; Steele,
// Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014).
func mix(a, b uint64) uint64 {
	z := a*0x9e3779b97f4a7c15 + b
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
