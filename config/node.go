package config

import "yadokari/setting"

// place is where something stands in the file; both count from 1, columns in characters.
type place struct{ line, column int }

type kind int

const (
	scalar kind = iota
	list
	mapping
)

// node is one value of the file: the YAML tree with aliases resolved, duplicate keys taken out and
// every place kept. Nodes are never changed once made, so an anchor's node stands in several places.
type node struct {
	place
	kind   kind
	text   string  // of a scalar, without its quotes
	null   bool    // a scalar that is null, or nothing at all
	quoted bool    // a scalar in quotes: text, whatever it looks like
	items  []*node // of a list
	fields []field // of a mapping, in the order of the file
	weight int     // number of values in it, itself counted
	height int     // levels of lists and mappings in it, itself counted
}

type field struct {
	key   string
	at    place
	value *node
}

// holds counts value as part of n.
func (n *node) holds(value *node) {
	n.weight += value.weight
	n.height = max(n.height, value.height+1)
}

// get returns the field with the given key, or nil.
func (n *node) get(key string) *field {
	for i := range n.fields {
		if n.fields[i].key == key {
			return &n.fields[i]
		}
	}
	return nil
}

// find returns the value below the keys, one in the other, or nil.
func (n *node) find(keys ...string) *node {
	for _, key := range keys {
		f := n.get(key)
		if f == nil {
			return nil
		}
		n = f.value
	}
	return n
}

// describe names the kind of value in messages.
func (n *node) describe() string {
	switch {
	case n.kind == mapping:
		return "a mapping"
	case n.kind == list:
		return "a list"
	case n.null:
		return "nothing"
	default:
		return "a single value"
	}
}

// locate returns the place of the setting at path, or of the nearest setting above it that is in the
// file. A scalar's place is the scalar itself; a list's or mapping's is its key, where it has one.
func (n *node) locate(path setting.Path) place {
	at, value := n.place, n
	for _, step := range path {
		switch s := step.(type) {
		case int:
			if value.kind != list || s < 0 || s >= len(value.items) {
				return at
			}
			value = value.items[s]
			at = value.place
		case string:
			f := value.get(s)
			if value.kind != mapping || f == nil {
				return at
			}
			value, at = f.value, f.at
			if value.kind == scalar && !value.null {
				at = value.place
			}
		default:
			return at
		}
	}
	return at
}

// leaves calls visit with the path of every value in n that is no mapping; items of lists that merge
// by name are told apart by it.
func leaves(n *node, path setting.Path, visit func(path string)) {
	switch {
	case n.kind == mapping:
		for _, f := range n.fields {
			leaves(f.value, below(path, f.key), visit)
		}
	case isNamed(n):
		for _, item := range n.items {
			for _, f := range item.fields {
				if f.key != "name" {
					leaves(f.value, below(below(path, nameOf(item)), f.key), visit)
				}
			}
		}
	default:
		visit(path.String())
	}
}
