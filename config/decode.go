package config

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"yadokari/setting"
)

// decoder fills Config structs from nodes and reports every fault it meets. A setting at fault keeps
// its default.
type decoder struct {
	f     *finder
	plans map[reflect.Type]*plan
}

// plan is what the file may say about one struct.
type plan struct {
	members []member
	keys    []string
	byKey   map[string]*member
}

func newDecoder(f *finder) *decoder { return &decoder{f: f, plans: map[reflect.Type]*plan{}} }

func (d *decoder) planOf(t reflect.Type) *plan {
	if p := d.plans[t]; p != nil {
		return p
	}
	p := &plan{members: membersOf(t), byKey: map[string]*member{}}
	for i := range p.members {
		p.keys = append(p.keys, p.members[i].key)
		p.byKey[p.members[i].key] = &p.members[i]
	}
	d.plans[t] = p
	return p
}

// decode sets v, which holds its default already, to what n says.
func (d *decoder) decode(v reflect.Value, n *node, path setting.Path) {
	t := v.Type()
	switch {
	case t.Kind() == reflect.Pointer:
		d.pointer(v, n, path)
	case n.null:
		// Nothing said: the default stays.
	case t == differencesType:
		if d.is(mapping, n, path) {
			v.Set(reflect.ValueOf(Differences{node: n}))
		}
	case isText(t) && (n.kind == scalar || t.Kind() != reflect.Struct):
		d.scalar(v, n, path)
	case t.Kind() == reflect.Struct:
		d.mapping(v, n, path)
	case t.Kind() == reflect.Map:
		d.named(v, n, path)
	case t.Kind() == reflect.Slice:
		d.list(v, n, path)
	default:
		d.scalar(v, n, path)
	}
}

// pointer makes v point to what n says. Null makes it nil: "not at all", even where there is a default.
func (d *decoder) pointer(v reflect.Value, n *node, path setting.Path) {
	if n.null {
		v.SetZero()
		return
	}
	value := fresh(v.Type().Elem())
	d.decode(value, n, path)
	v.Set(value.Addr())
}

// fresh returns a new value of type t that can be set, with its defaults.
func fresh(t reflect.Type) reflect.Value {
	value := reflect.New(t)
	if t.Kind() == reflect.Struct && t != differencesType {
		setting.Defaults(value.Interface())
	}
	return value.Elem()
}

// is reports a fault unless n is of the wanted kind.
func (d *decoder) is(want kind, n *node, path setting.Path) bool {
	if n.kind == want {
		return true
	}
	words := map[kind][2]string{
		scalar:  {"a single value", "write KEY: VALUE"},
		list:    {"a list", "write [ONE, TWO], or one item a line behind a dash"},
		mapping: {"a mapping", "write keys below it, or {KEY: VALUE}"},
	}[want]
	d.f.report(n.place, path, fmt.Sprintf("this is %s, but %s belongs here", n.describe(), words[0]), words[1])
	return false
}

func (d *decoder) mapping(v reflect.Value, n *node, path setting.Path) {
	if !d.is(mapping, n, path) {
		return
	}
	p := d.planOf(v.Type())
	for _, f := range n.fields {
		m := p.byKey[f.key]
		if m == nil {
			d.unknown(p, f, path)
			continue
		}
		member := v.FieldByIndex(m.index)
		before := len(d.f.faults)
		d.decode(member, f.value, below(path, f.key))
		if m.enum != nil && len(d.f.faults) == before {
			d.oneOf(m.enum, member, f.value, below(path, f.key))
		}
	}
}

func (d *decoder) unknown(p *plan, f field, path setting.Path) {
	remedy := "known here: " + strings.Join(p.keys, ", ")
	if near := setting.Nearest(f.key, p.keys); near != "" {
		remedy = fmt.Sprintf("did you mean %s?", near)
		d.f.markBroken(below(path, near))
	}
	d.f.report(f.at, below(path, f.key), "unknown key", remedy)
}

// oneOf reports a fault unless the text in v, a string, is one of words.
func (d *decoder) oneOf(words []string, v reflect.Value, n *node, path setting.Path) {
	for _, word := range words {
		if v.String() == word {
			return
		}
	}
	remedy := "write " + strings.Join(words, " or ")
	d.f.report(n.place, path, fmt.Sprintf("%q is not known here", v.String()), remedy)
}

func (d *decoder) named(v reflect.Value, n *node, path setting.Path) {
	if !d.is(mapping, n, path) {
		return
	}
	v.Set(reflect.MakeMapWithSize(v.Type(), len(n.fields)))
	for _, f := range n.fields {
		value := fresh(v.Type().Elem())
		d.decode(value, f.value, below(path, f.key))
		v.SetMapIndex(reflect.ValueOf(f.key).Convert(v.Type().Key()), value)
	}
}

func (d *decoder) list(v reflect.Value, n *node, path setting.Path) {
	if !d.is(list, n, path) {
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.items), len(n.items)))
	for i, item := range n.items {
		if item.null {
			d.f.report(item.place, below(path, i), "this item is empty", "write a value, or leave the item out")
			continue
		}
		value := v.Index(i)
		value.Set(fresh(value.Type()))
		d.decode(value, item, below(path, i))
	}
}

func (d *decoder) scalar(v reflect.Value, n *node, path setting.Path) {
	if !d.is(scalar, n, path) {
		return
	}
	if k := v.Kind(); n.quoted && !isText(v.Type()) && v.Type() != durationType && k != reflect.String {
		d.f.report(n.place, path, fmt.Sprintf("%q is text, not a %s", n.text, wordFor(k)), "leave the quotes out")
		return
	}
	err := setting.ParseInto(v, n.text)
	if p := (*setting.Problem)(nil); errors.As(err, &p) {
		d.f.report(n.place, append(path[:len(path):len(path)], p.Path...), p.What, p.Remedy)
	}
}

func wordFor(k reflect.Kind) string {
	if k == reflect.Bool {
		return "true or false"
	}
	return "number"
}
